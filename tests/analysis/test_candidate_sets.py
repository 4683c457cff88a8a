"""Chance within candidate sets and from the candidates: against irrCAC, loops, enumeration and examples by hand."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from nas_ctx.analysis import (
    LIGHT_WITHIN,
    block_interval,
    brennan_prediger,
    chance_test,
    cohens_kappa,
    fleiss_kappa,
    fleiss_kappa_within,
    gwets_ac1,
    lights_kappa,
    lights_kappa_within,
    percentage_agreement,
    random_policy,
)
from nas_ctx.analysis.stats.candidate_sets import gwet_within_parts
from nas_ctx.analysis.stats.ratings import Candidates, rating_matrix
from nas_ctx.errors import InputError

from .tables import random_tables

OPERATIONS, INPUTS = ["conv3", "conv5", "skip"], [0, 1]


def mixed_table(seed: int, blocks: int = 12) -> tuple[np.ndarray, list[list[object]]]:
    """Four runs over blocks of operations and blocks of inputs, in a random order."""
    rng = np.random.default_rng(seed)
    candidates = [[OPERATIONS, INPUTS][kind] for kind in rng.permutation([0, 1] * (blocks // 2))]
    truth = [of[rng.integers(len(of))] for of in candidates]
    table = [[t if rng.random() < 0.5 else of[rng.integers(len(of))] for t, of in zip(truth, candidates, strict=True)]
             for _ in range(4)]  # fmt: skip
    return np.array(table, dtype=object), candidates


def expected_within(table, candidates, chance_of) -> float:
    """(p_o - p_e) / (1 - p_e), p_e the mean over the blocks of their set's chance level."""
    sets = {}
    for block, of in enumerate(candidates):
        sets.setdefault(tuple(of), []).append(block)
    p_e = sum(len(blocks) * chance_of(table[:, blocks], of) for of, blocks in sets.items()) / len(candidates)
    return (percentage_agreement(table) - p_e) / (1 - p_e)


def cohen_chance(table, _) -> float:
    return sum(np.mean(table[0] == label) * np.mean(table[1] == label) for label in set(table.ravel()))


def fleiss_chance(table, _) -> float:
    return sum(np.mean(table == label) ** 2 for label in set(table.ravel()))


def gwet_chance(table, candidates) -> float:
    shares = [np.mean(table == label) for label in set(table.ravel())]
    return sum(share * (1 - share) for share in shares) / (len(candidates) - 1)


@pytest.mark.parametrize("seed", range(30))
def test_within_forms_equal_loops_over_the_sets(seed):
    table, candidates = mixed_table(seed)
    pairs = [expected_within(table[[r, s]], candidates, cohen_chance) for r, s in itertools.combinations(range(4), 2)]
    assert lights_kappa_within(table, candidates) == pytest.approx(np.mean(pairs), abs=1e-12)
    fleiss = expected_within(table, candidates, fleiss_chance)
    assert fleiss_kappa_within(table, candidates) == pytest.approx(fleiss, abs=1e-12)
    blocks = rating_matrix(table, candidates=candidates)
    gwet = gwet_within_parts(blocks, np.ones((1, 12))).value[0]
    assert gwet == pytest.approx(expected_within(table, candidates, gwet_chance), abs=1e-12)


def test_by_hand():
    """Two blocks of a or b, two of 3 or 5; the figures are worked out beside each line."""
    table = [["a", "b", 3, 5], ["a", "b", 3, 3], ["a", "a", 3, 5]]
    candidates = [["a", "b"], ["b", "a"], [3, 5], [3, 5]]
    # Agreement (1 + 1/3 + 1 + 1/3) / 4 = 2/3. Pairs: 3/4, 3/4 and 2/4 of the blocks. In each set one run splits evenly,
    # so chance is 1/2 for every pair: kappas 1/2, 1/2, 0.
    assert lights_kappa_within(table, candidates) == pytest.approx(1 / 3)
    # In each set four of six labels are alike: chance (4/6)^2 + (2/6)^2 = 5/9, and (2/3 - 5/9) / (4/9) = 1/4.
    assert fleiss_kappa_within(table, candidates) == pytest.approx(1 / 4)
    # Two candidates each: chance 1/2, (2/3 - 1/2) / (1/2) = 1/3.
    assert brennan_prediger(table, candidates) == pytest.approx(1 / 3)
    # With a third operation in two blocks: chance (2 * 1/3 + 2 * 1/2) / 4 = 5/12, (2/3 - 5/12) / (7/12) = 3/7.
    assert brennan_prediger(table, [["a", "b", "c"]] * 2 + [[3, 5]] * 2) == pytest.approx(3 / 7)
    # Pooled, the sets' halves count as agreement: chance 2 (1/3)^2 + 2 (1/6)^2 = 5/18, (2/3 - 5/18) / (13/18) = 7/13.
    assert fleiss_kappa(table) == pytest.approx(7 / 13)


def test_equal_candidates_give_the_plain_forms():
    for table in random_tables(40):
        labels = sorted(set(table.ravel()))
        candidates = [labels] * table.shape[1]
        close = {"abs": 1e-12, "nan_ok": True}
        assert lights_kappa_within(table, candidates) == pytest.approx(lights_kappa(table), **close)
        assert fleiss_kappa_within(table, candidates) == pytest.approx(fleiss_kappa(table), **close)


IRRCAC = json.loads((Path(__file__).parent / "irrcac.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("example", IRRCAC)
def test_brennan_prediger_and_ac1_equal_irrcac(example):
    """It rounds to five digits; ``irrcac.py`` beside this file wrote down what it says."""
    table, labels = np.array(example["ratings"]), example["labels"]
    candidates = [labels] * table.shape[1]
    ours = brennan_prediger(table, candidates)
    assert ours == pytest.approx(example["bp"], abs=1e-5)
    assert brennan_prediger(table, len(labels)) == ours
    ac1 = gwets_ac1(table, n_labels=len(labels))
    assert ac1 == pytest.approx(example["gwet"], abs=1e-5)
    assert gwets_ac1(rating_matrix(table, candidates=candidates)) == ac1


def test_a_block_of_its_own_adds_nothing_to_chance_within_sets():
    table = [["a", "b", "x"], ["a", "b", "y"]]
    candidates = [["a", "b"], ["a", "b"], ["x", "y", "z"]]
    # Agreement 2/3; chance (1/2 + 1/2 + 0) / 3, for x and y never meet in the last block.
    assert lights_kappa_within(table, candidates) == pytest.approx((2 / 3 - 1 / 3) / (2 / 3))
    own = [["a", "b"], ["b", "c"], ["x", "y", "z"]]
    assert np.isnan(lights_kappa_within([["a", "b", "x"], ["a", "b", "x"]], own))


def test_names_of_other_blocks_change_nothing():
    """A value of some blocks may be called like one of the others, or like none."""
    table, candidates = mixed_table(3)
    found = []
    for name in (0, "conv3", "w"):
        renamed = np.array([[name if v == 0 else v for v in row] for row in table], dtype=object)
        called = [[name if v == 0 else v for v in of] for of in candidates]
        found.append((lights_kappa_within(renamed, called), chance_test(renamed, candidates=called, seed=1).p))
    assert found[0] == found[1] == found[2]


def test_a_label_that_is_no_candidate_is_refused():
    with pytest.raises(InputError, match="block 1 has the label 'x', which is none of its candidates"):
        lights_kappa_within([["a", "x"], ["a", "b"]], [["a", "b"], ["a", "b"]])
    with pytest.raises(InputError, match="candidates are given for 1 blocks, but there are 2"):
        brennan_prediger([["a", "b"], ["a", "b"]], [["a", "b"]])
    with pytest.raises(InputError, match="candidates is 1 but 2 labels occur"):
        brennan_prediger([["a", "b"], ["a", "b"]], 1)


def test_sets_are_equal_whatever_the_order_and_the_form():
    assert Candidates.of([[1, "2"], ["2.0", 1.0], [1, True]]).sets.tolist() == [0, 0, 1]


# Tests against chance -------------------------------------------------------------------------------------------------


def enumerated_p(table, candidates) -> float:
    """By writing down every order of every run, and keeping those that move labels among equal candidates only."""
    observed, n = percentage_agreement(table), len(candidates)
    orders = [
        o for o in itertools.permutations(range(n)) if all(candidates[i] == candidates[j] for i, j in enumerate(o))
    ]
    found = [
        percentage_agreement([[row[i] for i in order] for row, order in zip(table, chosen, strict=True)])
        for chosen in itertools.product(orders, repeat=len(table))
    ]
    return float(np.mean(np.array(found) >= observed - 1e-12))


@pytest.mark.parametrize("runs", [2, 3])
def test_permutations_within_sets_equal_enumeration(runs):
    table = [["a", "b", "b", "x", "y"], ["a", "b", "a", "x", "y"], ["b", "b", "a", "x", "x"]][:runs]
    candidates = [["a", "b"]] * 3 + [["x", "y"]] * 2
    found = chance_test(table, candidates=candidates)
    assert found.exact
    assert found.arrangements == 12 ** (runs - 1)
    assert found.p == pytest.approx(enumerated_p(table, candidates))
    sampled = chance_test(table, candidates=candidates, draws=20_000, exact_up_to=0)
    assert sampled.p == pytest.approx(found.p, abs=0.02)
    assert sampled.least_p == pytest.approx(found.least_p, abs=0.02)


def test_what_the_test_cannot_reach():
    few = chance_test([["a", "b", "c"], ["a", "b", "c"]])
    assert (few.least_p, few.can_tell) == (pytest.approx(1 / 6), False)
    own = chance_test([["a", "x"], ["a", "x"]], candidates=[["a", "b"], ["x", "y"]])
    assert (own.p, own.can_tell) == (1.0, False)
    one_odd = chance_test([["none"] * 15 + ["local"]] * 2)  # 16 places of which one agrees: never below 1/16
    assert one_odd.least_p == pytest.approx(1 / 16, abs=0.02)
    assert not one_odd.can_tell
    assert chance_test([list("abcdefgh")] * 3).can_tell


@pytest.mark.parametrize(("runs", "counts"), [(2, (2, 3, 4)), (3, (2, 3)), (4, (2, 3))])
def test_the_p_of_uniform_draws_equals_enumeration(runs, counts):
    tables = list(itertools.product(*(itertools.product(range(q), repeat=runs) for q in counts)))
    agreements = np.array([percentage_agreement(np.array(columns).T) for columns in tables])
    for observed in np.unique(agreements):
        found = random_policy(runs, counts, observed, draws=20)
        assert found.exact
        assert found.p == pytest.approx(np.mean(agreements >= observed - 1e-12), abs=1e-12)


def test_beyond_sixty_runs_the_p_is_sampled():
    assert not random_policy(61, [2, 3], 0.45, draws=50).exact


def test_cohen_does_not_know_of_sets():
    table, candidates = mixed_table(1)
    assert np.array_equal(cohens_kappa(rating_matrix(table, candidates=candidates)), cohens_kappa(table))


def test_intervals_within_sets_know_that_a_chance_level_is_estimated_for_each_set():
    """Of 200 tables of operations and inputs about 95 % hold the value of very many such blocks."""
    rng = np.random.default_rng(5)
    sizes = np.array([7, 3] * 8)
    candidates = [list(range(size)) for size in sizes]

    def drawn(times):
        many = np.tile(sizes, times)
        hidden = rng.integers(0, many)
        return np.where(
            rng.random((5, len(many))) < 0.5, hidden, rng.integers(0, np.broadcast_to(many, (5, len(many))))
        )

    true = lights_kappa_within(drawn(300), candidates * 300)
    tables = [rating_matrix(drawn(1), candidates=candidates) for _ in range(200)]
    held = [block_interval(table, LIGHT_WITHIN).contains(true) for table in tables]
    assert 0.89 <= np.mean(held) <= 0.98
