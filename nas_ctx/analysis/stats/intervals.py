"""How sure a statistic is: the jackknife over blocks, with Student's t, corrected for skewness.

Leaving out each block in turn takes that block's share from each sum, so all of them cost as much as one. Blocks vary,
not runs: an interval says how the statistic would vary over blocks like these, with these runs. Blocks of other
candidates agree by other amounts, and there are as many of them as the space has: blocks vary within candidate sets.

A grid has few blocks, and bootstrap intervals over few blocks are too narrow: of runs that ignore the blocks, the BCa
interval of Light's kappa contained 0 in 76 of 100 tables of 4 blocks and in 90 of 16; docs/statistics.md has the table.

Sources: Tukey, Ann. Math. Stat. 29 (1958) 614 (jackknife with t); Hall, J. R. Stat. Soc. B 54 (1992) 221 (skewness);
Satterthwaite, Biometrics Bull. 2 (1946) 110 (degrees of freedom of a sum over sets).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.deprecated import warn_renamed
from nas_ctx.analysis.stats.candidate_sets import members_of_sets
from nas_ctx.analysis.stats.catalogue import PERCENTAGE, Statistic
from nas_ctx.analysis.stats.ratings import Floats, Integers, RatingMatrix, Ratings, rating_matrix
from nas_ctx.analysis.stats.weights import LeaveOneOut, once
from nas_ctx.errors import InputError

LEAST_IN_SET = 4
"""Blocks of a candidate set below which it says too little about how its blocks vary, and about chance within it."""
WeightedStatistic = Callable[[RatingMatrix, Floats], Floats]
"""(matrix, weights (n_draws, n_blocks)) -> values (n_draws,)."""


@dataclass(frozen=True)
class Interval:
    """An interval of confidence ``level``, from ``low`` to ``high``; of a ``one_sided`` one ``low`` is the bound."""

    level: float
    low: float
    high: float
    one_sided: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high

    def contains(self, value: float) -> bool:
        """Whether ``value`` lies within, ends included."""
        return self.low <= value <= self.high

    @property
    def best(self) -> tuple[float, float]:
        """The former name of :attr:`ends`."""
        warn_renamed("Interval.best", "Interval.ends")
        return self.ends

    @property
    def jackknife(self) -> tuple[float, float]:
        """The former name of :attr:`ends`."""
        warn_renamed("Interval.jackknife", "Interval.ends")
        return self.ends


def jackknife_interval(
    estimate: float,
    leave_one_out: Floats,
    level: float = 0.95,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    inflation: float = 1.0,
    strata: Sequence[Integers] | None = None,
) -> Interval | None:
    """The ``estimate`` and its jackknife standard error times the quantiles of Student's t, within ``bounds``.

    ``leave_one_out`` (n_blocks,) holds the statistic without each block, ``bounds`` the least and the largest value
    that it can take; the variance is multiplied by ``inflation``. Blocks vary within each of the ``strata``, of at
    least two blocks each; all are one by default. The quantiles are moved by how skewly the blocks act on the estimate
    (Hall's cubic transformation); of a mean over blocks without skewness this is Student's interval.

    None when how the statistic varies over blocks cannot be told: when it or a leave-one-out statistic is undefined
    (nan), since a statistic that is 0/0 without one of the blocks depends on that block alone; and when all
    leave-one-out statistics are equal.

    >>> import numpy as np
    >>> [round(end, 3) for end in jackknife_interval(0.5, np.array([0.4, 0.5, 0.6]), level=0.5).ends]
    [0.406, 0.594]
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level!r}")
    if math.isnan(estimate) or np.isnan(leave_one_out).any():
        return None
    n = len(leave_one_out)
    parts = [leave_one_out] if strata is None else [leave_one_out[members] for members in strata]
    pulls = [part.mean() - part for part in parts]  # of each block on the estimate
    if max(float(np.abs(pull).max()) for pull in pulls) < 1e-12:
        return None
    shares = [len(pull) / (len(pull) - 1) * ((n - 1) / n) ** 2 * float((pull**2).sum()) for pull in pulls]
    variance = sum(shares)
    freedom = variance**2 / sum(share**2 / (len(pull) - 1) for share, pull in zip(shares, pulls, strict=True))
    from scipy.special import stdtrit  # a third of the time that importing this package would take

    quantile = float(stdtrit(freedom, (1 + level) / 2))
    every = np.concatenate(pulls)
    skewness = float((every**3).sum() / (every**2).sum() ** 1.5)
    error = math.sqrt(inflation * variance)
    low, high = (estimate - error * _without_skewness(end, skewness) for end in (quantile, -quantile))
    return Interval(level, max(low, bounds[0]), min(high, bounds[1]))


def _without_skewness(quantile: float, skewness: float) -> float:
    """The t with t + a t^2 / 3 + a^2 t^3 / 27 + a / 6 = ``quantile``, where a is the ``skewness`` of the estimate."""
    if abs(skewness) < 1e-9:
        return quantile
    return 3 / skewness * (float(np.cbrt(1 + skewness * (quantile - skewness / 6))) - 1)


def block_interval(
    ratings: Ratings | RatingMatrix,
    statistic: Statistic | WeightedStatistic,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval | None:
    """The jackknife interval over the blocks of ``ratings`` (n_runs, n_blocks) of a statistic, or None.

    Of percentage agreement where all m blocks are unanimous it is the one-sided bound (1 - level)^(1/m): were more than
    1 - (1 - level)^(1/m) of the blocks not unanimous, m unanimous ones would be less probable than 1 - level.

    ``statistic`` is one of :data:`~nas_ctx.analysis.STATISTICS` or a function ``statistic(matrix, weights)`` that gives
    one value per row of ``weights`` (n_draws, n_blocks). ``bounds`` are by default those of the statistic, -1 to 1 of
    a function.

    >>> from nas_ctx.analysis import FLEISS
    >>> ratings = [["a", "a", "b", "b", "a", "c"], ["a", "b", "b", "b", "a", "c"]]
    >>> block_interval(ratings, FLEISS).contains(0.714)
    True
    """
    blocks = rating_matrix(ratings)
    values = statistic.values if isinstance(statistic, Statistic) else statistic
    if bounds is None:
        bounds = statistic.bounds if isinstance(statistic, Statistic) else (-1.0, 1.0)
    estimate = float(values(blocks, once(blocks))[0])
    if statistic is PERCENTAGE and estimate == 1 and 0 < level < 1:
        return Interval(level, float((1 - level) ** (1 / blocks.n_blocks)), 1.0, one_sided=True)
    each = LeaveOneOut.of(blocks.n_blocks)
    left_out = statistic.values(blocks, each) if isinstance(statistic, Statistic) else statistic(blocks, each.matrix())
    sets = members_of_sets(blocks)
    strata = sets if min(map(len, sets)) >= LEAST_IN_SET else None
    inflation = _inflation(statistic, blocks.n_blocks, sets)
    return jackknife_interval(estimate, left_out, level, bounds, inflation, strata)


def _inflation(statistic: Statistic | WeightedStatistic, n_blocks: int, sets: Sequence[Integers]) -> float:
    """For the chance levels that are estimated from the blocks too, one per candidate set: m / (m - sets).

    As for the residuals of a regression. Without it the intervals within candidate sets are too narrow, see
    docs/statistics.md.
    """
    within = isinstance(statistic, Statistic) and statistic.chance == "within"
    return n_blocks / max(n_blocks - len(sets), 1) if within else 1.0
