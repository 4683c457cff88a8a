"""Does a run that agrees with the others also score better? A rank correlation with a permutation p value."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.ratings import Floats, RatingMatrix, Ratings, rating_matrix

_MOST_COMPARED = 300  # values of which each two are compared
_MOST_WORK = 10**7  # values that are permuted; fewer orders of more values are drawn
_LEAST_ORDERS = 200


@dataclass(frozen=True)
class RankCorrelation:
    """Kendall's tau-b, its two-sided permutation p value, and whether all orders were counted for it.

    ``arrangements`` is how many orders were looked at.
    """

    tau: float
    p: float
    exact: bool
    arrangements: int = 0


def agreement_with_others(ratings: Ratings | RatingMatrix) -> Floats:
    """(n_runs,): the mean share of blocks in which a run agrees with each other run.

    The other runs only: agreement with a vote that a run took part in would flatter it.

    >>> agreement_with_others([["a", "b"], ["a", "b"], ["a", "c"]]).tolist()
    [0.75, 0.75, 0.5]
    """
    blocks = rating_matrix(ratings, least_blocks=1)
    same = (blocks.votes[np.arange(blocks.n_blocks), blocks.codes] - 1).sum(axis=1)
    return same / (blocks.n_blocks * (blocks.n_runs - 1))


def rank_correlation(
    x: Sequence[float] | Floats, y: Sequence[float] | Floats, *, draws: int = 2000, seed: int = 0
) -> RankCorrelation:
    """Kendall's tau-b of ``x`` and ``y``, tested by permuting y: all orders up to seven values, else ``draws`` of them.

    Of more than 5 000 values fewer orders are drawn, of 20 000 values 500. tau is nan when one side is constant.
    Kendall, Biometrika 33 (1945) 239.

    >>> rank_correlation([1, 2, 3, 4], [1, 2, 4, 3]).tau.__round__(3)
    0.667
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(a) > _MOST_COMPARED:
        return _of_many(a, b, draws, seed)
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
    p = hits / len(orders) if exact else (1 + hits) / (1 + draws)
    return RankCorrelation(observed / norm, p, exact, len(orders))


def _of_many(a: Floats, b: Floats, draws: int, seed: int) -> RankCorrelation:
    """The same in n log n steps an order, where comparing each two of the values would take n^2."""
    from scipy.stats import kendalltau  # takes long to import

    tau = float(kendalltau(a, b).statistic)
    if math.isnan(tau):
        return RankCorrelation(tau, math.nan, False)
    rng, draws = np.random.default_rng(seed), min(draws, max(_LEAST_ORDERS, _MOST_WORK // len(a)))
    hits = sum(abs(kendalltau(a, rng.permutation(b)).statistic) >= abs(tau) - 1e-12 for _ in range(draws))
    return RankCorrelation(tau, float(1 + hits) / (1 + draws), False, draws)
