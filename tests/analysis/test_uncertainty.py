"""Intervals and tests against SciPy, against enumeration, and against what they promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from nas_ctx.analysis import (
    CONGER,
    FLEISS,
    LIGHT,
    PERCENTAGE,
    STATISTICS,
    block_interval,
    chance_test,
    percentage_agreement,
    reliability,
)
from nas_ctx.analysis.stats.ratings import rating_matrix
from nas_ctx.analysis.wording import span
from nas_ctx.errors import InputError

from .tables import random_tables

TABLE = random_tables(12)[11]


@pytest.mark.parametrize("blocks", [4, 16])
def test_a_unanimous_table_has_a_bound_and_no_interval_of_no_width(blocks):
    """Below the bound, so many unanimous blocks would be less probable than 5 %: Clopper and Pearson's, one-sided."""
    table = [list("abcd") * (blocks // 4)] * 3
    found = block_interval(table, PERCENTAGE)
    assert found.one_sided
    assert found.ends == pytest.approx((stats.beta.ppf(0.05, blocks, 1), 1.0))
    for statistic in (LIGHT, FLEISS):
        assert block_interval(table, statistic) is None
    record = reliability([dict(enumerate_blocks(run)) for run in table])
    assert span(record.result(PERCENTAGE).interval) == f"at least {found.low:.2f}"
    assert "all blocks are unanimous" in record.result(LIGHT).note


def enumerate_blocks(run):
    return [(f"block {number}", label) for number, label in enumerate(run)]


def test_blocks_that_all_agree_alike_have_no_interval_either():
    assert block_interval([["a", "b"] * 4, ["a", "b"] * 4, ["b", "a"] * 4], PERCENTAGE) is None


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_of_a_mean_over_blocks_is_students(level):
    """Percentage agreement is a mean over blocks, so SciPy's one-sample t interval is the jackknife's."""
    of_blocks = [np.mean([a == b for a, b in itertools.combinations(column, 2)]) for column in TABLE.T]
    theirs = stats.ttest_1samp(of_blocks, 0.0).confidence_interval(level)
    found = block_interval(TABLE, PERCENTAGE, level=level)
    assert found.ends == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_no_interval_reaches_beyond_what_a_statistic_can_be():
    table = [["a", "b", "a", "b"], ["a", "b", "b", "a"]]
    results = {
        result.statistic: result
        for result in reliability([dict(zip("wxyz", run, strict=True)) for run in table]).results
    }
    assert results[PERCENTAGE].interval.ends == (0.0, 1.0)
    assert results[FLEISS].interval.ends == (-1.0, 1.0)


def test_no_interval_of_what_is_undefined():
    assert block_interval([["a"] * 4] * 3, FLEISS) is None


def test_no_interval_of_what_hangs_on_one_block():
    one_odd = [["a"] * 5 + ["b"], ["a"] * 5 + ["b"], ["a"] * 4 + ["b", "b"]]
    assert LIGHT.values(rating_matrix(one_odd)) > 0.5
    assert block_interval(one_odd, LIGHT) is None


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, 19])
def test_draws_must_be_able_to_reach_the_level_of_the_test(wrong):
    with pytest.raises(InputError, match="draws"):
        chance_test(TABLE, draws=wrong)


@pytest.mark.parametrize("wrong", [0, 1, 95, -0.5])
def test_level_must_be_a_share(wrong):
    with pytest.raises(InputError, match="level"):
        block_interval(TABLE, PERCENTAGE, level=wrong)


def test_coverage_is_near_the_level():
    """200 tables of 60 blocks from one law: its true agreement lies in about 95 % of the intervals."""
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(200):
        truth = rng.integers(0, 3, 60)
        table = np.where(rng.random((4, 60)) < 0.6, truth, rng.integers(0, 3, (4, 60)))
        low, high = block_interval(table, PERCENTAGE).ends
        covered += low <= 0.6**2 + (1 - 0.6**2) / 3 <= high
    assert 0.9 <= covered / 200 <= 0.985


@pytest.mark.parametrize("blocks", [4, 16])
def test_the_interval_of_runs_that_ignore_the_blocks_contains_0(blocks):
    """Also over few blocks, where those of the bootstrap are too narrow (`experiments/planted/intervals.py`)."""
    rng = np.random.default_rng(blocks)
    intervals = [block_interval(rng.integers(0, 5, (5, blocks)), LIGHT) for _ in range(400)]
    known = [interval for interval in intervals if interval is not None]
    assert len(known) > 380
    assert 0.9 <= np.mean([interval.contains(0) for interval in known]) <= 0.985


# The permutation test -------------------------------------------------------------------------------------------------


def enumerated_p(table) -> float:
    """By literally writing down every arrangement of all runs (the first one too)."""
    observed = percentage_agreement(table)
    arrangements = list(itertools.product(*(list(itertools.permutations(row)) for row in table)))
    return sum(percentage_agreement(list(a)) >= observed - 1e-12 for a in arrangements) / len(arrangements)


@pytest.mark.parametrize(
    "table",
    [
        [["a", "b", "c"], ["a", "b", "c"]],
        [["a", "b", "b"], ["a", "b", "a"], ["b", "a", "b"]],
        [["a", "a", "b", "c"], ["a", "b", "b", "c"]],
        [["a", "a", "a"], ["a", "b", "c"]],
    ],
)
def test_exact_p_equals_enumeration(table):
    found = chance_test(table)
    assert found.exact
    assert found.p == pytest.approx(enumerated_p(table), abs=1e-12)


def test_monte_carlo_comes_near_the_exact_p():
    table = [["a", "a", "b", "c", "c"], ["a", "b", "b", "c", "a"], ["a", "b", "a", "c", "c"]]
    exact = chance_test(table)
    sampled = chance_test(table, draws=20_000, seed=1, exact_up_to=0)
    assert exact.exact
    assert not sampled.exact
    assert sampled.p == pytest.approx(exact.p, abs=5 * math.sqrt(exact.p * (1 - exact.p) / 20_000) + 1e-4)
    assert sampled.expected == pytest.approx(exact.expected, abs=0.01)


def test_expected_agreement_is_congers_chance_level():
    found = chance_test(TABLE, draws=20_000)
    chance = CONGER.parts(rating_matrix(TABLE), np.ones((1, TABLE.shape[1]))).chance[0]
    assert found.expected == pytest.approx(chance, abs=0.005)


def test_p_is_never_zero_and_never_above_one():
    clear = [list("abcdefgh") * 3] * 5
    assert chance_test(clear, draws=99).p == 1 / 100
    assert chance_test([["a"] * 30] * 3, draws=99).p == 1.0


def test_p_is_uniform_under_chance():
    rng = np.random.default_rng(0)
    values = [chance_test(rng.integers(0, 3, (3, 40)), draws=199, seed=i).p for i in range(120)]
    assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_all_statistics_but_light_rank_arrangements_alike():
    """Why one p value serves: over permutations within runs the others grow with percentage agreement."""
    rng = np.random.default_rng(4)
    table = rng.integers(0, 3, (4, 12))
    drawn = [rng.permuted(table, axis=1) for _ in range(60)]
    agreement = np.array([PERCENTAGE.values(rating_matrix(d))[0] for d in drawn])
    for statistic in STATISTICS:
        if statistic not in (PERCENTAGE, LIGHT):
            values = np.array([statistic.values(rating_matrix(d))[0] for d in drawn])
            order = np.argsort(agreement, kind="stable")
            assert (np.diff(values[order]) >= -1e-12).all()


def test_seeded():
    assert chance_test(TABLE, seed=3) == chance_test(TABLE, seed=3)
