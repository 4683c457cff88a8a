"""Ratings: a table of labels, a row per run and a column per block, and the counts every statistic is made of.

Labels may be of any hashable type, and only equal labels of the same kind are the same choice: ``True`` is not ``1``
and ``"1"`` is not ``1``. ``None`` and a float NaN are missing ratings, which only Krippendorff's alpha takes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_ctx.errors import InputError

Label = Hashable
Ratings = Sequence[Sequence[Label]] | npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_WIDEST_SPAN = 1 << 16  # integer labels that span less than this are counted instead of sorted


@dataclass(frozen=True)
class RatingMatrix:
    """Ratings as numbers: ``codes[r, b]`` is the position in ``labels`` of what run r gave block b, -1 if missing.

    ``codes`` has shape (n_runs, n_blocks); ``labels`` holds each label that occurs, in order of first appearance for
    lists and sorted for NumPy arrays of numbers or strings.
    """

    codes: Integers
    labels: tuple[Label, ...]

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
        votes = np.empty((self.n_blocks, self.n_labels))
        for code in range(self.n_labels):
            votes[:, code] = (self.codes == code).sum(axis=0)
        return votes

    @cached_property
    def usage(self) -> Floats:
        """(n_runs, n_labels): in how many blocks a run used each label."""
        usage = np.empty((self.n_runs, self.n_labels))
        for code in range(self.n_labels):
            usage[:, code] = (self.codes == code).sum(axis=1)
        return usage

    @cached_property
    def one_hot(self) -> Floats:
        """(n_runs, n_blocks, n_labels): 1 where a run gave a block that label."""
        return (self.codes[:, :, None] == np.arange(self.n_labels)).astype(np.float64)

    def of_blocks(self, chosen: Sequence[int] | Integers) -> RatingMatrix:
        """The same labels on some of the blocks."""
        return RatingMatrix(self.codes[:, np.asarray(chosen, dtype=np.int64)], self.labels)

    def of_runs(self, chosen: Sequence[int] | Integers) -> RatingMatrix:
        """The same labels for some of the runs."""
        return RatingMatrix(self.codes[np.asarray(chosen, dtype=np.int64)], self.labels)


def rating_matrix(
    ratings: Ratings | RatingMatrix, *, missing: bool = False, least_runs: int = 2, least_blocks: int = 2
) -> RatingMatrix:
    """Check ``ratings`` (n_runs, n_blocks) and number their labels.

    Refused with :class:`~nas_ctx.errors.InputError`: fewer than two runs or two blocks, rows of different length,
    labels that cannot be hashed, and missing ratings unless ``missing`` allows them.

    >>> rating_matrix([["local", "none"], ["local", "global"]]).codes.tolist()
    [[0, 1], [0, 2]]
    >>> rating_matrix([["local", "none"], ["local"]])
    Traceback (most recent call last):
    nas_ctx.errors.InputError: run 1 has 1 ratings but run 0 has 2: every run must rate every block
    """
    if isinstance(ratings, RatingMatrix):
        made = ratings
    elif isinstance(ratings, np.ndarray) and ratings.dtype != object:
        made = _of_array(ratings)
    else:
        made = _of_rows(ratings)
    if made.n_runs < least_runs:
        raise InputError(f"agreement needs at least {least_runs} runs, got {made.n_runs}")
    if made.n_blocks < least_blocks:
        raise InputError(f"agreement needs at least {least_blocks} blocks, got {made.n_blocks}")
    if not missing and (made.codes < 0).any():
        run, block = np.argwhere(made.codes < 0)[0]
        raise InputError(f"the rating of run {run} for block {block} is missing; only Krippendorff's alpha takes that")
    return made


def _of_array(ratings: npt.NDArray[Any]) -> RatingMatrix:
    if ratings.ndim != 2:
        raise InputError(f"ratings must have 2 dimensions (n_runs, n_blocks), got {ratings.ndim}")
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


def _of_rows(ratings: Iterable[Any]) -> RatingMatrix:
    if isinstance(ratings, str | bytes) or not isinstance(ratings, Iterable):
        raise InputError(f"ratings must be a table (n_runs, n_blocks), got {type(ratings).__name__}")
    rows: list[list[Any]] = []
    for number, row in enumerate(ratings):
        if isinstance(row, str | bytes) or not isinstance(row, Iterable):
            raise InputError(f"run {number} must be a sequence of labels, got {type(row).__name__} {row!r}")
        rows.append(list(row))
        if len(rows[-1]) != len(rows[0]):
            raise InputError(
                f"run {number} has {len(rows[-1])} ratings but run 0 has {len(rows[0])}: "
                "every run must rate every block"
            )
    code_of: dict[tuple[bool, Label], int] = {}
    codes = np.empty((len(rows), len(rows[0]) if rows else 0), dtype=np.int64)
    for r, row in enumerate(rows):
        for b, label in enumerate(row):
            if isinstance(label, np.generic):
                label = label.item()
            if label is None or (isinstance(label, float) and label != label):
                codes[r, b] = -1
                continue
            try:
                codes[r, b] = code_of.setdefault((isinstance(label, bool), label), len(code_of))
            except TypeError:
                kind = type(label).__name__
                raise InputError(f"the label of run {r} for block {b} cannot be hashed: {kind} {label!r}") from None
    return RatingMatrix(codes, tuple(label for _, label in code_of))
