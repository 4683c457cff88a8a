"""How sure a statistic is: intervals over blocks, and a permutation test against chance.

A bootstrap resample is a row of whole-number weights over the blocks, so one matrix product serves all draws, and the
jackknife is the weights that leave each block out. Blocks vary, not runs: an interval says how the statistic would
vary over blocks like these, with these runs.

A grid has few blocks, and bootstrap intervals over few blocks are too narrow: of runs that ignore the blocks, the BCa
interval of Light's kappa contained 0 in 76 of 100 tables of 4 blocks and in 90 of 16. Shown is therefore the
jackknife's, with Student's t; `docs/statistics.md` has the figures.

Sources: Tukey, Ann. Math. Stat. 29 (1958) 614 (jackknife with t); Efron, J. Am. Stat. Assoc. 82 (1987) 171 (BCa);
Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39 (a Monte-Carlo p value counts the observed arrangement too).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from nas_ctx.analysis.stats.agreement import percentage_parts
from nas_ctx.analysis.stats.ratings import Floats, Ratings, Tally, tally
from nas_ctx.errors import InputError

Statistic = Callable[[Tally, Floats], Floats]
_LABELS_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class Interval:
    """Intervals of one statistic, each (low, high).

    ``jackknife`` is the one to show, ``best``; ``percentile`` and ``bca`` are those of the bootstrap, ``bca`` None
    where it does not exist. ``undefined`` counts the draws in which the statistic was 0/0; they are left out.
    """

    level: float
    draws: int
    undefined: int
    jackknife: tuple[float, float]
    percentile: tuple[float, float]
    bca: tuple[float, float] | None

    @property
    def best(self) -> tuple[float, float]:
        """The one to show."""
        return self.jackknife


def resampling_weights(n_blocks: int, draws: int, seed: int) -> Floats:
    """(draws, n_blocks): how often each block is in each bootstrap resample; rows sum to ``n_blocks``."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=draws).astype(np.float64)


def leave_one_out_weights(n_blocks: int) -> Floats:
    """(n_blocks, n_blocks): each row leaves one block out."""
    return np.ones((n_blocks, n_blocks)) - np.eye(n_blocks)


def interval(
    estimate: float,
    draws: Floats,
    leave_one_out: Floats,
    level: float = 0.95,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval | None:
    """Intervals of ``estimate`` from bootstrap ``draws`` and the ``leave_one_out`` statistics.

    ``bounds`` are the least and the largest value that the statistic can take. Undefined (nan) draws are left out and
    counted. None when the estimate, all draws or a leave-one-out statistic are undefined: a statistic that is 0/0
    without one of the blocks hangs on that block, and how it varies over blocks cannot be told. BCa does not exist when
    the estimate lies outside all draws.

    >>> import numpy as np
    >>> found = interval(0.5, np.linspace(0, 1, 5), np.array([0.4, 0.5, 0.6]), level=0.5)
    >>> found.percentile, [round(end, 3) for end in found.jackknife]
    ((0.25, 0.75), [0.406, 0.594])
    """
    _check_level(level)
    defined = draws[~np.isnan(draws)]
    if math.isnan(estimate) or not len(defined) or np.isnan(leave_one_out).any():
        return None
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(defined, tails)
    return Interval(
        level,
        len(draws),
        len(draws) - len(defined),
        _jackknife(estimate, leave_one_out, level, bounds),
        (float(low), float(high)),
        _bca(estimate, defined, leave_one_out, tails),
    )


def _jackknife(
    estimate: float, leave_one_out: Floats, level: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """The estimate and its jackknife standard error times the quantile of Student's t, within ``bounds``.

    Of a mean over blocks this is Student's interval.
    """
    n = len(leave_one_out)
    error = math.sqrt((n - 1) / n * float(((leave_one_out - leave_one_out.mean()) ** 2).sum()))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * error
    return max(estimate - half, bounds[0]), min(estimate + half, bounds[1])


def _bca(estimate: float, draws: Floats, leave_one_out: Floats, tails: Floats) -> tuple[float, float] | None:
    if np.ptp(draws) == 0:
        return (float(draws[0]), float(draws[0])) if draws[0] == estimate else None
    below = ((draws < estimate).mean() + (draws <= estimate).mean()) / 2  # ties count half
    if below in (0.0, 1.0):
        return None
    bias = ndtri(below)
    deviations = leave_one_out.mean() - leave_one_out
    spread = (deviations**2).sum() ** 1.5
    acceleration = (deviations**3).sum() / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri(tails)
    adjusted = ndtr(bias + shifted / (1 - acceleration * shifted))
    low, high = np.quantile(draws, adjusted)
    return float(low), float(high)


def bootstrap_interval(
    ratings: Ratings | Tally,
    statistic: Statistic,
    *,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    bounds: tuple[float, float] = (-1.0, 1.0),
) -> Interval | None:
    """Intervals over the blocks of ``ratings`` (n_runs, n_blocks) of a statistic that lies within ``bounds``; seeded.

    ``statistic(tally, weights)`` gives one value per row of ``weights`` (n_draws, n_blocks).

    >>> from nas_ctx.analysis import FLEISS
    >>> ratings = [["a", "a", "b", "b", "a", "c"], ["a", "b", "b", "b", "a", "c"]]
    >>> found = bootstrap_interval(ratings, FLEISS.of, draws=500, seed=1)
    >>> found.best[0] < 0.714 < found.best[1]
    True
    """
    blocks = tally(ratings)
    check_draws(draws)
    estimate = statistic(blocks, np.ones((1, blocks.n_blocks)))[0]
    resampled = statistic(blocks, resampling_weights(blocks.n_blocks, draws, seed))
    left_out = statistic(blocks, leave_one_out_weights(blocks.n_blocks))
    return interval(float(estimate), resampled, left_out, level, bounds)


@dataclass(frozen=True)
class ChanceTest:
    """A test of percentage agreement against runs that ignore the blocks.

    ``p`` is the probability of at least the observed agreement; ``exact`` whether all arrangements were counted, and
    ``arrangements`` how many were looked at; ``expected`` and ``upper`` are the mean of the chance agreement and its
    95th percentile.
    """

    p: float
    exact: bool
    arrangements: int
    expected: float
    upper: float


def chance_test(ratings: Ratings | Tally, *, draws: int = 2000, seed: int = 0, exact_up_to: int = 50_000) -> ChanceTest:
    """Permute every run's labels over the blocks and count how often agreement is at least as high as observed.

    Each run keeps how often it used each label, so what is tested is whether runs agree on *where* to use them. All
    chance-corrected statistics whose chance level depends on those frequencies only (Fleiss, Conger, Gwet,
    Krippendorff) rank arrangements as percentage agreement does and have this same p value. Exact when there are at
    most ``exact_up_to`` arrangements (run 0 can stay put); else Monte Carlo with p = (1 + hits) / (1 + draws).

    >>> chance_test([["a", "b", "c"], ["a", "b", "c"]]).p == 1 / 6
    True
    """
    blocks = tally(ratings)
    check_draws(draws)
    observed = percentage_parts(blocks, np.ones((1, blocks.n_blocks))).value[0]
    count = math.factorial(min(blocks.n_blocks, 20)) ** (blocks.n_runs - 1)
    exact = count <= exact_up_to
    agreements = _all_arrangements(blocks) if exact else _random_arrangements(blocks, draws, seed)
    hits = int((agreements >= observed - 1e-12).sum())
    p = hits / len(agreements) if exact else (1 + hits) / (1 + len(agreements))
    return ChanceTest(
        p, exact, len(agreements), float(agreements.mean()), float(np.quantile(agreements, 0.95, method="inverted_cdf"))
    )


def _all_arrangements(blocks: Tally) -> Floats:
    orders = np.array(list(itertools.permutations(range(blocks.n_blocks))))
    agreements = []
    for chosen in itertools.product(range(len(orders)), repeat=blocks.n_runs - 1):
        moved = [blocks.codes[0], *(blocks.codes[r + 1][orders[c]] for r, c in enumerate(chosen))]
        agreements.append(np.stack(moved))
    return _agreements(np.stack(agreements), blocks.n_labels)


def _random_arrangements(blocks: Tally, draws: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    step = max(1, _LABELS_AT_ONCE // blocks.codes.size)
    parts = []
    for start in range(0, draws, step):
        repeated = np.broadcast_to(blocks.codes, (min(step, draws - start), *blocks.codes.shape))
        parts.append(_agreements(rng.permuted(repeated, axis=2), blocks.n_labels))
    return np.concatenate(parts)


def _agreements(codes: np.ndarray, n_labels: int) -> Floats:
    """Percentage agreement of each of (n_draws, n_runs, n_blocks)."""
    n_draws, n_runs, n_blocks = codes.shape
    pairs = np.zeros(n_draws)
    for code in range(n_labels):
        votes = (codes == code).sum(axis=1)
        pairs += (votes * (votes - 1)).sum(axis=1)
    return pairs / (n_blocks * n_runs * (n_runs - 1))


def check_draws(draws: int) -> None:
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise InputError(f"draws must be a whole number from 1, got {draws!r}")


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level!r}")
