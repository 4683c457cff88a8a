"""Does a run that agrees with the others also score better? A rank correlation with a permutation p value."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.ratings import Floats, RatingMatrix, Ratings, rating_matrix


@dataclass(frozen=True)
class RankCorrelation:
    """Kendall's tau-b, its two-sided permutation p value, and whether all orders were counted for it."""

    tau: float
    p: float
    exact: bool


def agreement_with_others(ratings: Ratings | RatingMatrix) -> Floats:
    """(n_runs,): the mean share of blocks in which a run agrees with each other run.

    The other runs only: agreement with a vote that a run took part in would flatter it.

    >>> agreement_with_others([["a", "b"], ["a", "b"], ["a", "c"]]).tolist()
    [0.75, 0.75, 0.5]
    """
    blocks = rating_matrix(ratings, least_blocks=1)
    same = np.zeros(blocks.n_runs)
    for code in range(blocks.n_labels):
        chosen = blocks.codes == code
        same += (chosen * (blocks.votes[:, code] - 1)).sum(axis=1)
    return same / (blocks.n_blocks * (blocks.n_runs - 1))


def rank_correlation(
    x: Sequence[float] | Floats, y: Sequence[float] | Floats, *, draws: int = 2000, seed: int = 0
) -> RankCorrelation:
    """Kendall's tau-b of ``x`` and ``y``, tested by permuting y: all orders up to seven values, else ``draws`` of them.

    tau is nan when one side is constant. Kendall, Biometrika 33 (1945) 239.

    >>> rank_correlation([1, 2, 3, 4], [1, 2, 4, 3]).tau.__round__(3)
    0.667
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    first, second = np.triu_indices(len(a), k=1)
    order_a, order_b = np.sign(a[first] - a[second]), np.sign(b[first] - b[second])
    norm = math.sqrt((order_a**2).sum() * (order_b**2).sum())
    if norm == 0:
        return RankCorrelation(math.nan, math.nan, False)
    exact = len(a) <= 7
    if exact:
        orders = np.array(list(itertools.permutations(range(len(a)))))
    else:
        orders = np.random.default_rng(seed).permuted(np.tile(np.arange(len(a)), (draws, 1)), axis=1)
    moved = b[orders]
    scores = np.zeros(len(orders))
    for i, j, sign in zip(first, second, order_a, strict=True):
        scores += sign * np.sign(moved[:, i] - moved[:, j])
    observed = float((order_a * order_b).sum())
    hits = int((np.abs(scores) >= abs(observed) - 1e-9).sum())
    return RankCorrelation(observed / norm, hits / len(orders) if exact else (1 + hits) / (1 + draws), exact)
