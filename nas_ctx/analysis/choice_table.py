"""From the choices of runs to ratings, and from labels to the words that readers see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.analysis.stats.ratings import Label, RatingMatrix, rating_matrix
from nas_ctx.errors import InputError, suggestion
from nas_ctx.genotype import CONTEXT_NAMES, Choice


class _Null:
    """The choice that JSON writes as null; a rating of None would be a missing one."""

    def __repr__(self) -> str:
        return "null"


NULL = _Null()


@dataclass(frozen=True)
class ChoiceTable:
    """The ratings of runs on the ``blocks`` that all of them have, and on ``all_blocks`` with gaps.

    ``texts`` are the words for the labels, in the order in which they are shown, which is also the order of
    ``common.labels`` and ``whole.labels``.
    """

    blocks: tuple[str, ...]
    all_blocks: tuple[str, ...]
    common: RatingMatrix
    whole: RatingMatrix
    texts: tuple[str, ...]
    notes: tuple[Note, ...]

    def choice(self, label: Label) -> Choice:
        """The choice that stands behind a label, as a genotype holds it."""
        return None if label is NULL else label  # type: ignore[return-value]

    def text(self, label: Label) -> str:
        return self.texts[self.common.labels.index(label)]


def table_of(runs: Sequence[Run], order: Sequence[str] | None = None) -> ChoiceTable:
    """Ratings of ``runs`` on their common blocks; ``order`` names the choices to be shown first, in that order.

    Blocks that not all runs have are named in the notes. No common block raises
    :class:`~nas_ctx.errors.InputError`.
    """
    all_blocks = tuple(dict.fromkeys(label for run in runs for label in run.genotype))
    lacking = {block: [run.name for run in runs if block not in run.genotype] for block in all_blocks}
    blocks = tuple(block for block, names in lacking.items() if not names)
    if not blocks:
        few = runs[0]
        other = min(runs[1:], key=lambda run: len(set(run.genotype) & set(few.genotype)))
        raise InputError(
            f"the {len(runs)} runs have no block in common: {few.name} has {_some(few.genotype)}, "
            f"{other.name} has {_some(other.genotype)}"
        )
    rows = [[_label(run.genotype.get(block), block in run.genotype) for block in all_blocks] for run in runs]
    numbered = rating_matrix(rows, missing=True, least_runs=1, least_blocks=1)
    texts = _texts(numbered.labels)
    ranks = _ranks(texts, numbered.labels, order)
    moved = sorted(range(len(texts)), key=ranks.__getitem__)
    renumbered = np.array([*np.argsort(moved), -1], dtype=np.int64)  # the -1 of a missing rating finds the last
    whole = RatingMatrix(renumbered[numbered.codes], tuple(numbered.labels[old] for old in moved))
    index = {block: i for i, block in enumerate(all_blocks)}
    return ChoiceTable(
        blocks=blocks,
        all_blocks=all_blocks,
        common=whole.of_blocks([index[block] for block in blocks]),
        whole=whole,
        texts=tuple(texts[old] for old in moved),
        notes=tuple(
            Note(
                "block missing",
                f"Block {block!r} is missing in {_some(names)}; only Krippendorff's alpha over all blocks uses it.",
            )
            for block, names in lacking.items()
            if names
        ),
    )


def _label(choice: Choice, present: bool) -> Label:
    return (NULL if choice is None else choice) if present else None


def _texts(labels: Sequence[Label]) -> list[str]:
    """A word for each label, its plain text where that is unambiguous, else as JSON writes it."""
    plain = [label if isinstance(label, str) else _json(label) for label in labels]
    return [_json(label) if plain.count(text) > 1 else text for label, text in zip(labels, plain, strict=True)]


def _json(label: Label) -> str:
    return "null" if label is NULL else json.dumps(label, ensure_ascii=False)


def _ranks(texts: Sequence[str], labels: Sequence[Label], order: Sequence[str] | None) -> list[tuple[object, ...]]:
    """Sort keys: the user's order, then the contexts in theirs, then numbers by size, then words, digits by value."""
    named = list(order or [])
    for name in named:
        if named.count(name) > 1:
            raise InputError(f"the order of choices names {name!r} twice")
        if name not in texts:
            raise InputError(
                f"the order of choices names {name!r}, but no choice is called so; known: {_some(texts)}"
                f"{suggestion(name, texts)}"
            )
    keys: list[tuple[object, ...]] = []
    for text, label in zip(texts, labels, strict=True):
        if text in named:
            keys.append((0, named.index(text)))
        elif label in CONTEXT_NAMES:
            keys.append((1, CONTEXT_NAMES.index(label)))
        elif isinstance(label, int | float) and not isinstance(label, bool):
            keys.append((2, float(label)))
        else:
            keys.append((3, natural(text)))
    return keys


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key that counts digits: "conv9" before "conv10"."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)]


def _some(names: Iterable[str], most: int = 4) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
