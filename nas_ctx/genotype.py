"""Choices as a value: which candidate each block (each mutable of a space) has got.

A :class:`Genotype` is an immutable mapping from block label to choice. It reads three kinds of JSON file: its own
(``nas_ctx.genotype/1``), the integer files that the authors of ATRC publish, and the flat ``{label: choice}`` that NNI
exports for any space. The authors' integers live in this file only; everywhere else a choice has a name.

This module imports nothing but the standard library, so that an analysis needs neither torch nor NNI.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nas_ctx.context_types import CONTEXT_NAMES, SAME_ON_DIAGONAL
from nas_ctx.errors import InputError, suggestion
from nas_ctx.files import read_json, write_text

Scalar = str | int | float | bool | None
Choice = Scalar | tuple[Scalar, ...]

FORMAT = "nas_ctx.genotype/1"
UPGRADES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""An older format -> the function that converts a file's content to the next one. There is only one format so far. To
change it, raise the number in ``FORMAT`` and enter the conversion from the previous one here; files take all steps."""

_ATRC_TASKS = {"sal": "saliency"}  # the authors' name -> ours; every other task has the same name in both
_OUR_TASKS = {ours: theirs for theirs, ours in _ATRC_TASKS.items()}


class Genotype(Mapping[str, Choice]):
    """Block label -> choice, immutable and hashable; two are equal when their choices are, whatever their ``meta``.

    ``choices`` are strings for relational contexts; a choice of another space may be any JSON scalar or a list of
    them (an input choice), which becomes a tuple. ``meta`` is free JSON that travels along (seed, step, ...).
    The context of a task with itself cannot be ``"s-label"``, since there it equals ``"t-label"``.
    Anything else raises :class:`~nas_ctx.errors.InputError`.

    >>> genotype = Genotype({"semseg/depth": "s-label", "semseg/semseg": "none"}, meta={"seed": 3})
    >>> genotype["semseg/depth"], len(genotype), genotype.meta["seed"]
    ('s-label', 2, 3)
    >>> genotype.differences(Genotype({"semseg/depth": "local", "semseg/semseg": "none"}))
    {'semseg/depth': ('s-label', 'local')}
    >>> Genotype({"semseg/semseg": "s-label"})
    Traceback (most recent call last):
    nas_ctx.errors.InputError: block 'semseg/semseg': a task has no s-label context with itself (it equals t-label)
    """

    __slots__ = ("_choices", "_meta")

    def __init__(self, choices: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None:
        if not isinstance(choices, Mapping):
            raise InputError(f"choices must map block labels to choices, got {type(choices).__name__}")
        if not choices:
            raise InputError("a genotype needs at least one block, got none")
        if meta is not None and not isinstance(meta, Mapping):
            raise InputError(f"meta must be a mapping, got {type(meta).__name__}")
        self._choices = {_checked_label(label): _checked_choice(label, choice) for label, choice in choices.items()}
        self._meta = dict(meta or {})

    @property
    def meta(self) -> Mapping[str, Any]:
        """What travels along with the choices, read-only."""
        return MappingProxyType(self._meta)

    @property
    def candidates(self) -> Mapping[str, tuple[Choice, ...]]:
        """What each block could choose from, where the search recorded it (``meta["candidates"]``); else empty.

        >>> Genotype({"a/b": "none"}, {"candidates": {"a/b": ["none", "local"]}}).candidates
        {'a/b': ('none', 'local')}
        """
        recorded = self._meta.get("candidates", {})
        if not isinstance(recorded, Mapping) or not all(
            isinstance(values, list | tuple) for values in recorded.values()
        ):
            raise InputError(f"meta: candidates: expected an object of blocks and lists, got {recorded!r}")
        return {
            block: tuple(tuple(value) if isinstance(value, list) else value for value in values)
            for block, values in recorded.items()
        }

    def __getitem__(self, label: str) -> Choice:
        return self._choices[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    def __hash__(self) -> int:
        return hash(frozenset(self._choices.items()))

    def __repr__(self) -> str:
        return f"Genotype({self._choices!r}, meta={self._meta!r})" if self._meta else f"Genotype({self._choices!r})"

    def differences(self, other: Mapping[str, Choice]) -> dict[str, tuple[Choice, Choice]]:
        """Blocks whose choices differ, each with both choices; both must have the same blocks."""
        if set(self) != set(other):
            lacking = sorted(set(self) ^ set(other))
            raise InputError(f"cannot compare genotypes with different blocks; only one of them has {lacking}")
        return {label: (choice, other[label]) for label, choice in self.items() if choice != other[label]}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Genotype:
        """Read a genotype file of any of the three kinds; errors name the file, the key and the value."""
        path = Path(path)
        try:
            content = read_json(path)
            return cls.from_json(content)
        except InputError as error:
            prefix = "" if str(path) in str(error) else f"{path}: "
            raise InputError(f"{prefix}{error}") from None

    @classmethod
    def from_json(cls, content: object) -> Genotype:
        """Parse decoded JSON of any of the three kinds.

        >>> Genotype.from_json({"format": "nas_ctx.genotype/1", "choices": {"a/b": "local"}})
        Genotype({'a/b': 'local'})
        >>> Genotype.from_json({"layer1": "conv3", "skip": [0, 2]})
        Genotype({'layer1': 'conv3', 'skip': (0, 2)})
        """
        if not isinstance(content, dict):
            raise InputError(f"a genotype is a JSON object, got {type(content).__name__}")
        if "format" in content:
            return cls._from_own(content)
        if "data" in content and isinstance(content["data"], dict):
            return cls.from_atrc(content)
        return cls(content)

    @classmethod
    def _from_own(cls, content: dict[str, Any]) -> Genotype:
        while str(content["format"]) in UPGRADES:
            content = UPGRADES[content["format"]](content)
        if content["format"] != FORMAT:
            number = re.fullmatch(r"nas_ctx\.genotype/(\d{1,9})", str(content["format"]))
            newer = number is not None and int(number[1]) > int(FORMAT.rpartition("/")[2])
            advice = ": a newer nas_ctx has written it, update this one" if newer else ""
            raise InputError(f"format is {content['format']!r}, expected {FORMAT!r}{advice}")
        unknown = sorted(set(content) - {"format", "choices", "meta"})
        if unknown:
            meant = suggestion(unknown[0], ("choices", "format", "meta"))
            raise InputError(f"unknown key {unknown[0]!r}; known: choices, format, meta{meant}")
        if not isinstance(content.get("choices"), dict):
            raise InputError("key 'choices' must hold an object of block labels and choices")
        if not isinstance(content.get("meta", {}), dict):
            raise InputError(f"key 'meta' must hold an object, got {type(content['meta']).__name__}")
        return cls(content["choices"], content.get("meta"))

    def to_json(self) -> dict[str, Any]:
        """This genotype as the JSON object of a genotype file."""
        return {"format": FORMAT, "choices": self.to_nni(), "meta": self._meta}

    def to_nni(self) -> dict[str, Any]:
        """The choices as NNI's samples have them, for ``nni.nas.space.model_context``: a choice of inputs is a list.

        >>> Genotype({"layer1": "conv3", "skip": (0,)}).to_nni()
        {'layer1': 'conv3', 'skip': [0]}
        """
        return {label: list(choice) if isinstance(choice, tuple) else choice for label, choice in self.items()}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a genotype file, whole or not at all."""
        try:
            text = json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: meta cannot be written as JSON: {error}") from None
        write_text(path, text + "\n")

    @classmethod
    def from_atrc(cls, content: Mapping[str, Any]) -> Genotype:
        """The authors' ``{"data": {target: {source: 0..4}}, "step": n}``; ``step`` goes to ``meta``.

        >>> Genotype.from_atrc({"data": {"sal": {"sal": 3}}, "step": 900})
        Genotype({'saliency/saliency': 't-label'}, meta={'step': 900})
        """
        unknown = sorted(set(content) - {"data", "step"})
        if unknown:
            raise InputError(f"unknown key {unknown[0]!r} in an ATRC genotype; known: data, step")
        step = content.get("step", 0)
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise InputError(f"key 'step' must be a whole number from 0, got {step!r}")
        rows = content.get("data")
        if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
            raise InputError("key 'data' must hold an object of targets, each an object of sources")
        choices = {}
        for target, row in rows.items():
            if set(row) != set(rows):
                raise InputError(f"target {target!r} has the sources {sorted(row)}, expected {sorted(rows)}")
            for source, number in row.items():
                label = f"{_ATRC_TASKS.get(target, target)}/{_ATRC_TASKS.get(source, source)}"
                if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(CONTEXT_NAMES):
                    raise InputError(f"block {label!r} holds {number!r}, expected a whole number 0..4")
                choices[label] = CONTEXT_NAMES[number]
        return cls(choices, {"step": step})

    def to_atrc(self) -> dict[str, Any]:
        """This genotype as the authors write it; it must be a full grid of relational contexts.

        >>> Genotype({"saliency/saliency": "t-label"}, meta={"step": 900}).to_atrc()
        {'data': {'sal': {'sal': 3}}, 'step': 900}
        """
        rows: dict[str, dict[str, int]] = {}
        for label, choice in self.items():
            target, slash, source = label.partition("/")
            if not slash or "/" in source:
                raise InputError(f"block {label!r} is not of the form '<target>/<source>', which ATRC files need")
            if choice not in CONTEXT_NAMES:
                raise InputError(f"block {label!r}: ATRC files know no choice {choice!r}; known: {CONTEXT_NAMES}")
            row = rows.setdefault(_OUR_TASKS.get(target, target), {})
            row[_OUR_TASKS.get(source, source)] = CONTEXT_NAMES.index(choice)
        for target, row in rows.items():
            if set(row) != set(rows):
                raise InputError(f"target {target!r} has the sources {sorted(row)}; ATRC files need {sorted(rows)}")
        return {"data": rows, "step": self._meta.get("step", 0)}


def _checked_label(label: object) -> str:
    if not isinstance(label, str) or not label.strip():
        raise InputError(f"a block label must be a word, got {label!r}")
    return label


def _checked_choice(label: str, choice: object) -> Choice:
    if isinstance(choice, list | tuple):
        choice = tuple(choice)
        wrong = [item for item in choice if not isinstance(item, Scalar)]
    else:
        wrong = [] if isinstance(choice, Scalar) else [choice]
    if wrong:
        kind = type(wrong[0]).__name__
        raise InputError(f"block {label!r}: a choice is a word, a number or a list of them, got {kind} {wrong[0]!r}")
    target, slash, source = label.partition("/")
    if slash and target == source and choice in SAME_ON_DIAGONAL:
        same = SAME_ON_DIAGONAL[str(choice)]
        raise InputError(f"block {label!r}: a task has no {choice} context with itself (it equals {same})")
    return choice  # type: ignore[return-value]
