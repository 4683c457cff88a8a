"""Intervals and tests against SciPy, against enumeration, and against what they promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats

from nas_ctx.analysis import (
    CONGER,
    FLEISS,
    LIGHT,
    PERCENTAGE,
    STATISTICS,
    block_interval,
    chance_test,
    jackknife_interval,
    percentage_agreement,
    reliability,
)
from nas_ctx.analysis.stats.ratings import rating_matrix
from nas_ctx.analysis.wording import span
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype

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


def shares_of(table) -> np.ndarray:
    """Of each block the share of pairs of runs that agree; percentage agreement is their mean."""
    return np.array([np.mean([a == b for a, b in itertools.combinations(column, 2)]) for column in np.transpose(table)])


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_of_a_mean_over_blocks_without_skewness_is_students(level):
    """Percentage agreement is a mean over blocks, so SciPy's one-sample t interval is the jackknife's."""
    table = [list("abcabcabc"), list("abcabcbca"), list("abcbcacab")]  # blocks agree in 1, 1/3 and 0, as many of each
    shares = np.concatenate([shares_of(table), 2 * np.mean(shares_of(table)) - shares_of(table)])
    theirs = stats.ttest_1samp(shares, 0.0).confidence_interval(level)
    left_out = np.array([np.delete(shares, i).mean() for i in range(len(shares))])
    found = jackknife_interval(shares.mean(), left_out, level)
    assert found.ends == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_of_a_skew_mean_is_halls(level):
    """Hall 1992: his T of the mean, computed as he writes it, reaches the quantiles of t at the ends."""
    shares = shares_of(TABLE)
    n, deviation, quantile = len(shares), shares.std(), stats.t.ppf((1 + level) / 2, len(shares) - 1)
    skewness = stats.skew(shares)

    def hall(mean: float) -> float:
        t = (shares.mean() - mean) / (shares.std(ddof=1) / math.sqrt(n))
        a = skewness / math.sqrt(n)
        return t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6

    reach = 20 * deviation
    theirs = [optimize.brentq(lambda x, e=end: hall(x) - e, shares.mean() - reach, shares.mean() + reach)
              for end in (quantile, -quantile)]  # fmt: skip
    assert block_interval(TABLE, PERCENTAGE, level=level).ends == pytest.approx(theirs, abs=1e-9)


def test_blocks_vary_within_candidate_sets():
    """The variance of a stratified mean (Cochran, Sampling Techniques, 1977, 5.3) with Satterthwaite's t."""
    rng = np.random.default_rng(3)
    shares, strata = np.concatenate([rng.random(5), 3 + rng.random(7)]), [np.arange(5), np.arange(5, 12)]
    parts = [np.concatenate([shares[s], 2 * shares[s].mean() - shares[s]]) for s in strata]  # no skewness
    variances = [(len(p) / 24) ** 2 * p.var(ddof=1) / len(p) for p in parts]
    freedom = sum(variances) ** 2 / sum(v**2 / (len(p) - 1) for v, p in zip(variances, parts, strict=True))
    every = np.concatenate(parts)
    theirs = stats.t(freedom, every.mean(), math.sqrt(sum(variances))).interval(0.9)
    left_out = np.array([np.delete(every, i).mean() for i in range(24)])
    found = jackknife_interval(every.mean(), left_out, 0.9, strata=[np.arange(10), np.arange(10, 24)])
    assert found.ends == pytest.approx(theirs, abs=1e-12)
    assert found.high - found.low < 0.5 * np.ptp(jackknife_interval(every.mean(), left_out, 0.9).ends)


def test_where_one_choice_is_nearly_everywhere_kappa_has_no_interval():
    """16 blocks of which chance leaves less than half open; the share itself keeps its interval."""
    table = [["a"] * 13 + list("bcd"), ["a"] * 12 + list("cbcd"), ["a"] * 13 + list("bdd")]
    record = reliability([dict(enumerate_blocks(run)) for run in table])
    assert record.result(LIGHT).interval is None
    assert "so common that chance leaves fewer than 8 blocks open" in record.result(LIGHT).note
    assert record.result(PERCENTAGE).interval is not None


def test_where_choices_decide_which_blocks_count_there_is_no_interval():
    """Blocks within a candidate that a run did not take are left out: those that stay are no sample of blocks."""
    rng = np.random.default_rng(4)
    genotypes = [
        Genotype({f"block {b}": str(rng.integers(3)) for b in range(12)}, {"inactive": ["block 3"] if run else []})
        for run in range(4)
    ]
    record = reliability(genotypes)
    assert len(record.blocks) == 11
    for result in record.results:
        assert result.interval is None
        assert "decide which blocks count" in result.note


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
