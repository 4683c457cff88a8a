"""Ratings: a table of labels, a row per run and a column per block, and the counts every statistic is made of.

Labels may be of any hashable type; :mod:`~nas_ctx.analysis.stats.labels` says which of them are the same choice and
which say that a rating is missing. Only Krippendorff's alpha takes missing ratings.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_ctx.analysis.stats.labels import key_of, plain
from nas_ctx.errors import InputError

Label = Hashable
Ratings = Sequence[Sequence[Label]] | npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_WIDEST_SPAN = 1 << 16  # integer labels that span less than this are counted instead of sorted


@dataclass(frozen=True)
class Candidates:
    """What each block could choose from: (n_blocks,) each.

    ``sets`` numbers the blocks' candidate sets, equal numbers being equal sets; ``counts`` is how many candidates a
    block has.
    """

    sets: Integers
    counts: Integers

    @classmethod
    def of(cls, candidates: Iterable[Iterable[Label]], groups: Iterable[Hashable] | None = None) -> Candidates:
        """From the candidates of each block, in any order; blocks of different ``groups`` are in different sets.

        >>> Candidates.of([["none", "local"], ["local", "none"], [3, 5, 7]]).sets.tolist()
        [0, 0, 1]
        """
        listed = [frozenset(key_of(plain(value)) for value in values) for values in candidates]
        keys = list(zip(listed, [None] * len(listed) if groups is None else groups, strict=True))
        number = {key: index for index, key in enumerate(dict.fromkeys(keys))}
        return cls(
            np.array([number[key] for key in keys], dtype=np.int64),
            np.array([len(values) for values in listed], dtype=np.int64),
        )

    @property
    def alike(self) -> bool:
        """Whether all blocks have the same candidates."""
        return len(np.unique(self.sets)) < 2

    def of_blocks(self, chosen: Integers) -> Candidates:
        """Those of some of the blocks."""
        return Candidates(self.sets[chosen], self.counts[chosen])


@dataclass(frozen=True)
class RatingMatrix:
    """Ratings as numbers: ``codes[r, b]`` is the position in ``labels`` of what run r gave block b, -1 if missing.

    ``codes`` has shape (n_runs, n_blocks); ``labels`` holds each label that occurs, in order of first appearance for
    lists and sorted for NumPy arrays of numbers or strings. ``candidates`` are None where they are not known, and
    ``n_categories`` is then the number of labels that occur.
    """

    codes: Integers
    labels: tuple[Label, ...]
    candidates: Candidates | None = None
    possible: int | None = None  # how many labels there are over all blocks, those that nobody used included

    @property
    def n_categories(self) -> int:
        """How many labels a rating could have had, as far as is known."""
        return self.n_labels if self.possible is None else self.possible

    @property
    def n_runs(self) -> int:
        return self.codes.shape[0]

    @property
    def n_blocks(self) -> int:
        return self.codes.shape[1]

    @property
    def n_labels(self) -> int:
        return len(self.labels)

    @cached_property
    def votes(self) -> Floats:
        """(n_blocks, n_labels): how many runs gave a block each label."""
        return self._counts(np.arange(self.n_blocks)[None, :], self.n_blocks)

    @cached_property
    def usage(self) -> Floats:
        """(n_runs, n_labels): in how many blocks a run used each label."""
        return self._counts(np.arange(self.n_runs)[:, None], self.n_runs)

    @cached_property
    def distinct(self) -> tuple[RatingMatrix, Integers]:
        """Each row once, in order of first appearance, and how many runs have it: shape (n_distinct,).

        Runs of the same row are the same rater: a sum over pairs of runs is one over pairs of rows.
        """
        _, first, counts = np.unique(self.codes, axis=0, return_index=True, return_counts=True)
        order = np.argsort(first)
        return self.of_runs(first[order]), counts[order]

    def _counts(self, rows: Integers, n_rows: int) -> Floats:
        """(n_rows, n_labels): how often each label occurs among the ratings of a row, ``rows`` telling which it is."""
        places = (rows * self.n_labels + self.codes)[self.codes >= 0]
        return np.bincount(places, minlength=n_rows * self.n_labels).reshape(n_rows, self.n_labels).astype(np.float64)

    def of_blocks(self, chosen: Sequence[int] | Integers) -> RatingMatrix:
        """The same labels on some of the blocks."""
        index = np.asarray(chosen, dtype=np.int64)
        candidates = None if self.candidates is None else self.candidates.of_blocks(index)
        return RatingMatrix(self.codes[:, index], self.labels, candidates, self.possible)

    def of_runs(self, chosen: Sequence[int] | Integers) -> RatingMatrix:
        """The same labels for some of the runs."""
        return replace(self, codes=self.codes[np.asarray(chosen, dtype=np.int64)])


def rating_matrix(
    ratings: Ratings | RatingMatrix,
    *,
    missing: bool = False,
    least_runs: int = 2,
    least_blocks: int = 2,
    candidates: Sequence[Iterable[Label]] | None = None,
) -> RatingMatrix:
    """Check ``ratings`` (n_runs, n_blocks) and number their labels.

    ``ratings`` are a list of lists, a NumPy array (a masked one too), a tensor, or a pandas table with a row per run.
    ``candidates`` are those of each block, where they are known.

    Refused with :class:`~nas_ctx.errors.InputError`: fewer than two runs or two blocks, rows of different length,
    labels that cannot be hashed, a label that is no candidate of its block, and missing ratings unless ``missing``
    allows them.

    >>> rating_matrix([["local", "none"], ["local", "global"]]).codes.tolist()
    [[0, 1], [0, 2]]
    >>> rating_matrix([["local", "none"], ["local"]])
    Traceback (most recent call last):
    nas_ctx.errors.InputError: run 1 has 1 ratings but run 0 has 2: every run must rate every block
    """
    matrix = ratings if isinstance(ratings, RatingMatrix) else _numbered(ratings)
    if candidates is not None:
        matrix = _with_candidates(matrix, candidates)
    if matrix.n_runs < least_runs:
        raise InputError(f"agreement needs at least {least_runs} runs, got {matrix.n_runs}")
    if matrix.n_blocks < least_blocks:
        raise InputError(f"agreement needs at least {least_blocks} blocks, got {matrix.n_blocks}")
    if not missing and (matrix.codes < 0).any():
        run, block = np.argwhere(matrix.codes < 0)[0]
        raise InputError(f"the rating of run {run} for block {block} is missing; only Krippendorff's alpha takes that")
    return matrix


def _numbered(ratings: Any) -> RatingMatrix:
    if isinstance(ratings, np.ma.MaskedArray):
        ratings = _unmasked(ratings)
    elif hasattr(ratings, "__array__") and not isinstance(ratings, np.ndarray):  # a tensor, a pandas table
        ratings = np.asarray(ratings.detach().cpu() if hasattr(ratings, "detach") else ratings)
    if isinstance(ratings, np.ndarray):
        if ratings.ndim != 2:
            raise InputError(f"ratings must have 2 dimensions (n_runs, n_blocks), got {ratings.ndim}")
        if ratings.dtype.kind in "biuf":
            return _of_numbers(ratings)
        if ratings.dtype.kind == "U":
            texts, codes = np.unique(ratings, return_inverse=True)
            few = _of_rows([texts.tolist()])
            return RatingMatrix(few.codes[0][codes.reshape(ratings.shape)], few.labels)
    return _of_rows(ratings)


def _with_candidates(matrix: RatingMatrix, candidates: Sequence[Iterable[Label]]) -> RatingMatrix:
    listed = [list(own) for own in candidates]
    if len(listed) != matrix.n_blocks:
        raise InputError(f"candidates are given for {len(listed)} blocks, but there are {matrix.n_blocks}")
    keys = [key_of(label) for label in matrix.labels]
    every = set()
    for block, own in enumerate(listed):
        known = {key_of(plain(value)) for value in own}
        every |= known
        for code in np.unique(matrix.codes[:, block]).tolist():
            if code >= 0 and keys[code] not in known:
                raise InputError(
                    f"block {block} has the label {matrix.labels[code]!r}, which is none of its candidates"
                )
    return replace(matrix, candidates=Candidates.of(listed), possible=len(every))


def _of_numbers(ratings: npt.NDArray[Any]) -> RatingMatrix:
    if ratings.dtype.kind in "iu" and ratings.size:
        least = ratings.min()
        span = int(ratings.max()) - int(least) + 1
        if span <= _WIDEST_SPAN:
            shifted = (ratings - least).astype(np.int64)
            present = np.flatnonzero(np.bincount(shifted.ravel(), minlength=span))
            code_of = np.zeros(span, dtype=np.int64)
            code_of[present] = np.arange(len(present))
            return RatingMatrix(code_of[shifted], tuple((present + int(least)).tolist()))
    labels, codes = np.unique(ratings, return_inverse=True)  # sorts NaN to the end, as one label
    codes = codes.reshape(ratings.shape).astype(np.int64)
    if ratings.dtype.kind == "f" and len(labels) and np.isnan(labels[-1]):
        codes[codes == len(labels) - 1] = -1
        labels = labels[:-1]
    return RatingMatrix(codes, tuple(labels.tolist()))


def _of_rows(ratings: Any) -> RatingMatrix:
    rows: list[list[Any]] = []
    for number, row in enumerate(_checked(ratings, "ratings must be a table (n_runs, n_blocks)")):
        rows.append(list(_checked(row, f"run {number} must be a sequence of labels")))
        if len(rows[-1]) != len(rows[0]):
            raise InputError(
                f"run {number} has {len(rows[-1])} ratings but run 0 has {len(rows[0])}: "
                "every run must rate every block"
            )
    code_of: dict[Label, int] = {}
    labels: list[Label] = []
    of_text: dict[str, int] = {}  # texts repeat, and cleaning one takes longer than finding it
    codes = np.empty((len(rows), len(rows[0]) if rows else 0), dtype=np.int64)
    for r, row in enumerate(rows):
        for b, given in enumerate(row):
            if isinstance(given, str) and given in of_text:
                codes[r, b] = of_text[given]
                continue
            label = plain(given, f"the label of run {r} for block {b}")
            if label is None:
                codes[r, b] = -1
                continue
            codes[r, b] = code_of.setdefault(key_of(label), len(code_of))
            if len(labels) < len(code_of):
                labels.append(label)
            if isinstance(given, str):
                of_text[given] = codes[r, b]
    return RatingMatrix(codes, tuple(labels))


def _checked(values: Any, told: str) -> Iterable[Any]:
    """What can be gone through in a fixed order: no text, no set, and no mapping, whose keys would be taken."""
    if isinstance(values, str | bytes | Mapping | AbstractSet) or not isinstance(values, Iterable):
        raise InputError(f"{told}, got {type(values).__name__}" + (f" {values!r}" if isinstance(values, str) else ""))
    return _unmasked(values) if isinstance(values, np.ma.MaskedArray) else values


def _unmasked(values: np.ma.MaskedArray[Any, Any]) -> npt.NDArray[Any]:
    plain_values = np.ma.getdata(values).astype(object)
    plain_values[np.ma.getmaskarray(values)] = None
    return plain_values
