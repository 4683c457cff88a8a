"""What a set of runs can show against chance: one judgement, made from two tests."""

from __future__ import annotations

import math
from enum import Enum

from nas_ctx.analysis.results import StatisticResult
from nas_ctx.analysis.stats.catalogue import BRENNAN_PREDIGER
from nas_ctx.analysis.stats.permutation import SIGNIFICANCE, ChanceTest
from nas_ctx.analysis.stats.random_policy import RandomPolicy


class Standing(Enum):
    """How a set of runs stands against chance."""

    BEYOND_CHANCE = "the permutation test says so"
    BEYOND_UNIFORM = "no permutation can tell, but uniform draws from each block's candidates would hardly agree so far"
    BEYOND_OCCURRING = "the candidates are not known, but uniform draws from what occurs would hardly agree so far"
    UNKNOWN = "what the blocks could choose from is not known and may differ, and uniform draws would agree as far"
    TOO_FEW = "the permutation test cannot reach its level, however far the runs agree"
    CHANCE = "it could, and does not"

    @property
    def beyond_chance(self) -> bool:
        """Whether the runs agree more than chance would."""
        return self in (Standing.BEYOND_CHANCE, Standing.BEYOND_UNIFORM, Standing.BEYOND_OCCURRING)


def standing_of(
    test: ChanceTest, kappa: StatisticResult, policy: RandomPolicy | None, occurring: float | None = None
) -> Standing:
    """From the permutation ``test``, the leading ``kappa``, and the test against uniform draws, where there is one.

    The interval of ``kappa`` has no part in it: the test holds its level alone, and finds more (docs/statistics.md).
    The test against uniform draws counts only where the permutation test cannot speak because blocks have candidates
    of their own: it takes any preference that all runs share for agreement.

    ``occurring`` is the p value against uniform draws among what occurs in each block, given where the candidates are
    not known and the blocks differ in what occurs. Then moving choices among all blocks can show agreement, or that
    they had different candidates: both tests must speak.
    """
    if test.can_tell and occurring is not None:
        return Standing.BEYOND_OCCURRING if max(test.p, occurring) < SIGNIFICANCE else Standing.UNKNOWN
    if test.can_tell:
        return Standing.BEYOND_CHANCE if test.p < SIGNIFICANCE and not kappa_of(kappa) <= 0 else Standing.CHANCE
    if kappa.statistic is BRENNAN_PREDIGER and policy is not None and policy.p < SIGNIFICANCE:
        return Standing.BEYOND_UNIFORM
    return Standing.TOO_FEW


def test_behind(
    standing: Standing, test: ChanceTest, policy: RandomPolicy | None, occurring: float | None
) -> tuple[float, str]:
    """The p value on which a judgement rests, nan where it rests on none, and in words what test it is of."""
    if standing is Standing.UNKNOWN:
        return math.nan, "candidates unknown"
    if standing is Standing.BEYOND_OCCURRING and occurring is not None:
        return max(test.p, occurring), "the larger of two tests, candidates unknown"
    if standing is Standing.BEYOND_UNIFORM and policy is not None:
        return policy.p, f"{'exact' if policy.exact else 'Monte-Carlo'} test against uniform draws"
    return test.p, f"{'exact' if test.exact else 'Monte-Carlo'} permutation test"


def kappa_of(result: StatisticResult) -> float:
    """The value, or the mean over the pairs that have one where some pairs of runs are 0/0."""
    return result.defined_value if math.isnan(result.value) else result.value
