"""What is found within a text or an object of a tool: which of several architectures, its step and its scores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas_ctx.analysis.io.runs import Note
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


def chosen(
    text: str, places: Sequence[Place], step: int | None, name: str
) -> tuple[list[tuple[str, Place, int | None]], list[Note]]:
    """(name of the run or "", what was found, its step or None) of those in a text that are runs, and a note.

    They are all runs where each has a line of its own, or is assigned to a name of its own, as in Python's source. Else
    the text is a log of one run, of which the last counts, or that of ``step``: the last number that an epoch or step
    had before it, or its place from 0 where the log has none.
    """
    before = [_beside(text, each.start, back=True) for each in places]
    after = [_beside(text, each.end) for each in places]
    alone = all(not a.strip(" \t'\"-") and not b.strip(" \t\r'\",;") for a, b in zip(before, after, strict=True))
    assigned = [match[1] if (match := _ASSIGNED.match(words)) else "" for words in before]
    if step is None and len(places) > 1 and len(set(assigned)) == len(places) and all(assigned):
        return [(word, each, None) for word, each in zip(assigned, places, strict=True)], []
    if step is None and alone:
        return [(f"#{i}" if len(places) > 1 else "", each, None) for i, each in enumerate(places, start=1)], []
    steps = _steps(text, places)
    if step is None:
        note = f"{name} holds {len(places)} genotypes, of which the last is read; --step N reads that of another step."
        return [("", places[-1], steps[-1])], [Note("log", note)] if len(places) > 1 else []
    if step not in steps:
        listed = ", ".join(map(str, steps[:6])) + (f" ... {steps[-1]}" if len(steps) > 6 else "")
        raise InputError(f"{name}: no genotype of step {step}; those of the steps {listed} are there")
    at = max(i for i, known in enumerate(steps) if known == step)
    return [("", places[at], step)], []


def _beside(text: str, at: int, *, back: bool = False) -> str:
    """What stands before or after a place in its line, of a long one the next characters only."""
    piece = text[max(0, at - _NEAR) : at] if back else text[at : at + _NEAR]
    return piece.rpartition("\n")[2] if back else piece.partition("\n")[0]


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
