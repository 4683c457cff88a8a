"""Genotypes as they are compared: labels cleaned, missing and inactive choices left out, and noted."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.analysis.stats.labels import NULL, label_of
from nas_ctx.errors import InputError
from nas_ctx.genotype import Choice


def cleaned(runs: Sequence[Run]) -> tuple[list[Run], list[Note]]:
    """``runs`` with plain labels, and notes on what was left out of them.

    Text is in Unicode's composed form without blanks around it. What R, pandas and NumPy write for no value is missing;
    so is a choice that the run recorded as inactive: one within a candidate of another choice that was not taken.
    """
    written: Counter[str] = Counter()
    inactive: dict[str, int] = {}
    return [_cleaned(run, written, inactive) for run in runs], list(_notes(written, inactive))


def _cleaned(run: Run, written: Counter[str], inactive: dict[str, int]) -> Run:
    recorded = run.settings.get("inactive")
    unused = set(recorded) if isinstance(recorded, list | tuple) else set()
    choices: dict[str, Choice] = {}
    left_out: dict[str, Choice] = dict(run.inactive)
    names: dict[str, str] = {}
    labels: dict[str, Hashable] = {}  # of texts, which repeat
    for given, choice in run.genotype.items():
        block = unicodedata.normalize("NFC", given).strip()
        if names.setdefault(block, given) != given:
            raise InputError(f"run {run.name}: {names[block]!r} and {given!r} are one block, written in two ways")
        if given in unused:
            inactive[block] = inactive.get(block, 0) + 1
            left_out[block] = choice
            continue
        if isinstance(choice, str):
            if choice not in labels:
                labels[choice] = label_of(choice)
            label = labels[choice]
        else:
            label = label_of(choice)
        if label is None:
            written[str(choice).strip() or "empty"] += 1
        else:
            choices[block] = None if label is NULL else label  # type: ignore[assignment]  # a choice, cleaned
    if not choices:
        raise InputError(f"run {run.name} has no rating at all: every choice is missing")
    return run if choices == dict(run.genotype) else replace(run, genotype=choices, inactive=left_out)


def _notes(written: Counter[str], inactive: dict[str, int]) -> Iterator[Note]:
    if written:
        forms = ", ".join(f"{form} ({count})" for form, count in written.most_common())
        number = sum(written.values())
        yield Note("missing", f"{number} {'choice is' if number == 1 else 'choices are'} missing, written as {forms}.")
    if inactive:
        more = f" and {len(inactive) - 4} more" if len(inactive) > 4 else ""
        listed = ", ".join(map(repr, list(inactive)[:4])) + more
        yield Note(
            "inactive",
            f"{sum(inactive.values())} choices of {len(inactive)} blocks ({listed}) had no effect, since a choice "
            "around them took another candidate; they are left out.",
        )
