"""From the choices of runs to ratings, and from labels to the words that readers see."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nas_ctx.analysis.candidates import Given, KnownCandidates, candidates_of
from nas_ctx.analysis.io.limits import MAX_DIFFERENT, MAX_LABELS
from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.analysis.stats.labels import NULL, key_of, label_of, word_of
from nas_ctx.analysis.stats.ratings import Candidates, Label, RatingMatrix, rating_matrix
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.errors import InputError, suggestion
from nas_ctx.genotype import Choice


@dataclass(frozen=True)
class ChoiceTable:
    """The ratings of runs on the ``blocks`` that all of them have, and on ``all_blocks`` with gaps.

    ``texts`` are the words for the labels, in the order in which they are shown, which is also the order of
    ``common.labels`` and ``whole.labels``. In ``categories``, on the common blocks, a value of blocks with other
    candidates is another label: figures whose chance level pools labels over the blocks are made of it.
    ``all_categories`` is the same on all blocks.
    """

    blocks: tuple[str, ...]
    all_blocks: tuple[str, ...]
    common: RatingMatrix
    whole: RatingMatrix
    texts: tuple[str, ...]
    notes: tuple[Note, ...]
    candidates: KnownCandidates
    all_categories: RatingMatrix

    @cached_property
    def categories(self) -> RatingMatrix:
        position = {block: i for i, block in enumerate(self.all_blocks)}
        return self.all_categories.of_blocks([position[block] for block in self.blocks])

    @property
    def counts(self) -> tuple[int, ...] | None:
        """How many candidates each of the ``blocks`` has; None where that is not known."""
        known = self.categories.candidates
        return None if known is None else tuple(known.counts.tolist())

    @property
    def one_family(self) -> bool:
        """Whether a value is the same choice in all blocks, so that pooling over them makes sense."""
        known = self.candidates
        return len({known.family(block) for block in self.blocks}) < 2 if known.by_block else True

    @cached_property
    def unchosen(self) -> tuple[str, ...]:
        """The words for candidates of the ``blocks`` that no run chose, as far as the candidates are known."""
        offered = {key_of(label): label for block in self.blocks for label in self.candidates.by_block.get(block, ())}
        chosen = set(map(key_of, self.common.labels))
        return tuple(_texts([label for key, label in offered.items() if key not in chosen]))

    @property
    def sizes(self) -> tuple[int, int]:
        """How many choices were made, and how many were offered, if known: a value of unlike blocks is several."""
        if self.one_family:
            return len(self.texts), len(self.texts) + len(self.unchosen)
        sets = [frozenset(map(key_of, self.candidates.by_block[block])) for block in self.blocks]
        made = {
            (own, key_of(self.common.labels[c]))
            for own, col in zip(sets, self.common.codes.T, strict=True)
            for c in col
        }
        return len(made), sum(map(len, set(sets)))

    def choice(self, label: Label) -> Choice:
        """The choice that stands behind a label, as a genotype holds it."""
        return None if label is NULL else label  # type: ignore[return-value]

    def text(self, label: Label) -> str:
        return self.texts[self.common.labels.index(label)]

    def of_runs(self, chosen: Sequence[int]) -> ChoiceTable:
        """The common blocks of some of the runs, without the choices that none of these made."""
        codes = self.common.codes[np.asarray(chosen)]
        used = np.unique(codes)
        renumbered = np.searchsorted(used, codes)
        labels = tuple(self.common.labels[code] for code in used.tolist())
        common = replace(self.common, codes=renumbered, labels=labels)
        return ChoiceTable(
            self.blocks, self.blocks, common, common, tuple(self.texts[code] for code in used.tolist()), (),
            self.candidates, self.categories.of_runs(chosen) if self.candidates.by_block else common,
        )  # fmt: skip


def table_of(runs: Sequence[Run], order: Sequence[str] | None = None, candidates: Given | None = None) -> ChoiceTable:
    """Ratings of ``runs`` on their common blocks; ``order`` names the choices to be shown first, in that order.

    ``candidates`` are those of the blocks, by default as the runs recorded them. Blocks that not all runs have are
    named in the notes. No common block raises :class:`~nas_ctx.errors.InputError`.
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
    known = candidates_of(runs, all_blocks, candidates)
    rows = [[_label(run.genotype[b]) if b in run.genotype else None for b in all_blocks] for run in runs]
    matrix = rating_matrix(rows, missing=True, least_runs=1, least_blocks=1)
    if matrix.n_labels > MAX_LABELS:
        raise InputError(f"{matrix.n_labels} different choices, of which at most {MAX_LABELS} are compared")
    different = matrix.distinct[0].n_runs
    if different > MAX_DIFFERENT:
        raise InputError(f"{different} runs of different choices, of which at most {MAX_DIFFERENT} are compared")
    texts = _texts(matrix.labels)
    possible = {key_of(label): label for labels in known.by_block.values() for label in labels}
    ranks = _ranks(texts, matrix.labels, order, _texts(list(possible.values())))
    moved = sorted(range(len(texts)), key=ranks.__getitem__)
    renumbered = np.array([*np.argsort(moved), -1], dtype=np.int64)  # the -1 of a missing rating finds the last
    whole = RatingMatrix(renumbered[matrix.codes], tuple(matrix.labels[old] for old in moved))
    if known.by_block:
        listed, groups = [known.by_block[block] for block in all_blocks], map(known.group, all_blocks)
        whole = replace(whole, candidates=Candidates.of(listed, groups))
    return ChoiceTable(
        blocks=blocks,
        all_blocks=all_blocks,
        common=whole.of_blocks([i for i, block in enumerate(all_blocks) if not lacking[block]]),
        whole=whole,
        texts=tuple(texts[old] for old in moved),
        notes=tuple(_gaps(lacking, len(runs))),
        candidates=known,
        all_categories=_categories(whole, all_blocks, known),
    )


def _label(choice: Choice) -> Label:
    """As :func:`label_of`; the matrix itself cleans text."""
    return choice if isinstance(choice, str) else label_of(choice)


def _categories(whole: RatingMatrix, blocks: Sequence[str], known: KnownCandidates) -> RatingMatrix:
    """``whole`` with a label of its own for each pair of (family of candidates, value)."""
    if not known.by_block:
        return whole
    families = [known.family(block) for block in blocks]
    number = {family: i for i, family in enumerate(dict.fromkeys(families))}
    of_block = np.array([number[family] for family in families])
    pairs = of_block * whole.n_labels + whole.codes
    used = np.unique(pairs[whole.codes >= 0])
    codes = np.where(whole.codes < 0, -1, np.searchsorted(used, pairs))
    labels = tuple((pair // whole.n_labels, whole.labels[pair % whole.n_labels]) for pair in used.tolist())
    return RatingMatrix(codes, labels, whole.candidates, sum(map(len, number)))


def _gaps(lacking: Mapping[str, Sequence[str]], n_runs: int) -> Iterator[Note]:
    """One note on all blocks that some runs lack."""
    gaps = {block: names for block, names in lacking.items() if names}
    if len(gaps) == 1:
        ((block, names),) = gaps.items()
        text = f"Block {block!r} is missing in {_some(names)}"
    else:
        runs = list(dict.fromkeys(name for names in gaps.values() for name in names))
        text = f"{len(gaps)} blocks ({_some(map(repr, gaps))}) are missing in some of the {n_runs} runs ({_some(runs)})"
    if gaps:
        yield Note("block missing", f"{text}; only Krippendorff's alpha over all blocks uses what is there.")


def _texts(labels: Sequence[Label]) -> list[str]:
    """A word for each label, its plain text where that is unambiguous, else as JSON writes it."""
    plain = ["null" if label is NULL else word_of(label) for label in labels]
    counts = Counter(plain)
    return [_json(label) if counts[text] > 1 else text for label, text in zip(labels, plain, strict=True)]


def _json(label: Label) -> str:
    return "null" if label is NULL else json.dumps(label, ensure_ascii=False)


def _ranks(
    texts: Sequence[str], labels: Sequence[Label], order: Sequence[str] | None, possible: Sequence[str]
) -> list[tuple[object, ...]]:
    """Sort keys: the user's order, then the contexts in theirs, then numbers by size, then words, digits by value.

    The order may also name what is ``possible`` and was never chosen.
    """
    named = list(order or [])
    for name in named:
        if named.count(name) > 1:
            raise InputError(f"the order of choices names {name!r} twice")
        if name not in texts and name not in possible:
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
