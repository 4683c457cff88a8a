"""Two sets of runs: is their difference more than runs of one process would show, and how sure is it?

Runs vary as a whole, as when a search collapses to one choice everywhere. A test and an interval that know of blocks
only would take that for a difference of the sets. Both are made here from dividing all runs into two sets anew.

Sources: Fisher, The Design of Experiments (1935), ch. 3 (the test); Owen, Ann. Appl. Stat. 1 (2007) 386 (variance of
a table whose rows and columns both vary).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from nas_ctx.analysis.stats.agreement import pair_indices
from nas_ctx.analysis.stats.catalogue import Statistic
from nas_ctx.analysis.stats.intervals import Interval
from nas_ctx.analysis.stats.permutation import SIGNIFICANCE
from nas_ctx.analysis.stats.ratings import Floats, RatingMatrix
from nas_ctx.analysis.stats.weights import LeaveOneOut

LEAST_RUNS = 3
"""Fewer runs in a set say too little about how runs vary for an interval."""
LEAST_BLOCKS = 6
"""Fewer blocks say too little about how blocks vary for an interval of a difference."""
_MOST_DIVISIONS = 1000  # all are looked at up to so many


@dataclass(frozen=True)
class RunsTest:
    """A two-sided permutation test of whole runs between two sets, of the difference in one statistic.

    ``p`` is the probability of a difference at least as large if all runs came from one process; ``exact`` whether all
    divisions of the runs were counted, and ``divisions`` how many were looked at; ``least_p`` is the p value of the
    division that differs most. Both are nan where a division has no value.
    """

    p: float
    exact: bool
    divisions: int
    least_p: float

    @property
    def can_tell(self) -> bool:
        """Whether the test can come below 0.05 with so many runs."""
        return self.least_p < SIGNIFICANCE


@dataclass(frozen=True)
class Difference:
    """Second minus first set in one statistic: the values, the test over runs, the interval over blocks and runs."""

    statistic: Statistic
    first: float
    second: float
    value: float
    interval: Interval | None
    test: RunsTest

    @property
    def apart(self) -> bool:
        """Whether the sets differ: the test is significant, and the interval, if there is one, does not contain 0."""
        return self.test.p < SIGNIFICANCE and not (self.interval is not None and self.interval.contains(0))


def set_difference(
    both: RatingMatrix, n_first: int, statistic: Statistic, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Difference:
    """Compare the first ``n_first`` runs of ``both`` with the others.

    >>> from nas_ctx.analysis import PERCENTAGE
    >>> from nas_ctx.analysis.stats.ratings import rating_matrix
    >>> both = rating_matrix([["a", "b"]] * 4 + [["a", "c"], ["c", "b"], ["b", "a"], ["d", "d"]])
    >>> difference = set_difference(both, 4, PERCENTAGE)
    >>> round(difference.value, 3), difference.test.p == 2 / 70, difference.test.exact
    (-1.0, True, True)
    """
    runs = range(both.n_runs)
    subsets = _Subsets(both, statistic)
    sets = (runs[:n_first], runs[n_first:])
    first, second = (float(subsets.values([chosen])[0, 0]) for chosen in sets)
    divisions, exact = _divisions(both.n_runs, n_first, draws, seed)
    moved = subsets.values([chosen for _, chosen in divisions]) - subsets.values([chosen for chosen, _ in divisions])
    test = _test(moved[:, 0], second - first, exact)
    interval = None
    if min(map(len, sets)) >= LEAST_RUNS and both.n_blocks >= LEAST_BLOCKS and not math.isnan(test.p):
        unmoved = subsets.values([sets[1]])[0] - subsets.values([sets[0]])[0]
        interval = _interval(moved, unmoved, statistic, level)
    return Difference(statistic, first, second, second - first, interval, test)


class _Subsets:
    """The statistic of subsets of the runs: with all blocks, and without each block in turn.

    A statistic that is a mean over pairs of runs is computed for each pair once.
    """

    def __init__(self, ratings: RatingMatrix, statistic: Statistic) -> None:
        self.ratings, self.statistic = ratings, statistic
        self.weights = LeaveOneOut.of(ratings.n_blocks, first_whole=True)
        self.first, self.second = pair_indices(ratings.n_runs)
        self.pairs = None
        if statistic.over_pairs:
            each = [
                statistic.values(ratings.of_runs(p), self.weights) for p in zip(self.first, self.second, strict=True)
            ]
            self.pairs = np.stack(each)  # (n_pairs, 1 + n_blocks)

    def values(self, subsets: Sequence[Sequence[int]]) -> Floats:
        """(n_subsets, 1 + n_blocks)."""
        if self.pairs is None:
            return np.stack([self.statistic.values(self.ratings.of_runs(list(s)), self.weights) for s in subsets])
        member = np.zeros((len(subsets), self.ratings.n_runs), dtype=bool)
        for row, chosen in zip(member, subsets, strict=True):
            row[list(chosen)] = True
        inside = member[:, self.first] & member[:, self.second]
        total = inside.astype(np.float64) @ np.nan_to_num(self.pairs)
        undefined = inside.astype(np.float64) @ np.isnan(self.pairs)
        return np.where(undefined > 0, np.nan, total) / inside.sum(axis=1, keepdims=True)


Division = tuple[Sequence[int], Sequence[int]]


def _divisions(n: int, n_first: int, draws: int, seed: int) -> tuple[list[Division], bool]:
    """All ways to divide ``n`` runs into two sets if they are few, else random ones."""
    exact = math.comb(n, n_first) <= _MOST_DIVISIONS
    if exact:
        firsts = [list(chosen) for chosen in itertools.combinations(range(n), n_first)]
    else:
        rng = np.random.default_rng(seed)
        firsts = rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)[:, :n_first].tolist()
    return [(chosen, sorted(set(range(n)) - set(chosen))) for chosen in firsts], exact


def _test(differences: Floats, observed: float, exact: bool) -> RunsTest:
    if math.isnan(observed) or np.isnan(differences).any():
        return RunsTest(math.nan, exact, len(differences), math.nan)
    one_more = 0 if exact else 1

    def p_of(size: float) -> float:
        return float((one_more + (np.abs(differences) >= size - 1e-12).sum()) / (one_more + len(differences)))

    largest = max(abs(observed), float(np.abs(differences).max()))
    return RunsTest(p_of(abs(observed)), exact, len(differences), p_of(largest))


def _interval(moved: Floats, unmoved: Floats, statistic: Statistic, level: float) -> Interval | None:
    """The difference and its deviation over blocks and runs times the quantile of the normal distribution.

    ``moved`` (n_divisions, 1 + n_blocks) and ``unmoved`` (1 + n_blocks,) are differences with all blocks and without
    each. Over blocks the variance is the jackknife's, both sets losing the same block at a time; over runs it is that
    of the divisions. What single choices vary is in both, and taken off once: the variance over divisions that are
    made anew in every block. That of runs is never below 0, which makes up for few runs: with Student's t the interval
    would contain the difference of two equal processes in 97 to 99 % (docs/statistics.md).
    """
    m = len(unmoved) - 1
    blocks = (m - 1) / m * float(((unmoved[1:] - unmoved[1:].mean()) ** 2).sum())
    of_blocks = m * moved[:, :1] - (m - 1) * moved[:, 1:]
    runs = max(0.0, float(moved[:, 0].var() - of_blocks.var(axis=0).sum() / m**2))
    if math.isnan(blocks + runs) or blocks + runs < 1e-24:
        return None
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(blocks + runs)
    reach = statistic.bounds[1] - statistic.bounds[0]
    return Interval(level, max(float(unmoved[0]) - half, -reach), min(float(unmoved[0]) + half, reach))
