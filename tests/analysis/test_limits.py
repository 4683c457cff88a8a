"""How large sets of runs may be, and that what makes large ones fast changes no number."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from nas_ctx.analysis import (
    CONGER,
    LIGHT,
    PERCENTAGE,
    STATISTICS,
    Statistic,
    compare,
    extrapolate_stability,
    load_runs,
    rank_correlation,
    reliability,
    vote_stability,
)
from nas_ctx.analysis.io import checks
from nas_ctx.analysis.report.figures import canvas
from nas_ctx.analysis.report.figures.runs import agreement_figure, choice_figure
from nas_ctx.analysis.stats.catalogue import BRENNAN_PREDIGER, LIGHT_WITHIN, WITHIN
from nas_ctx.analysis.stats.ratings import rating_matrix
from nas_ctx.analysis.stats.weights import LeaveOneOut
from nas_ctx.cli import main
from nas_ctx.errors import InputError
from tests.analysis import references


def table(path: Path, blocks: int, runs: int, choice: str = "x") -> Path:
    rows = [f"b{b}," + ",".join(choice if (b + r) % 3 else "y" for r in range(runs)) for b in range(blocks)]
    path.write_text("\n".join(["block," + ",".join(f"r{r}" for r in range(runs)), *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("blocks", "runs", "told"),
    [
        (2, 20001, "20001 runs, of which at most 20000 are compared"),
        (20001, 2, "20001 blocks, of which at most 20000 are compared"),
        (1001, 1000, "1001000 choices, of which at most 1000000 are compared"),
    ],
)
def test_what_is_too_large_is_refused_with_size_and_limit(tmp_path: Path, blocks: int, runs: int, told: str) -> None:
    with pytest.raises(InputError, match=rf"t\.csv: .*{told}"):
        load_runs(table(tmp_path / "t.csv", blocks, runs))


def test_too_many_different_choices_are_refused(tmp_path: Path) -> None:
    rows = [f"b{b}," + ",".join(f"c{b}-{r}" for r in range(20)) for b in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["block," + ",".join(f"r{r}" for r in range(20)), *rows]))
    with pytest.raises(InputError, match="1200 different choices, of which at most 1000 are compared"):
        reliability(load_runs(tmp_path / "t.csv"))


def test_genotype_files_count_together(tmp_path: Path) -> None:
    (tmp_path / "many.json").write_text(json.dumps([{"a": "x", "b": i} for i in range(11000)]))
    (tmp_path / "more.json").write_text(json.dumps([{"a": "y", "b": i} for i in range(11000)]))
    with pytest.raises(InputError, match=r"more\.json and what was given before it: 22000 runs"):
        load_runs([tmp_path / "many.json", tmp_path / "more.json"])


def test_too_many_runs_of_different_choices_are_refused() -> None:
    runs = [{"a": a, "b": b, "c": c} for a, b, c in itertools.product(range(13), repeat=3)]
    with pytest.raises(InputError, match="2197 runs of different choices, of which at most 2000 are compared"):
        reliability(runs)


def repeated(seed: int, runs: int, blocks: int) -> np.ndarray:
    """Ratings (n_runs, n_blocks) of which many rows are equal."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 3, (6, blocks))[rng.integers(0, 6, runs)]


@pytest.mark.parametrize("seed", range(6))
def test_runs_of_the_same_choices_are_compared_once(seed: int) -> None:
    """Each statistic, each p of a pair and each mean over the defined pairs is that of scikit-learn and of loops."""
    table = repeated(seed, 17, 5)
    record = reliability([{f"b{b}": f"c{c}" for b, c in enumerate(row)} for row in table.tolist()], draws=50)
    kappas = references.cohen_matrix(table.tolist())[np.triu_indices(17, k=1)]
    light = record.result(LIGHT)
    assert light.value == pytest.approx(references.light(table.tolist()), abs=1e-13, nan_ok=True)
    assert light.undefined_pairs == np.isnan(kappas).sum()
    assert light.defined_value == pytest.approx(np.nanmean(kappas), abs=1e-13)
    assert record.result(PERCENTAGE).value == pytest.approx(references.percentage(table.tolist()), abs=1e-13)
    assert record.result(CONGER).value == pytest.approx(references.conger(table.tolist()), abs=1e-13)
    others = [np.mean([(table[r] == table[s]).mean() for s in range(17) if s != r]) for r in range(17)]
    np.testing.assert_allclose(record.with_others, others, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", [LIGHT, LIGHT_WITHIN], ids=lambda s: s.key)
def test_the_jackknife_of_runs_of_the_same_choices_is_that_of_tables_without_a_block(kind: Statistic) -> None:
    """Each block taken out of the table itself, and its pairs of runs gone through one by one."""
    table = repeated(3, 14, 9)
    sets = [["a", "b", "c"], ["a", "b", "c", "d"]]
    words = [["abc"[c] for c in row] for row in table]
    found = kind.values(
        rating_matrix(words, candidates=[sets[b // 5] for b in range(9)]), LeaveOneOut.of(9, first_whole=True)
    )
    for left_out in range(-1, 9):
        kept = [b for b in range(9) if b != left_out]
        parts = [[b for b in kept if b // 5 == number] for number in (0, 1)] if kind is LIGHT_WITHIN else [kept]
        kappas = []
        for r, s in itertools.combinations(table, 2):
            agree = sum(r[b] == s[b] for b in kept)
            chance = sum((r[part] == label).sum() * (s[part] == label).sum() / len(part)
                         for part in parts for label in range(3))  # fmt: skip
            kappas.append((agree - chance) / (len(kept) - chance) if chance < len(kept) - 1e-9 else np.nan)
        assert found[left_out + 1] == pytest.approx(np.mean(kappas), abs=1e-12, nan_ok=True)


def test_more_runs_than_are_listed_have_a_report_without_the_pairs(tmp_path: Path) -> None:
    """The figures of these 2 001 runs are those of the plain formulas; what would have a row per pair is left out."""
    path = table(tmp_path / "t.csv", 3, 2001)
    assert main(["report", str(path), "--out", str(tmp_path / "out"), "--no-figures", "--draws", "20"]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    codes = np.array([[(b + r) % 3 > 0 for b in range(3)] for r in range(2001)])
    agree = [(codes[r] == codes[r + 1 :]).mean(axis=1).sum() for r in range(2001)]
    assert report["statistics"][0]["value"] == pytest.approx(sum(agree) / (2001 * 1000), abs=1e-12)
    assert report["pairs"] is None
    assert len(report["runs"]) == 2001
    assert any("2001000 pairs of runs are not listed" in note["text"] for note in report["notes"])
    assert not list((tmp_path / "out" / "tables").glob("pair_*"))
    assert "not listed" in (tmp_path / "out" / "report.html").read_text()


def test_rows_of_one_table_are_not_compared_with_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sweep with one seed, each two trials of the same choices were: 20 000 trials took minutes."""
    rows = ["run,a,b,seed", *(f"r{r},x,{'yz'[r % 2]},7" for r in range(50))]
    (tmp_path / "sweep.csv").write_text("\n".join(rows))
    monkeypatch.setattr(checks, "_same_record", lambda run, other: pytest.fail("compared"))
    assert len(load_runs(tmp_path / "sweep.csv", transposed=True)) == 50


def test_rank_correlations_of_many_runs_compare_no_pairs_of_them() -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(0, 7, 400)
    for y in (rng.random(400), rng.integers(0, 3, 400), x + 4 * rng.random(400)):
        first, second = np.triu_indices(400, k=1)
        signs = [np.sign(np.asarray(v)[first] - np.asarray(v)[second]) for v in (x, y)]
        found = rank_correlation(x, y, draws=200)
        assert found.tau == pytest.approx((signs[0] * signs[1]).sum() / np.sqrt(np.prod([(s**2).sum() for s in signs])))
        assert found.p == pytest.approx(scipy.stats.kendalltau(x, y).pvalue, abs=0.06)
        assert (found.arrangements, found.exact) == (200, False)


def test_two_sets_have_a_bound_of_their_own(tmp_path: Path) -> None:
    """Each of the sets could be reported, and their pairs of runs would take hours."""
    one, other = (load_runs(table(tmp_path / name, 1000, 50)) for name in ("a.csv", "b.csv"))
    with pytest.raises(InputError, match="4950 pairs of 100 runs x 1000 blocks are 4950000, of which at most 4000000"):
        compare(one, other)


@pytest.mark.parametrize(("blocks", "runs"), [(600, 2), (6, 200)])
def test_figures_measure_only_the_names_that_they_show(tmp_path: Path, blocks: int, runs: int) -> None:
    """Matplotlib takes a millisecond a name: of 20 000 blocks whose names found no place these were 15 s."""
    record = reliability(load_runs(table(tmp_path / "t.csv", blocks, runs)), draws=20)
    canvas.width_of.cache_clear()
    choice_figure(record), agreement_figure(record)
    assert canvas.width_of.cache_info().misses < 40


@pytest.mark.parametrize("words", ["x" * 3000, "a b " * 800, "ab", "", "W" * 30])
@pytest.mark.parametrize("width", [3.0, 60.0, 150.0])
def test_long_names_are_cut_by_few_measurements(words: str, width: float) -> None:
    """As many letters as find room: one more would not. A letter at a time was measured, which took minutes."""
    canvas.width_of.cache_clear()
    fit = canvas.fitted(words, width)
    assert canvas.width_of.cache_info().misses < 20
    assert fit in (words.strip(), "…") or canvas.width_of(fit) <= width
    if words == "x" * 3000 and fit != "…":
        assert canvas.width_of(f"x{fit}") > width


@pytest.mark.parametrize("statistic", [*STATISTICS, *WITHIN, BRENNAN_PREDIGER], ids=lambda s: s.key)
def test_leaving_out_blocks_needs_no_matrix(statistic) -> None:
    """Each statistic without each block, as the matrix of weights gives it."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 3, (5, 12))
    sets = [["a", "b", "c"], ["a", "b", "c", "d"]]
    blocks = rating_matrix([["abc"[c] for c in row] for row in codes], candidates=[sets[b % 2] for b in range(12)])
    dense = np.ones((12, 12)) - np.eye(12)
    np.testing.assert_allclose(
        statistic.values(blocks, LeaveOneOut.of(12)), statistic.values(blocks, dense), rtol=0, atol=1e-14
    )
    whole = statistic.values(blocks, LeaveOneOut.of(12, first_whole=True))
    assert whole[0] == statistic.values(blocks)[0]


def test_many_runs_are_looked_at_in_sixty_sizes() -> None:
    rng = np.random.default_rng(0)
    found = vote_stability(rng.integers(0, 3, (200, 8)))
    assert (len(found), found[0].k, found[-1].k, found[-1].blocks) == (60, 2, 200, 1.0)
    assert {entry.subsets for entry in found if entry.kind == "sampled subsets"} == {2000}


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.4, 0.6), (1.0, 0.0), (0.25, 0.25, 0.25, 0.25)])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_extrapolation_is_that_of_every_way_to_vote(shares: tuple[float, ...], k: int) -> None:
    """All sequences of k votes, each with its probability."""
    from nas_ctx.analysis import plurality_probability

    expected = 0.0
    for votes in itertools.product(range(len(shares)), repeat=k):
        counts = [votes.count(choice) for choice in range(len(shares))]
        if all(counts[0] > other for other in counts[1:]):
            expected += float(np.prod([shares[vote] for vote in votes]))
    assert plurality_probability(shares, k) == pytest.approx(expected, abs=1e-13)


def test_extrapolation_of_many_blocks_at_once_is_that_of_each() -> None:
    rng = np.random.default_rng(1)
    ratings = rng.integers(0, 4, (9, 40))
    (together,) = extrapolate_stability(ratings, [7])
    each = [extrapolate_stability(ratings[:, [b]], [7])[0].blocks for b in range(40)]
    assert together.blocks == pytest.approx(np.nanmean(each))
