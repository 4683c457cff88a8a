"""Every statistic against implementations from elsewhere, published tables, degenerate tables and its properties."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nas_ctx.analysis import (
    KRIPPENDORFF,
    LIGHT,
    STATISTICS,
    cohens_kappa,
    congers_kappa,
    fleiss_kappa,
    gwets_ac1,
    krippendorff_alpha,
    landis_koch,
    lights_kappa,
    percentage_agreement,
)
from nas_ctx.analysis.stats.ratings import rating_matrix
from nas_ctx.errors import InputError

from . import references
from .tables import (
    FLEISS_14_RATERS,
    FLEISS_1971,
    GWET_PARADOX,
    KRIPPENDORFF_2011,
    random_tables,
    rows_of_counts,
    two_raters,
)

CLOSE = {"rel": 0, "abs": 1e-12, "nan_ok": True}
PAIRS = {
    "percentage": (percentage_agreement, references.percentage),
    "light": (lights_kappa, references.light),
    "fleiss": (fleiss_kappa, references.fleiss),
    "conger": (congers_kappa, references.conger),
    "krippendorff": (krippendorff_alpha, references.krippendorff_nominal),
    "gwet": (gwets_ac1, references.gwet),
}
FUNCTIONS = [ours for ours, _ in PAIRS.values()]

# What each must be on tables where an implementation may slip; None is nan (0/0).
DEGENERATE = {
    "one label throughout": ([["a"] * 4] * 3, 1.0),
    "two runs, one label": ([["a", "a"], ["a", "a"]], 1.0),
    "all agree, two labels": ([["a", "b"]] * 3, 1.0),
    "all agree, a label per block": ([["a", "b", "c", "d"]] * 4, 1.0),
    "two constant runs that differ": ([["a"] * 3, ["b"] * 3], 0.0),
    "each run constant, another label each": ([["a"] * 3, ["b"] * 3, ["c"] * 3], 0.0),
    "one pair constant, one run other": ([["a"] * 4, ["a"] * 4, ["a", "b", "a", "b"]], 2 / 3),
    "one run constant": ([["a"] * 4, ["a", "b", "a", "b"]], 0.5),
    "perfect disagreement": ([["a", "b"], ["b", "a"]], 0.0),
    "smallest table, half": ([["a", "b"], ["a", "a"]], 0.5),
    "one odd block": ([["a"] * 9 + ["b"], ["a"] * 10], 0.9),
    "many labels, none shared": ([["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]], 0.0),
    "two runs, no label used twice": ([["a", "b", "c"], ["b", "c", "a"]], 0.0),
    "twenty runs, one deviates once": ([["a", "b"]] * 19 + [["a", "a"]], 1 - 19 / 380),
}


@pytest.mark.parametrize("name", PAIRS)
def test_equals_the_reference_on_random_tables(name):
    ours, theirs = PAIRS[name]
    for table in random_tables(200):
        assert ours(table) == pytest.approx(theirs(table.tolist()), **CLOSE)


def test_krippendorff_with_missing_ratings_on_random_tables():
    compared = 0
    for table in random_tables(200, missing=True):
        expected = references.krippendorff_nominal(table.tolist())
        assert krippendorff_alpha(table) == pytest.approx(expected, **CLOSE)
        compared += not np.isnan(expected)
    assert compared > 150


def test_all_pairs_equal_scikit_learn():
    for table in random_tables(200):
        np.testing.assert_allclose(cohens_kappa(table), references.cohen_matrix(table.tolist()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("name", PAIRS)
def test_degenerate_tables(name, case):
    table, agreement = DEGENERATE[case]
    ours, theirs = PAIRS[name]
    assert ours(table) == pytest.approx(theirs(table), **CLOSE)
    assert percentage_agreement(table) == pytest.approx(agreement)


def test_zero_by_zero_is_nan_and_never_a_number():
    constant = [["a"] * 4, ["a"] * 4, ["a", "b", "a", "b"]]
    kappas = cohens_kappa(constant)
    assert np.isnan(kappas[0, 1])
    assert np.isnan(kappas[0, 0])
    assert kappas[0, 2] == 0
    assert np.isnan(lights_kappa(constant))
    for function in (lights_kappa, fleiss_kappa, congers_kappa, gwets_ac1, krippendorff_alpha):
        assert np.isnan(function([["a"] * 4] * 3))


def test_published_fleiss_1971():
    table = rows_of_counts(FLEISS_1971)
    assert fleiss_kappa(table) == pytest.approx(0.430, abs=5e-4)
    assert percentage_agreement(table) == pytest.approx(0.556, abs=5e-4)


def test_published_fleiss_14_raters():
    table = rows_of_counts(FLEISS_14_RATERS)
    assert fleiss_kappa(table) == pytest.approx(0.210, abs=5e-4)
    assert percentage_agreement(table) == pytest.approx(0.378, abs=5e-4)


def test_published_krippendorff_2011():
    assert krippendorff_alpha(KRIPPENDORFF_2011) == pytest.approx(0.743, abs=5e-4)
    as_floats = np.array([[np.nan if v is None else v for v in row] for row in KRIPPENDORFF_2011], dtype=float)
    assert krippendorff_alpha(as_floats) == krippendorff_alpha(KRIPPENDORFF_2011)


def test_published_gwet_paradox():
    """High agreement, skewed labels: kappa collapses below zero, AC1 stays."""
    table = two_raters(GWET_PARADOX)
    assert percentage_agreement(table) == pytest.approx(0.944, abs=5e-4)
    assert lights_kappa(table) == pytest.approx(-0.0234, abs=5e-5)
    assert gwets_ac1(table) == pytest.approx(0.9408, abs=5e-5)


def test_the_supplements_percentage_is_114_of_160_pairs():
    """Supplement F: 71.2 % for 16 blocks and five runs. Blocks split 5, 4+1, 3+2 ... agree in 10, 6, 4 pairs."""
    splits = [(5,)] * 7 + [(4, 1)] * 4 + [(3, 2)] * 5
    rng = np.random.default_rng(0)
    columns = [rng.permutation([i for i, n in enumerate(split) for _ in range(n)]) for split in splits]
    table = np.stack(columns, axis=1)
    assert percentage_agreement(table) * 160 == pytest.approx(114)
    assert f"{percentage_agreement(table):.3f}" == "0.713"  # 0.7125, which the paper cuts to 71.2 %


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="Rscript is not installed (Debian: r-cran-psych)")
def test_lights_kappa_equals_r_psych(tmp_path):
    """psych::cohen.kappa gives the mean over pairs of three raters and more as av.kappa, where it does not give up."""
    tables = [table for table in random_tables(40) if len(table) > 2]
    for i, table in enumerate(tables):
        np.savetxt(tmp_path / f"{i}.csv", rating_matrix(table).codes.T, fmt="%d", delimiter=",")
    script = f"""
        if (!requireNamespace("psych", quietly = TRUE)) quit(status = 3)
        for (i in 0:{len(tables) - 1}) {{
            x <- as.matrix(read.csv(sprintf("{tmp_path}/%d.csv", i), header = FALSE))
            k <- suppressWarnings(suppressMessages(psych::cohen.kappa(x)$av.kappa))
            cat(if (is.null(k)) "nan" else sprintf("%.17g", k), "\\n")
        }}
    """
    done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip("R is installed but its package psych is not (Debian: r-cran-psych)")
    theirs = [float(line) for line in done.stdout.split()]
    assert len(theirs) == len(tables)
    ours = [lights_kappa(table) for table in tables]  # nan where a pair is 0/0, which psych leaves out of its mean
    both = [(a, b) for a, b in zip(ours, theirs, strict=True) if not np.isnan([a, b]).any()]
    assert len(both) > 20
    for a, b in both:
        assert a == pytest.approx(b, abs=1e-12)


def test_with_two_runs_conger_is_cohen():
    for table in random_tables(50):
        assert congers_kappa(table[:2]) == pytest.approx(cohens_kappa(table[:2])[0, 1], **CLOSE)


def test_gwet_counts_choices_that_nobody_made():
    table = [["a", "b", "a"], ["a", "b", "b"]]
    more = gwets_ac1(table, n_labels=5)
    chance = (0.5 * 0.5 + 0.5 * 0.5) / 4
    assert more == pytest.approx((2 / 3 - chance) / (1 - chance))
    with pytest.raises(InputError, match="2 labels occur"):
        gwets_ac1(table, n_labels=1)


# Properties -----------------------------------------------------------------------------------------------------------

TABLES = st.tuples(st.integers(2, 6), st.integers(2, 12)).flatmap(
    lambda shape: st.lists(
        st.lists(st.sampled_from("abcd"), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


@pytest.mark.parametrize("function", FUNCTIONS)
@settings(max_examples=60, deadline=None)
@given(table=TABLES, data=st.data())
def test_names_and_orders_do_not_matter(function, table, data):
    names = dict(zip("abcd", data.draw(st.permutations([3, "x", (1, 2), 0.5])), strict=True))
    runs = data.draw(st.permutations(range(len(table))))
    blocks = data.draw(st.permutations(range(len(table[0]))))
    changed = [[names[table[r][b]] for b in blocks] for r in runs]
    assert function(changed) == pytest.approx(function(table), **CLOSE)


@settings(max_examples=60, deadline=None)
@given(table=TABLES)
def test_bounds(table):
    assert 0 <= percentage_agreement(table) <= 1
    for function in (lights_kappa, fleiss_kappa, congers_kappa, gwets_ac1):
        value = function(table)
        assert np.isnan(value) or -1 - 1e-12 <= value <= 1 + 1e-12
    alpha = krippendorff_alpha(table)
    assert np.isnan(alpha) or alpha <= 1 + 1e-12


@settings(max_examples=60, deadline=None)
@given(row=st.lists(st.sampled_from("abcd"), min_size=2, max_size=12), runs=st.integers(2, 6))
def test_perfect_agreement_is_one(row, runs):
    assume(len(set(row)) > 1)
    for function in FUNCTIONS:
        assert function([row] * runs) == pytest.approx(1)


def test_agreement_by_chance_is_about_zero():
    table = np.random.default_rng(0).integers(0, 4, (6, 20_000))
    for statistic in STATISTICS[1:]:
        assert abs(statistic.values(rating_matrix(table))[0]) < 0.01
    assert percentage_agreement(table) == pytest.approx(0.25, abs=0.01)


# Weights, the one computation behind estimate, bootstrap and jackknife ------------------------------------------------


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda s: s.key)
def test_a_weight_is_a_repetition(statistic):
    rng = np.random.default_rng(1)
    for table in random_tables(40):
        weights = rng.integers(0, 3, size=(3, table.shape[1])).astype(float)
        weights[:, 0] += 1
        got = statistic.values(rating_matrix(table), weights)
        for row, value in zip(weights.astype(int), got, strict=True):
            repeated = rating_matrix(np.repeat(table, row, axis=1), least_blocks=1)
            repeated = replace(repeated, possible=rating_matrix(table).n_labels)  # resamples keep the number of choices
            assert value == pytest.approx(statistic.values(repeated)[0], **CLOSE)


def test_results_do_not_depend_on_chunks(monkeypatch):
    import nas_ctx.analysis.stats.agreement as module

    table = rating_matrix(random_tables(5)[4])
    whole = LIGHT.values(table)
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 1)
    np.testing.assert_array_equal(LIGHT.values(table), whole)


def test_large_and_small_route_of_all_pairs_agree(monkeypatch):
    table = np.random.default_rng(2).integers(0, 8, (40, 4096))
    some = np.random.default_rng(3).integers(0, 40, (6, 2))
    kappas = cohens_kappa(table)
    for r, s in some:
        assert kappas[r, s] == pytest.approx(cohens_kappa(table[[r, s], :])[0, 1], **CLOSE)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratings", "told"),
    [
        ([["a", "b"]], "at least 2 runs, got 1"),
        ([], "at least 2 runs, got 0"),
        ([["a"], ["a"]], "at least 2 blocks, got 1"),
        ([[], []], "at least 2 blocks, got 0"),
        ([["a", "b"], ["a"]], "run 1 has 1 ratings but run 0 has 2"),
        ([["a", "b"], ["a", {"x"}]], "run 1 for block 1 cannot be hashed: set"),
        ([["a", "b"], ["a", None]], "run 1 for block 1 is missing"),
        (["ab", "ab"], "run 0 must be a sequence of labels, got str 'ab'"),
        ("ab", "must be a table"),
        (7, "must be a table"),
        ([1, 2], "run 0 must be a sequence"),
        (np.zeros(3), "2 dimensions"),
        (np.array([[1.0, np.nan], [1.0, 2.0]]), "run 0 for block 1 is missing"),
    ],
)
@pytest.mark.parametrize("function", [*(f for f in FUNCTIONS if f is not krippendorff_alpha), cohens_kappa])
def test_refused(function, ratings, told):
    with pytest.raises(InputError) as caught:
        function(ratings)
    assert told in str(caught.value)


def test_arrays_of_every_kind_give_the_same():
    table = random_tables(3)[2]
    codes = rating_matrix(table).codes
    expected = fleiss_kappa(table)
    for same in (table.astype(str), codes, codes.astype(np.uint8), codes - 50, codes.astype(float), codes * 10**9):
        assert fleiss_kappa(same) == expected


def test_krippendorff_keeps_what_can_be_paired():
    assert krippendorff_alpha([["a", "b", None], ["a", "b", "c"]]) == 1
    assert np.isnan(krippendorff_alpha([["a", None], [None, "b"]]))
    assert np.isnan(KRIPPENDORFF.values(rating_matrix([["a", None], [None, "b"]], missing=True))[0])


def test_customary_words_are_those_of_landis_and_koch():
    words = [landis_koch(kappa) for kappa in (-0.5, 0, 0.2, 0.21, 0.4, 0.41, 0.6, 0.61, 0.8, 0.81, 1)]
    assert words == [
        "poor", "slight", "slight", "fair", "fair", "moderate", "moderate", "substantial", "substantial",
        "almost perfect", "almost perfect",
    ]  # fmt: skip
    assert landis_koch(float("nan")) == "undefined"
