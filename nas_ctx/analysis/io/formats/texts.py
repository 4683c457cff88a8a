"""What is found within a text or an object of a tool: which of several architectures, its step and its scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.errors import InputError

_STEP = re.compile(r"\b(?:epoch|step|iter(?:ation)?)\b\W{0,4}(\d{1,9})", re.IGNORECASE)
_NEAR = 200  # characters of a line beside a genotype that are looked at
_ASSIGNED = re.compile(r"^([^\W\d]\w*)\s*=\s*$")
_NAMES = ("name", "run", "run_name", "run_id", "id", "trial", "trial_id")
SEEDS = ("seed", "random_seed", "rand_seed", "manual_seed", "manualseed")
"""How tools call the seed of a run, in lower case."""


@dataclass(frozen=True)
class Place:
    """An architecture within a text: where it begins and ends, and what was read."""

    start: int
    end: int
    value: Any


def runs_of_text(
    document: Document, places: Sequence[Place], step: int | None, read: Callable[..., Run]
) -> tuple[list[Run], list[Note]]:
    """The runs of the ``places`` of a text, each made by ``read(value, name, source=..., settings=...)``; and a note.

    All places are runs where there is nothing else in the text, or each is assigned to a name of its own, as in
    Python's source. Else the text is a log of one run, of which the last counts, or that of ``step``: the last number
    that an epoch or step had before it, or its place from 0 where the log has none.
    """
    several = len(places) > 1
    before = [_before(document.text, each.start) for each in places]
    assigned = [match[1] if (match := _ASSIGNED.match(words)) else "" for words in before]
    if step is None and several and len(set(assigned)) == len(places) and all(assigned):
        named = zip(assigned, places, strict=True)
        return [read(each.value, document.name, source=document.name).called(name) for name, each in named], []
    if step is None and several and _nothing_else(document.text, places):
        names = [f"{document.name}#{number}" for number in range(1, len(places) + 1)]
        return [read(each.value, name, source=name) for each, name in zip(places, names, strict=True)], []
    steps = _steps(document.text, places)
    notes = []
    if step is None and several:
        text = f"{document.name} holds {len(places)} genotypes, of which the last is read; --step N reads another one."
        notes.append(Note("log", text))
    elif step is not None and step not in steps:
        listed = ", ".join(map(str, steps[:6])) + (f" ... {steps[-1]}" if len(steps) > 6 else "")
        raise InputError(f"{document.name}: no genotype of step {step}; those of the steps {listed} are there")
    at = len(places) - 1 if step is None else max(i for i, known in enumerate(steps) if known == step)
    settings = {"step": steps[at]} if several or step is not None else {}
    return [read(places[at].value, document.name, source=document.name, settings=settings)], notes


def _before(text: str, at: int) -> str:
    """What stands before a place in its line, of a long one the nearest characters."""
    return text[max(0, at - _NEAR) : at].rpartition("\n")[2]


def _nothing_else(text: str, places: Sequence[Place]) -> bool:
    """Whether there are only blanks, quotes and commas between the places."""
    starts, ends = [*(each.start for each in places), len(text)], [0, *(each.end for each in places)]
    return not any(text[end:start].strip(" \t\r\n'\",;-") for end, start in zip(ends, starts, strict=True))


def _steps(text: str, places: Sequence[Place]) -> list[int]:
    """The step of each; where the text names none, or names one for all, how many came before."""
    steps: list[int] = []
    position, last = 0, None
    for each in places:
        for named in _STEP.finditer(text, position, each.start):
            last = int(named[1])
        position = each.end
        steps.append(-1 if last is None else last)
    known = (-1 not in steps and len(set(steps)) > 1) or (len(steps) == 1 and steps[0] >= 0)
    return steps if known else list(range(len(places)))


def record_of(item: Mapping[str, Any], used: Iterable[str]) -> tuple[str, dict[str, Any], dict[str, float]]:
    """The name of a run, its settings and its scores, from the keys of an object or row beside its ``used`` ones.

    >>> record_of({"arch": "|...|", "seed": 3, "accuracy": "93.1", "name": "r"}, ["arch"])
    ('r', {'seed': 3}, {'accuracy': 93.1})
    """
    settings: dict[str, Any] = {}
    scores: dict[str, float] = {}
    name = ""
    taken = set(used)
    for key, value in item.items():
        if key in taken or value is None or value == "" or isinstance(value, list | dict | tuple):
            continue
        word = key.strip().lower()
        if word in SEEDS:
            settings["seed"] = _whole(value)
        elif word in _NAMES:
            name = str(value)
        elif (number := number_of(value)) is not None:
            scores[key] = number
        else:
            settings[key] = value
    return name, settings, scores


def run_of_record(item: Mapping[str, Any], key: str, place: str, source: str, read: Callable[..., Run]) -> Run:
    """The run whose choices ``item`` has under ``key``, by ``read``, under the name that the item gives it."""
    name, settings, scores = record_of(item, [key])
    run = read(item[key], place, source=source, settings=settings, metrics=scores)
    return run.called(name) if name else run


def number_of(value: object) -> float | None:
    """A number, also one written as text; None where it is none, or not finite.

    >>> number_of("93.1"), number_of("conv"), number_of(True), number_of("nan")
    (93.1, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def _whole(value: Any) -> Any:
    number = number_of(value)
    return value if number is None or not number.is_integer() else int(number)
