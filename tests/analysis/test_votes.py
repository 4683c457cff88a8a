"""Votes, ties, enough runs, rows and columns, random policies and scores, against counting by hand and SciPy."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_ctx.analysis import (
    agreement_with_others,
    extrapolate_stability,
    fleiss_kappa,
    grid_of,
    percentage_agreement,
    plurality_probability,
    random_policy,
    rank_correlation,
    task_agreements,
    vote,
    vote_stability,
)
from nas_ctx.analysis.stats.stability import VoteStability, runs_needed
from nas_ctx.errors import InputError

from .tables import random_tables


def winners(labels) -> set:
    counts = Counter(labels)
    return {label for label, n in counts.items() if n == max(counts.values())}


def test_votes_equal_a_count_by_hand():
    for table in random_tables(60):
        q = len(set(table.ravel()))
        for b, found in enumerate(vote(table)):
            counts = Counter(table[:, b])
            ranked = [*sorted(counts.values(), reverse=True), 0]
            assert dict(found.counts) == dict(counts)
            assert set(found.winners) == winners(table[:, b])
            assert found.tied == (len(winners(table[:, b])) > 1)
            assert found.choice == (None if found.tied else found.winners[0])
            assert found.margin == pytest.approx((ranked[0] - ranked[1]) / len(table))
            entropy = stats.entropy(list(counts.values()), base=q) if q > 1 else 0
            assert found.entropy == pytest.approx(entropy, abs=1e-12)


def test_a_unanimous_vote_has_margin_one_and_no_entropy():
    found = vote([["a", "b"]] * 4)[0]
    assert (found.margin, found.entropy, found.counts) == (1.0, 0.0, (("a", 4),))


def test_ties_stand_unless_a_rule_is_named():
    table = [["a", "x"], ["b", "x"]]
    assert vote(table)[0].choice is None
    by_order = vote(table, ties="order", order=["b", "a", "x"])[0]
    assert (by_order.choice, by_order.decided_by, by_order.tied) == ("b", "order", True)
    likely = vote(table, ties="probability", probabilities=[{"a": 0.4, "b": 0.35}, {"x": 1.0}])
    assert (likely[0].choice, likely[0].decided_by) == ("a", "probability")
    assert (likely[1].choice, likely[1].decided_by) == ("x", None)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"ties": "refuse"}, "block 'one' is tied between a, b"),
        ({"ties": "probability"}, "final probabilities"),
        ({"ties": "probability", "probabilities": [{"a": 0.5, "b": 0.5}, {}]}, "same mean probability"),
        ({"ties": "order", "order": ["x"]}, "no place in the order"),
        ({"ties": "coin"}, "known: order, probability, refuse"),
    ],
)
def test_ties_that_cannot_be_broken_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        vote([["a", "x"], ["b", "x"]], names=["one", "two"], **options)


def test_a_number_is_one_choice_however_it_is_written_and_no_truth():
    assert vote([[1], ["1"], [True], [1.0]])[0].counts == ((1, 3), (True, 1))


# How many runs are enough ---------------------------------------------------------------------------------------------


def test_enough_runs_equals_looking_at_every_subset():
    for table in random_tables(25):
        for found in vote_stability(table):
            same = [
                [winners(table[list(runs), b]) == winners(table[:, b]) for b in range(table.shape[1])]
                for runs in itertools.combinations(range(len(table)), found.k)
            ]
            assert found.kind == "all subsets"
            assert found.subsets == math.comb(len(table), found.k)
            assert found.blocks == pytest.approx(np.mean(same))
            assert found.whole == pytest.approx(np.mean([all(row) for row in same]))


def test_sampled_subsets_come_near_all_of_them():
    table = np.random.default_rng(3).choice(["a", "b", "c"], (9, 12), p=[0.6, 0.3, 0.1])
    exact = {e.k: e for e in vote_stability(table)}
    sampled = vote_stability(table, most_subsets=80, seed=1)
    assert {e.kind for e in sampled} == {"all subsets", "sampled subsets"}
    assert [e.k for e in sampled] == list(range(2, 10))
    for found in sampled:
        assert found.blocks == pytest.approx(exact[found.k].blocks, abs=0.08)
        assert found.subsets in (80, math.comb(9, found.k))


@settings(max_examples=40, deadline=None)
@given(
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    k=st.integers(1, 6),
)
def test_plurality_probability_equals_enumeration(weights, k):
    shares = np.array(weights) / sum(weights)
    expected = 0.0
    for votes in itertools.product(range(len(shares)), repeat=k):
        if winners(votes) == {0}:
            expected += float(np.prod(shares[list(votes)]))
    assert plurality_probability(shares, k) == pytest.approx(expected, abs=1e-12)


def test_plurality_of_two_is_a_binomial_tail():
    for k in (1, 4, 15, 60):
        assert plurality_probability([0.55, 0.45], k) == pytest.approx(stats.binom.sf(k // 2, k, 0.55), abs=1e-12)


def test_extrapolation_leaves_tied_blocks_out_and_grows():
    table = [["a", "x", "p"], ["a", "y", "p"], ["a", "x", "q"], ["b", "y", "p"]]
    odd = extrapolate_stability(table, [5, 15, 45])
    assert [e.kind for e in odd] == ["extrapolated"] * 3
    assert odd[0].blocks < odd[1].blocks < odd[2].blocks
    assert odd[1].blocks == pytest.approx(stats.binom.sf(7, 15, 0.75))
    assert odd[1].whole == pytest.approx(stats.binom.sf(7, 15, 0.75) ** 2)
    assert math.isnan(extrapolate_stability([["a", "x"], ["b", "y"]], [5])[0].blocks)
    with pytest.raises(InputError):
        plurality_probability([1.0], 0)


def test_runs_needed_does_not_count_the_full_vote_itself():
    def entries(kind, values):
        return [VoteStability(k, value, 0.0, kind, 1) for k, value in values.items()]

    measured = entries("all subsets", {2: 0.8, 3: 0.9, 4: 0.94, 5: 1.0})
    beyond = entries("extrapolated", {4: 0.99, 6: 0.9, 7: 0.96, 8: 0.94, 9: 0.97, 10: 0.96})
    assert runs_needed(measured + beyond, 5) == 9
    assert runs_needed(measured, 5) is None
    assert runs_needed(entries("all subsets", {2: 0.96, 3: 0.97, 4: 1.0}), 4) == 2


# Rows and columns -----------------------------------------------------------------------------------------------------


def test_task_agreements_are_those_of_the_rows_and_columns():
    blocks = ["a/a", "a/b", "a/c", "b/a", "b/b", "b/c"]
    table = np.random.default_rng(0).choice(["x", "y"], (4, 6))
    grid = grid_of(blocks)
    assert (grid.targets, grid.sources) == (("a", "b"), ("a", "b", "c"))
    found = {(t.role, t.task): t for t in task_agreements(table, grid)}
    assert found["target", "b"].percentage == percentage_agreement(table[:, 3:])
    assert found["source", "c"].percentage == percentage_agreement(table[:, [2, 5]])
    assert found["target", "a"].fleiss == pytest.approx(fleiss_kappa(table[:, :3]), nan_ok=True)


def test_a_row_of_one_block_has_no_chance_level():
    found = task_agreements([["x", "y"], ["x", "x"]], grid_of(["a/a", "b/a"]))
    assert found[0].percentage == 1
    assert math.isnan(found[0].chance)


@pytest.mark.parametrize("blocks", [["a", "b"], ["a/b/c"], ["/a", "b/"], ["a/b", "c"]])
def test_no_grid(blocks):
    assert grid_of(blocks) is None


# Chance and scores ----------------------------------------------------------------------------------------------------


def test_random_policy_against_drawing_labels():
    found = random_policy(4, [4, 5, 5, 3], observed=0.5, draws=4000)
    rng = np.random.default_rng(9)
    drawn = [percentage_agreement(np.stack([rng.integers(0, c, 4) for c in (4, 5, 5, 3)], axis=1)) for _ in range(1500)]
    assert found.expected == pytest.approx(np.mean([1 / 4, 1 / 5, 1 / 5, 1 / 3]))
    assert np.mean(drawn) == pytest.approx(found.expected, abs=0.01)
    assert found.percentage == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.06)
    assert found.p == pytest.approx(np.mean(np.array(drawn) >= 0.5), abs=0.02)


def test_random_policy_refuses_nonsense():
    for runs, choices in ((1, [2]), (3, []), (3, [0])):
        with pytest.raises(InputError):
            random_policy(runs, choices, 0.5)


def test_agreement_with_others_equals_the_mean_of_its_pairs():
    for table in random_tables(20):
        expected = [
            np.mean([(table[r] == table[s]).mean() for s in range(len(table)) if s != r]) for r in range(len(table))
        ]
        np.testing.assert_allclose(agreement_with_others(table), expected, atol=1e-12)


def test_rank_correlation_equals_scipy():
    rng = np.random.default_rng(2)
    for n in (3, 5, 7, 12):
        for _ in range(10):
            x, y = rng.integers(0, 5, n), rng.integers(0, 9, n)
            assert rank_correlation(x, y).tau == pytest.approx(stats.kendalltau(x, y).statistic, nan_ok=True)
    x, y = rng.random(6), rng.random(6)
    found = rank_correlation(x, y)
    assert found.exact
    assert found.p == pytest.approx(stats.kendalltau(x, y, method="exact").pvalue)
