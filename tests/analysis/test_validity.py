"""Effects of exchanges, variance of retraining, verdicts: against other formulas, other libraries, simulation."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from nas_ctx.analysis import Run, SearchHistory, reliability
from nas_ctx.analysis.report.validity import write_validity
from nas_ctx.analysis.validity import (
    RunExchange,
    Scores,
    TrainedScore,
    Validity,
    collapse_of,
    effect,
    exchange_effects,
    retraining,
    validity,
)
from nas_ctx.analysis.validity.verdicts import does_matter, is_reliable, needed_searches
from nas_ctx.analysis.validity.wording import summary
from nas_ctx.errors import InputError

BLOCKS = ("a/a", "a/b", "b/a", "b/b")
OTHERS = ("none", "global", "local")


def errors_of(rng: np.random.Generator, shifts: dict[str, float], images: int = 40) -> dict[str, Scores]:
    """Scores of candidates on the same images; errors differ by ``shifts``."""
    shared = rng.normal(10, 1, images)
    return {name: Scores.of_mean(shared + shift + rng.normal(0, 0.02, images)) for name, shift in shifts.items()}


def exchanged(rng: np.random.Generator, run: str, shifts: dict[str, dict[str, float]]) -> RunExchange:
    voted = {block: next(name for name, shift in of.items() if shift == 0) for block, of in shifts.items()}
    scores = {block: errors_of(rng, of) for block, of in shifts.items()}
    return RunExchange(run, voted, dict.fromkeys(shifts, False), scores)


def test_the_effect_of_a_mean_in_one_run_is_the_paired_t_interval() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1, 25)
    found = effect([Scores.of_mean(differences)])
    expected = stats.t.interval(0.95, 24, loc=differences.mean(), scale=stats.sem(differences))
    assert found.interval() == pytest.approx(expected)


def test_a_ratio_has_the_uncertainty_that_a_bootstrap_over_images_gives() -> None:
    rng = np.random.default_rng(1)
    hits, pixels = rng.binomial(200, 0.6, 300), rng.integers(150, 250, 300)
    left_out = (hits.sum() - hits) / (pixels.sum() - pixels)
    found = effect([Scores(hits.sum() / pixels.sum(), left_out)])
    drawn = rng.integers(0, 300, (4000, 300))
    assert found.error == pytest.approx((hits[drawn].sum(1) / pixels[drawn].sum(1)).std(), rel=0.06)


def test_intervals_cover_where_runs_and_images_vary() -> None:
    """Of a crossed design the mean is covered at least as often as the level says, and not always."""
    rng, covered = np.random.default_rng(2), []
    for _ in range(400):
        runs, images = rng.normal(0, 1, (5, 1)), rng.normal(0, 3, (1, 30))
        table = runs + images + rng.normal(0, 2, (5, 30))
        low, high = effect([Scores.of_mean(row) for row in table]).interval()
        covered.append(low <= 0 <= high)
    assert 0.93 <= np.mean(covered) <= 0.995


def test_losses_are_percent_of_the_voted_score_in_either_direction() -> None:
    scores = {"none": Scores(2.0, np.array([2.0, 2.0])), "local": Scores(3.0, np.array([2.5, 3.5]))}
    lower = RunExchange("r", {"a/a": "none"}, {"a/a": False}, {"a/a": scores})
    higher = RunExchange("r", {"a/a": "none"}, {"a/a": True}, {"a/a": scores})
    assert lower.losses("a/a")["local"].value == pytest.approx(50)
    assert higher.losses("a/a")["local"].left_out == pytest.approx([-25, -75])
    with pytest.raises(InputError, match="different genotypes"):
        exchange_effects([lower, RunExchange("s", {"a/a": "local"}, {"a/a": False}, {"a/a": scores})])


@pytest.mark.parametrize(("votes", "runs", "offered"), [(4, 5, 5), (3, 5, 5), (5, 9, 4), (3, 3, 2), (6, 7, 2)])
def test_reliable_is_what_uniform_draws_hardly_do(votes: int, runs: int, offered: int) -> None:
    drawn = np.random.default_rng(3).integers(0, offered, (20_000, runs))
    most = np.max([(drawn == name).sum(1) for name in range(offered)], axis=0)
    chance = (most >= votes).mean()
    assert abs(chance - 0.05) > 0.004, "a case that simulation can decide"
    possible = offered ** (1 - runs) < 0.05
    assert is_reliable(votes, runs, offered) == ((chance < 0.05 and 2 * votes > runs) if possible else None)


def test_what_matters_must_exceed_what_is_negligible() -> None:
    rng = np.random.default_rng(4)
    for shifts, expected in [
        ({"none": 0.0, "global": 1.0, "local": 0.01}, True),  # 10 %
        ({"none": 0.0, "global": -1.0, "local": 0.001}, True),
        ({"none": 0.0, "global": 0.02, "local": -0.01}, False),
    ]:
        runs = [exchanged(rng, str(number), {"a/a": shifts}) for number in range(5)]
        assert does_matter(exchange_effects(runs)["a/a"], 1.0) is expected, shifts
    few = [exchanged(rng, "0", {"a/a": {"none": 0.0, "global": 0.1, "local": 0.1}})]
    assert does_matter(exchange_effects(few)["a/a"], 1.0) is None


def trained_set(rng: np.random.Generator, genotypes: int, times: int, between: float, noise: float, repeated: int):
    """Trainings of random genotypes and ``repeated`` of the voted one; genotypes score 50 + N(0, between)."""
    voted = dict.fromkeys(BLOCKS, "none")
    found = []
    for number, code in enumerate(rng.permutation(np.arange(1, 81))[:genotypes]):  # 0 is the voted one
        genotype = {block: OTHERS[code // 3**place % 3] for place, block in enumerate(BLOCKS)}
        level = 50 + between * rng.normal() + 3.0 * (genotype["a/b"] == "none")
        found += [_trained(f"{number}-{t}", genotype, level + noise * rng.normal(), True) for t in range(times)]
    found += [_trained(f"v{t}", voted, 56 + noise * rng.normal(), False) for t in range(repeated)]
    return found, voted


def _trained(name: str, genotype: dict[str, str], score: float, random: bool) -> TrainedScore:
    return TrainedScore(name, genotype, {"a": score, "b": score}, {"a": 1.0, "b": 1.0}, random)


def test_the_share_between_genotypes_is_that_of_a_one_way_anova() -> None:
    trained, voted = trained_set(np.random.default_rng(5), 12, 3, 2.0, 1.0, 0)
    found = retraining(trained, voted)
    values = np.array([network.scores["a"] for network in trained])
    percent = (100 * (values - values.mean()) / values.mean()).reshape(12, 3)
    f, p = stats.f_oneway(*percent)
    assert found.p == pytest.approx(p)
    within, ratio = percent.var(1, ddof=1).mean(), (f - 1) / 3
    assert (found.noise, found.share) == pytest.approx((math.sqrt(within), ratio / (1 + ratio)))
    assert found.share_interval[0] < found.share < found.share_interval[1]
    assert math.isnan(found.vote)


def test_intervals_of_noise_and_share_cover() -> None:
    rng, covered = np.random.default_rng(6), []
    for _ in range(300):
        levels = 50 + 1.5 * np.repeat(rng.normal(size=10), 1)
        random = [_trained(f"r{i}", {"a/a": f"g{i}"}, level + rng.normal(), True) for i, level in enumerate(levels)]
        same = [_trained(f"v{i}", {"a/a": "v"}, 50 + rng.normal(), False) for i in range(5)]
        found = retraining([*random, *same], {"a/a": "v"})
        true_share = 1.5**2 / (1.5**2 + 1)
        low, high = found.noise_interval
        covered.append((found.share_interval[0] <= true_share <= found.share_interval[1], low <= 2.0 <= high))
    assert (np.mean(covered, axis=0) > 0.92).all()


@pytest.mark.parametrize("genotypes", [8, 30])
def test_block_effects_are_those_of_least_squares(genotypes: int) -> None:
    trained, voted = trained_set(np.random.default_rng(7), genotypes, 1, 0.5, 0.5, 2)
    found = retraining(trained, voted)
    values = np.array([network.scores["a"] for network in trained])
    scores = 100 * (values - values.mean()) / values.mean()
    chosen = np.array([[network.genotype[b] == "none" for b in BLOCKS] for network in trained[:genotypes]], dtype=float)
    for number, of in enumerate(found.effects):
        columns = chosen if genotypes == 30 else chosen[:, [number]]
        fit = sm.OLS(scores[:genotypes], sm.add_constant(columns)).fit()
        place = 1 + (number if genotypes == 30 else 0)
        assert of.mean == pytest.approx(fit.params[place])
        assert (of.low, of.high) == pytest.approx(fit.conf_int(1 - 0.95 ** (1 / 4))[place])
    assert found.method == ("one regression on all blocks" if genotypes == 30 else "each block by itself")
    assert found.beaten == 1.0


def test_a_collapse_is_named_with_its_step() -> None:
    leads = {"a/a": [0.5, 0.9, 0.9], "a/b": [0.5, 0.9, 0.9], "b/a": [0.5, 0.2, 0.8], "b/b": [0.5, 0.1, 0.1]}
    shares = {block: np.array([[share, 1 - share] for share in of]) for block, of in leads.items()}
    zeros = np.zeros(3)
    history = SearchHistory(np.array([0, 10, 20]), zeros, zeros, zeros, dict.fromkeys(leads, ("none", "local")), shares)
    choices = {block: "none" if of[-1] > 0.5 else "local" for block, of in leads.items()}
    found = collapse_of(Run("seed-0", choices, history=history))
    assert (found.choice, found.count, found.collapsed, found.since) == ("none", 3, True, 20)
    assert not collapse_of(Run("seed-1", {"a/a": "none", "a/b": "none", "b/a": "local", "b/b": "local"})).collapsed


@pytest.fixture
def record() -> Validity:
    """Five searches: agreed on and mattering, agreed on and idle, disputed and mattering, flat."""
    rng = np.random.default_rng(8)
    choices = {
        "a/a": ["local"] * 5, "a/b": ["none"] * 5, "b/a": ["global", "global", "local", "none", "local"],
        "b/b": ["none", "none", "<b>", "local", "local"],
    }  # fmt: skip
    alpha = {name: {"none": 0.2, "global": 0.3, "local": 0.4, "<b>": 0.1} for name in choices}
    runs = [
        Run(f"seed-{i}", {b: of[i] for b, of in choices.items()}, settings={"seed": i, "probabilities": alpha})
        for i in range(5)
    ]
    shifts = {
        "a/a": {"local": 0.0, "none": 3.0, "global": 2.0, "<b>": 1.0},
        "a/b": {"none": 0.0, "local": 0.01, "global": 0.02, "<b>": 0.01},
        "b/a": {"local": 0.0, "none": 2.0, "global": -1.0, "<b>": 1.0},
        "b/b": {"local": 0.0, "none": 0.01, "global": 0.02, "<b>": 0.01},
    }
    trained, _ = trained_set(rng, 10, 1, 1.0, 0.5, 3)
    voted = {"a/a": "local", "a/b": "none", "b/a": "local", "b/b": "local"}
    return validity(
        reliability(runs, ties="probability", draws=50),
        [exchanged(rng, f"seed-{i}", shifts) for i in range(5)],
        retraining=retraining(trained, voted),
        importance={"a/a": (12.0, 13.0)},
    )


def test_each_block_gets_its_verdict(record: Validity) -> None:
    assert [block.verdict.value for block in record.blocks] == [
        "reliable and matters", "reliable, does not matter", "unreliable, matters", "flat",
    ]  # fmt: skip
    assert [block.better for block in record.blocks] == [None, None, "global", None]
    assert record.perturbation["b/a"] == "global"
    rho = next(of.rho for of in record.correlations if of.second == "cost of a random other")
    expected = stats.spearmanr([1, 1, 0.4, 0.4], [block.mean.mean for block in record.blocks]).statistic
    assert rho == pytest.approx(expected)


@pytest.mark.parametrize("offered", range(2, 8))
def test_the_needed_searches_are_the_fewest_that_chance_hardly_makes_unanimous(offered: int) -> None:
    by_hand = next(runs for runs in range(2, 99) if offered * (1 / offered) ** runs < 0.05)
    assert needed_searches(offered) == by_hand
    guide = (Path(__file__).parents[2] / "docs" / "validity.md").read_text(encoding="utf-8")
    ((needed, *agree),) = re.findall(rf"^\| {offered} \| (\d) \| (.+) \|$", guide, re.MULTILINE)
    assert int(needed) == by_hand
    for searches, least in zip((3, 4, 5, 6, 8, 10), agree[0].split(" | "), strict=True):
        enough = [votes for votes in range(1, searches + 1) if is_reliable(votes, searches, offered)]
        assert least == (str(min(enough)) if enough else "–")


def test_what_cannot_be_told_has_its_reason() -> None:
    rng = np.random.default_rng(9)
    shifts = {"a/a": {"none": 0.0, "global": 3.0, "local": 2.0}, "a/b": {"none": 0.0, "global": 0.1, "local": 0.1}}
    said = {}
    for count in (2, 4):
        runs = [Run(f"seed-{i}", dict.fromkeys(shifts, "none"), settings={"seed": i}) for i in range(count)]
        measured = [exchanged(rng, f"seed-{i}", shifts) for i in range(count)]
        said[count] = summary(validity(reliability(runs, ties="order", draws=20), measured))
    assert said[2] == (
        "Of 2 blocks 2 cannot be told, whatever is measured: 2 searches are too few, at least 4 with 3 candidates are "
        "needed."
    )
    assert said[4].startswith("Of 2 blocks 1 is reliable and matters; 1 cannot be told: the intervals are too wide")


def test_both_pages_are_written_and_lead_to_each_other(record: Validity, tmp_path: Path) -> None:
    page = write_validity(record, tmp_path, figures=False).read_text(encoding="utf-8")
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'href="report.html"' in page
    assert 'href="validity.html"' in report
    summary = "1 is reliable and matters; 1 is reliable and does not matter"
    assert summary in page
    assert summary in report
    assert f'<td class="name">{record.blocks[0].voted}</td>' in page, "a name is not broken at its hyphen"
    assert "<b>" not in page.replace("<b>1 of 4</b>", "").replace("<b>0 of 4</b>", ""), "names are escaped"
    content = json.loads((tmp_path / "validity.json").read_text(encoding="utf-8"))
    assert content["counts"]["flat"] == 1
    assert content["blocks"][0]["others"]["none"]["mean"] == pytest.approx(30, abs=2)
    rows = list(csv.DictReader((tmp_path / "tables" / "exchange.csv").open()))
    assert len(rows) == 12
    assert float(rows[0]["seed-0"]) == pytest.approx(
        content["blocks"][0]["others"][rows[0]["exchanged_for"]]["by_search"][0]
    )
    assert json.loads((tmp_path / "perturbation.json").read_text())["choices"]["b/a"] == "global"
