"""Where the candidates of a block are known from, what depends on them, and what a report says without them."""

from __future__ import annotations

import html
import itertools
import json
import random
import re
from collections import Counter

import numpy as np
import pytest
import scipy.stats

from nas_ctx.analysis import (
    BRENNAN_PREDIGER,
    FLEISS_WITHIN,
    GWET,
    LIGHT,
    LIGHT_WITHIN,
    PERCENTAGE,
    Run,
    brennan_prediger,
    chance_test,
    gwets_ac1,
    lights_kappa,
    load_runs,
    read_candidates,
    reliability,
    verdict,
    write_report,
)
from nas_ctx.analysis.report.report_json import report_json
from nas_ctx.analysis.significance import Standing
from nas_ctx.analysis.stats.random_policy import agreeing_pairs_of, occurring_p
from nas_ctx.analysis.stats.ratings import rating_matrix
from nas_ctx.analysis.wording import policy_words
from nas_ctx.cli import main
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype

from .searches import FOUR_TASKS, drawn_genotypes, write_runs

GRID = [f"{target}/{source}" for target in FOUR_TASKS for source in FOUR_TASKS]
MIXED = {f"op{i}": ["conv3", "conv5", "skip"] for i in range(4)} | {f"in{i}": [0, 1] for i in range(4)}


def drawn(candidates, runs=5, seed=0):
    rng = np.random.default_rng(seed)
    return [{block: values[rng.integers(len(values))] for block, values in candidates.items()} for _ in range(runs)]


def figures(record):
    kappas = {result.statistic.key: result.value for result in record.results}
    return kappas, record.test.p, record.policy.p if record.policy else None


# Where they are known from --------------------------------------------------------------------------------------------


def test_genotype_files_record_them_and_old_ones_load(tmp_path):
    Genotype({"a": (0, 2)}, {"candidates": {"a": [(0, 2), 1]}}).save(tmp_path / "new.json")
    assert Genotype.load(tmp_path / "new.json").candidates == {"a": ((0, 2), 1)}
    (tmp_path / "old.json").write_text('{"format": "nas_ctx.genotype/1", "choices": {"a": "x"}, "meta": {}}')
    assert Genotype.load(tmp_path / "old.json").candidates == {}
    with pytest.raises(InputError, match="candidates: expected an object of blocks and lists"):
        _ = Genotype({"a": "x"}, {"candidates": ["x"]}).candidates


def test_known_from_genotypes_histories_configurations_and_what_is_given(tmp_path):
    recorded = [Genotype(choices, {"candidates": MIXED}) for choices in drawn(MIXED)]
    record = reliability(recorded, draws=20)
    assert (record.candidates, record.candidates_from) == ((3,) * 4 + (2,) * 4, "the genotypes")
    given = reliability(drawn(MIXED), candidates=MIXED, draws=20)
    assert figures(given) == figures(record)
    histories = reliability(load_runs(write_runs(tmp_path, 3)), draws=20)
    assert histories.candidates_from == "the histories"
    assert set(histories.candidates) == {4, 5}
    settings = {"configuration": {"model.contexts": ["none", "local", "s-label"]}}
    few = [Run(name, {"a/a": "none", "a/b": "s-label"}, settings=settings) for name in "xy"]
    assert reliability(few, draws=20).candidates == (2, 3)


def test_the_papers_candidates_are_assumed_for_contexts_on_a_grid_and_that_is_said():
    record = reliability(drawn_genotypes(4), draws=20)
    assert sorted(record.candidates) == [4] * 4 + [5] * 12
    assert "assumed to be the five relational contexts, since no run says so" in policy_words(record)


def test_without_them_nothing_that_needs_them_is_shown():
    record = reliability(drawn(MIXED), draws=20)
    assert record.candidates is None
    assert record.policy is None
    assert {result.statistic for result in record.results}.isdisjoint({BRENNAN_PREDIGER, LIGHT_WITHIN})
    assert "is not known" in policy_words(record)
    content = report_json(record)
    assert content["candidates"] == {"known_from": "nothing: they are not known", "by_block": None}
    assert content["random_policy"] is None
    assert {vote["n_choices"] for vote in content["votes"]} == {None}


def test_an_nni_trial_reports_them(tmp_path):
    from .test_runs import DONE, write_experiment

    trials = {
        f"t{i}": (i, DONE, {"default": 0, "genotype": choices, "candidates": MIXED})
        for i, choices in enumerate(drawn(MIXED, 2))
    }
    assert reliability(load_runs(write_experiment(tmp_path / "abcd1234", trials)), draws=20).candidates is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["a", [0, 1], null]', ["a", (0, 1), None]),
        ('{"x": ["a", "b"]}', {"x": ["a", "b"]}),
        ('{"x": {"_type": "choice", "_value": [1, 2]}}', {"x": [1, 2]}),
    ],
)
def test_the_file_of_candidates(tmp_path, text, expected):
    path = tmp_path / "candidates.json"
    path.write_text(text)
    assert read_candidates(path) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3", "expected a list of candidates, or an object"),
        ("{}", "expected a list of candidates, or an object"),
        ("[]", "expected a list of candidates, got []"),
        ('{"x": "a"}', "block 'x': expected a list of candidates, got 'a'"),
        ('{"x": {"_type": "uniform", "_value": [0, 1]}}', "block 'x': expected the _type 'choice', got 'uniform'"),
        ('{"x": [{"a": 1}]}', "a candidate is a word, a number or a list of them, got {'a': 1}"),
        ('{"x": ["a", "b"]}', "block 'y' is missing; those of every block are needed"),
        ('{"x": ["a", "b"], "yy": ["a"]}', "no run has a block 'yy'; did you mean 'y'?"),
        ('{"x": ["a", "b"], "y": ["a"]}', "block 'y' holds 'b', which is none of its candidates ('a')"),
    ],
)
def test_wrong_candidates_are_one_line_and_exit_code_2(tmp_path, capsys, text, told):
    table, path = tmp_path / "t.csv", tmp_path / "candidates.json"
    table.write_text("block,r,s\nx,a,b\ny,b,b\n")
    path.write_text(text)
    assert main(["report", str(table), "--out", str(tmp_path / "out"), "--candidates", str(path)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


# What depends on them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_renaming_a_value_of_one_block_changes_no_figure(seed):
    """A width that happens to be called 0, like another block's input, or x, like nothing else."""
    plain = reliability(drawn(MIXED, seed=seed), candidates=MIXED, draws=50)
    for name in (0, "x"):
        renamed = {block: [name if value == "skip" else value for value in values] for block, values in MIXED.items()}
        assert figures(reliability(drawn(renamed, seed=seed), candidates=renamed, draws=50)) == figures(plain)
    own = {block: [f"{block}: {value}" for value in values] for block, values in MIXED.items()}
    apart = reliability(drawn(own, seed=seed), candidates=own, draws=50)
    alike = {block: list("abc"[: len(values)]) for block, values in MIXED.items()}
    together = {block: [f"{block}: {v}" if block == "op0" else v for v in values] for block, values in alike.items()}
    one = reliability(drawn(alike, seed=seed), candidates=alike, draws=50)
    two = reliability(drawn(together, seed=seed), candidates=together, draws=50)
    assert apart.result(PERCENTAGE).value == plain.result(PERCENTAGE).value
    assert one.result(BRENNAN_PREDIGER).value == pytest.approx(two.result(BRENNAN_PREDIGER).value)


@pytest.mark.parametrize("seed", range(5))
def test_the_papers_grid_keeps_its_pooled_figures(seed):
    """The supplement pools over the grid although the diagonal has no s-label."""
    genotypes = drawn_genotypes(5, seed=seed)
    record = reliability(genotypes, draws=20)
    table = [list(genotype.values()) for genotype in genotypes]
    assert record.result(LIGHT).value == lights_kappa(table)
    own = {
        block: [name for name in CONTEXT_NAMES if name != "s-label" or len(set(block.split("/"))) > 1] for block in GRID
    }
    candidates = [own[block] for block in genotypes[0]]
    assert record.result(BRENNAN_PREDIGER).value == pytest.approx(brennan_prediger(table, candidates))
    assert record.leading.statistic is LIGHT_WITHIN


def test_ac1_uses_the_number_of_candidates_that_is_known():
    """Five runs of 4 x 4 that use two of five types: with q = 2 it would be far lower."""
    rng = np.random.default_rng(0)
    genotypes = [{block: ("none", "local")[rng.integers(2)] for block in GRID} for _ in range(5)]
    table = [list(genotype.values()) for genotype in genotypes]
    assert reliability(genotypes, draws=20).result(GWET).value == gwets_ac1(table, n_labels=5) > 0.3
    assert gwets_ac1(table) < 0.2


def test_what_leads():
    same = {f"b{i}": ["x", "y"] for i in range(6)}
    assert reliability(drawn(same), candidates=same, draws=20).leading.statistic is LIGHT
    assert reliability(drawn(same), candidates=["x", "y"], draws=20).leading.statistic is LIGHT
    assert reliability(drawn(MIXED), candidates=MIXED, draws=20).leading.statistic is LIGHT_WITHIN
    small = {block: values for block, values in MIXED.items() if block not in ("in2", "in3")}
    few = reliability(drawn(small), candidates=small, draws=20).leading
    assert few.statistic is LIGHT_WITHIN
    assert few.interval is None
    assert "fewer than 4 blocks" in few.note
    odd = {**MIXED, "width": [8, 16]}
    record = reliability(drawn(odd), candidates=odd, draws=20)
    assert record.leading.statistic is BRENNAN_PREDIGER
    assert FLEISS_WITHIN in {result.statistic for result in record.results}


# Verdicts -------------------------------------------------------------------------------------------------------------


def test_uniformly_random_runs_over_blocks_of_their_own_candidates_are_seldom_praised():
    """Pooled kappas of such runs are about 0.32, and the old verdict praised all of them."""
    own = {f"b{i}": [f"b{i} {value}" for value in "xyz"] for i in range(16)}
    praised, pooled = 0, []
    for seed in range(60):
        record = reliability(drawn(own, seed=seed), candidates=own, draws=20)
        praised += record.standing.beyond_chance
        pooled.append(record.result(LIGHT).value)
        assert not record.test.can_tell
    assert praised <= 8
    assert np.mean(pooled) > 0.25
    faithful = [{block: values[0] for block, values in own.items()}] * 3 + drawn(own, 2)
    record = reliability(faithful, candidates=own, draws=20)
    assert record.standing is Standing.BEYOND_UNIFORM
    assert "since blocks have candidates of their own" in verdict(record)[1]


def test_too_few_to_tell_is_not_no_dominating_choice():
    record = reliability([{"x": "a", "y": "b", "z": "c"}] * 2, draws=20)
    second = verdict(record)[1]
    assert "too little to tell it from chance" in second
    assert "p could not be below 0.17" in second
    assert "no dominating choice" not in second
    assert not record.standing.beyond_chance


def test_of_nearly_all_none_what_is_known_is_said():
    runs = [dict.fromkeys(GRID, "none") for _ in range(5)]
    runs[0] = {**runs[0], "semseg/depth": "local"}
    first, second = verdict(reliability(runs, draws=50))
    assert "too little to tell it from chance: every arrangement of these choices" in second
    assert "the runs choose none whatever the block (79 of 80 choices)" in second
    assert "independent uniform draws would hardly do (p < 0.001)" in second
    assert "no dominating choice" not in second
    assert "80 of 80" not in first


def test_whatever_the_block_needs_more_than_half_of_the_choices():
    half = [{f"b{i}": ("x", "y", "z", "x")[(i + r) % 4] for i in range(8)} for r in range(4)]
    record = reliability(half, draws=50)
    assert record.table.common.votes.sum(axis=0).max() == 16
    assert "whatever the block" not in verdict(record)[1]


def test_two_runs_do_not_say_how_many_would_do():
    from nas_ctx.analysis.wording import stability_words

    assert "Two runs cannot show" in stability_words(reliability(drawn(MIXED, 2), draws=20))
    assert "Two runs" not in stability_words(reliability(drawn(MIXED, 3), draws=20))


def test_a_word_of_landis_and_koch_only_where_the_interval_lies_in_one_class():
    from dataclasses import replace

    from nas_ctx.analysis import Interval
    from nas_ctx.analysis.wording import conventional

    result = reliability(drawn(MIXED), draws=20).result(LIGHT)
    assert conventional(replace(result, value=0.5, interval=Interval(0.95, 0.42, 0.58))) == "moderate"
    assert conventional(replace(result, value=0.5, interval=Interval(0.95, 0.38, 0.58))) == ""
    assert conventional(replace(result, value=0.5, interval=None)) == ""


def test_the_candidates_of_a_search_are_in_its_genotype():
    from nas_ctx.search import GumbelSearch
    from tests.search.toy import ToySpace, run_search, toy_evaluator

    strategy = GumbelSearch()
    run_search(strategy, ToySpace(), toy_evaluator(2))
    genotype = strategy.genotype()
    assert set(genotype.candidates) == set(genotype)
    for block, choice in genotype.items():
        assert choice in genotype.candidates[block]
    assert json.loads(json.dumps(genotype.to_json()))["meta"]["candidates"]


def noise(runs: int, blocks: list[list[object]], seed: int) -> list[dict[str, object]]:
    """Runs that draw uniformly among each block's candidates."""
    rng = random.Random(seed)
    return [{f"b{i}": rng.choice(own) for i, own in enumerate(blocks)} for _ in range(runs)]


OWN = [["relu", "gelu"], [3, 5, 7], ["max", "mean", "none"], [16, 32, 64, 128], [0, 1]]


def test_noise_over_unknown_candidates_is_not_called_more_than_chance(tmp_path):
    """Each such table was called so before; of 200 so many may be as a test of 5 % allows (binomial, 1e-4)."""
    tables = [[list(run.values()) for run in noise(20, OWN, seed)] for seed in range(200)]
    assert max(chance_test(table, draws=40).p for table in tables[:10]) < 0.05
    alone = [occurring_p(rating_matrix(table)) for table in tables]
    assert sum(p < 0.05 for p in alone) <= scipy.stats.binom.isf(1e-4, 200, 0.05)
    withheld = reliability(noise(5, OWN, 0), draws=40)
    assert withheld.standing is Standing.UNKNOWN
    first, second = verdict(withheld)
    assert "unknown: give --candidates" in first
    assert "cannot be told while the candidates are unknown" in second
    write_report(withheld, tmp_path, figures=False)
    for name in ("report.md", "report.html"):
        assert "while the candidates are unknown" in (tmp_path / name).read_text()
    known = reliability(noise(5, OWN, 0), draws=20, candidates={f"b{i}": own for i, own in enumerate(OWN)})
    assert "unknown" not in " ".join(verdict(known))


@pytest.mark.parametrize(("runs", "values", "of"), [(4, 2, 3), (5, 3, 4), (6, 3, 3)])
def test_uniform_draws_given_what_occurs_by_brute_force(runs, values, of):
    """Whatever number of candidates ``of`` a block has: the same distribution, counted over all draws."""
    counts = Counter()
    for draw in itertools.product(range(of), repeat=runs):
        if len(set(draw)) == values:
            counts[sum(a == b for a, b in itertools.combinations(draw, 2))] += 1
    expected = np.array([counts[pairs] for pairs in range(runs * (runs - 1) // 2 + 1)]) / sum(counts.values())
    assert agreeing_pairs_of(runs, values, True) == pytest.approx(expected)


def test_a_number_that_two_unlike_blocks_have_is_two_choices(tmp_path):
    runs = [{"skip": 1, "depth": depth} for depth in (1, 2)]
    write_report(reliability(runs, draws=20, candidates={"skip": [0, 1], "depth": [1, 2, 3]}), tmp_path, figures=False)
    assert "5 choices, 3 of them made" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("known", [True, False])
def test_the_box_shows_the_p_value_of_the_sentence(known, tmp_path):
    runs = [{f"b{i}": own[0] if run < 6 else own[-1] for i, own in enumerate(OWN)} for run in range(8)]
    record = reliability(runs, draws=100, candidates={f"b{i}": own for i, own in enumerate(OWN)} if known else None)
    write_report(record, tmp_path, figures=False)
    box = re.search(r'class="tile">.{0,80}p value against chance', (tmp_path / "report.html").read_text(), re.DOTALL)
    assert box is not None
    p = re.search(r"\(p ([<=] [0-9.]+)\)", verdict(record)[1])
    assert p is not None
    assert p[1].strip("= ") in html.unescape(box[0])
