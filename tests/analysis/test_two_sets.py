"""Differences of two sets of runs: the test against enumeration, the interval against what it promises, the words."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from nas_ctx.analysis import (
    LIGHT,
    PERCENTAGE,
    STATISTICS,
    compare,
    comparison_verdict,
    lights_kappa,
    percentage_agreement,
    set_difference,
)
from nas_ctx.analysis.stats.ratings import rating_matrix

TABLE = np.random.default_rng(5).integers(0, 3, (7, 10))
TABLE[:4, :7] = TABLE[0, :7]


def searches(rng, runs=5, blocks=16, *, faithful=0.9, collapse=0.0, truth=None):
    """Runs that follow ``truth`` with a probability; some collapse to choice 0 everywhere."""
    truth = rng.integers(0, 5, blocks) if truth is None else truth
    drawn = np.where(rng.random((runs, blocks)) < faithful, truth, rng.integers(0, 5, (runs, blocks)))
    drawn[rng.random(runs) < collapse] = 0
    return drawn


def genotypes(table):
    return [{f"b{i}": f"c{value}" for i, value in enumerate(run)} for run in table.tolist()]


@pytest.mark.parametrize(("statistic", "of"), [(PERCENTAGE, percentage_agreement), (LIGHT, lights_kappa)])
def test_p_counts_every_division_of_the_runs(statistic, of):
    found = set_difference(rating_matrix(TABLE), 4, statistic)
    observed = of(TABLE[4:]) - of(TABLE[:4])
    sizes = []
    for chosen in itertools.combinations(range(7), 4):
        others = [run for run in range(7) if run not in chosen]
        sizes.append(abs(of(TABLE[others]) - of(TABLE[list(chosen)])))
    assert found.value == pytest.approx(observed)
    assert found.test.divisions == len(sizes) == 35
    assert found.test.p == pytest.approx(np.mean(np.array(sizes) >= abs(observed) - 1e-12))
    assert found.test.least_p == pytest.approx(np.mean(np.array(sizes) >= max(sizes) - 1e-12))


def test_statistics_over_pairs_take_the_short_way_to_the_same_values():
    """Those that are no mean over pairs are computed anew for every division; with two runs all are a pair's."""
    both = rating_matrix(TABLE)
    for statistic in STATISTICS:
        found = set_difference(both, 4, statistic)
        assert found.first == pytest.approx(statistic.values(both.of_runs(range(4)))[0])
        assert found.second == pytest.approx(statistic.values(both.of_runs(range(4, 7)))[0])


def test_many_runs_are_divided_at_random():
    rng = np.random.default_rng(1)
    found = set_difference(rating_matrix(rng.integers(0, 3, (16, 8))), 8, PERCENTAGE, draws=400)
    assert not found.test.exact
    assert found.test.divisions == 400
    assert found.test.p >= 1 / 401


@pytest.mark.parametrize("collapse", [0.0, 0.2])
def test_two_sets_of_one_process_are_seldom_told_apart(collapse):
    rng = np.random.default_rng(7)
    apart = covered = shown = 0
    for _ in range(150):
        truth = rng.integers(0, 5, 16)
        both = rating_matrix(np.concatenate([searches(rng, collapse=collapse, truth=truth) for _ in "ab"]))
        found = set_difference(both, 5, PERCENTAGE)
        apart += found.apart
        shown += found.interval is not None
        covered += found.interval is not None and found.interval.contains(0)
    assert apart <= 150 * 0.07
    assert covered >= 0.93 * shown


def test_sets_that_differ_are_told_apart():
    rng = np.random.default_rng(2)
    told = 0
    for _ in range(40):
        truth = rng.integers(0, 5, 16)
        first, second = searches(rng, faithful=0.9, truth=truth), searches(rng, faithful=0.3, truth=truth)
        told += set_difference(rating_matrix(np.concatenate([first, second])), 5, LIGHT).apart
    assert told >= 36


def test_a_mean_over_runs_without_blocks_that_vary_is_a_two_sample_t_test():
    """Where every pair of runs differs in each block alike, only runs vary: the test is Fisher's, as SciPy has it."""
    table = np.repeat(np.array([[0], [0], [0], [1], [0], [1], [2], [3]]), 6, axis=1)
    table = table + 10 * np.arange(6)  # another name for each choice in each block
    found = set_difference(rating_matrix(table), 4, PERCENTAGE)
    theirs = stats.permutation_test(
        (np.arange(4), np.arange(4, 8)),
        lambda a, b: abs(percentage_agreement(table[np.sort(b)]) - percentage_agreement(table[np.sort(a)])),
        alternative="greater",
        n_resamples=10_000,
    )
    assert found.test.p == pytest.approx(theirs.pvalue)


def test_too_few_runs_are_said_to_be_too_few():
    rng = np.random.default_rng(3)
    for runs, least in ((2, 1 / 3), (3, 1 / 10)):
        truth = rng.integers(0, 5, 12)
        a, b = searches(rng, runs, 12, faithful=1, truth=truth), searches(rng, runs, 12, faithful=0)
        found = compare(genotypes(a), genotypes(b), draws=50)
        assert found.deciding.test.least_p == pytest.approx(least, abs=0.01)
        assert "too few runs to tell" in comparison_verdict(found)[1]
        assert (found.deciding.interval is None) == (runs == 2)


def test_where_a_pair_has_no_kappa_percentage_agreement_decides():
    rng = np.random.default_rng(4)
    collapsed = searches(rng, collapse=1.0)
    found = compare(genotypes(collapsed), genotypes(searches(rng, faithful=0.2)), draws=50)
    assert math.isnan(found.difference(LIGHT).test.p)
    assert found.deciding.statistic is PERCENTAGE
    assert "A agrees with itself more" in comparison_verdict(found)[1]
    assert "a pair of runs has no kappa" in comparison_verdict(found)[1]


def test_the_words_name_the_interval_and_the_test():
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 5, 16)
    found = compare(genotypes(searches(rng, truth=truth)), genotypes(searches(rng, faithful=0.3)), draws=50)
    said = comparison_verdict(found)[1]
    assert "interval over runs and blocks" in said
    assert "p = 0.0079 among all divisions of the runs" in said  # 2 of 252


def test_a_set_may_lack_a_choice_that_the_other_has():
    found = compare([{"x": "none", "y": "local"}] * 2, [{"x": "none", "y": "global"}, {"x": "none", "y": "local"}])
    assert found.first.table.texts == ("none", "local")
    assert found.second.table.texts == ("none", "global", "local")
    assert found.parted == ("y",)
    named = compare([{"x": "a", "y": "b"}] * 2, [{"x": "a", "y": "c"}] * 2, order=["c", "b", "a"])
    assert named.first.table.texts == ("b", "a")
    assert named.second.table.texts == ("c", "a")
