"""Differences of rows against scipy and statsmodels, and the coverage of their intervals where the truth is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from nas_ctx.cli import main
from nas_ctx.evaluation.contrasts import Contrast
from nas_ctx.evaluation.differences import Difference, estimate
from nas_ctx.evaluation.scores import read_scores
from nas_ctx.evaluation.table import make_table
from tests.evaluation.simulated import simulated_table


def one(ours: list[float], theirs: list[float], *, higher: bool = True, paired: bool = False) -> Difference:
    values = {name: {"m": dict(enumerate(runs))} for name, runs in (("ours", ours), ("theirs", theirs))}
    (difference,) = estimate([Contrast(row="ours", against="theirs", metric="m")], values, {"m": higher}, paired=paired)
    return difference


def normal(count: int, seed: int, deviation: float = 1.0) -> list[float]:
    return list(np.random.default_rng(seed).normal(0, deviation, count))


@pytest.mark.parametrize(
    ("counts", "deviation", "method"),
    [((4, 4), 1.0, "pooled variance"), ((6, 6), 30.0, "Welch"), ((3, 7), 1.0, "Welch")],
)
def test_independent_samples_equal_scipy(counts: tuple[int, int], deviation: float, method: str) -> None:
    ours, theirs = normal(counts[0], 0, deviation), normal(counts[1], 1)
    found = one(ours, theirs)
    expected = stats.ttest_ind(ours, theirs, equal_var=method != "Welch").confidence_interval(0.95)
    assert found.method == method
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_pairs_equal_scipy_and_tell_their_correlation() -> None:
    theirs = normal(6, 2)
    ours = [value + noise for value, noise in zip(theirs, normal(6, 3, 0.1), strict=True)]
    found = one(ours, theirs, paired=True)
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.correlation == pytest.approx(stats.pearsonr(ours, theirs).statistic)
    assert found.high - found.low < one(ours, theirs).high - one(ours, theirs).low


def test_probability_of_improvement_is_mann_whitneys_share() -> None:
    ours, theirs = [1.0, 2.0, 3.0], [2.0, 2.0, 0.5]
    share = stats.mannwhitneyu(ours, theirs).statistic / 9
    assert one(ours, theirs).better == pytest.approx(share)
    assert one(ours, theirs, higher=False).better == pytest.approx(1 - share)


def test_the_detectable_difference_has_the_power_that_it_claims() -> None:
    ours, theirs = normal(5, 4), normal(5, 5)
    found = one(ours, theirs)
    pooled = math.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 2)
    expected = TTestIndPower().solve_power(nobs1=5, alpha=0.05, power=0.8) * pooled
    assert found.detectable == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("ours", "theirs"), [([1.0], [2.0, 3.0]), ([1.0, 1.0], [2.0, 2.0]), ([], [1.0, 2.0])])
def test_no_interval_where_nothing_tells_its_width(ours: list[float], theirs: list[float]) -> None:
    found = one(ours, theirs)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.method == ""


def write_scores(path: Path, rows: dict[str, list[float]], metric: str = "depth/rmse") -> Path:
    lines = [f"{run},{row},{metric},{value}" for row, runs in rows.items() for run, value in enumerate(runs)]
    path.write_text("\n".join(["run,row,metric,value", *lines]))
    return path


@pytest.mark.parametrize("runs", [3, 5, 10])
def test_delta_m_covers_the_truth_although_its_reference_is_uncertain(runs: int) -> None:
    """The single-task means vary as much as the row does: an interval from the row alone covers 83 %."""
    inside = naive = 0
    repeats = 400
    for seed in range(repeats):
        table, truth = simulated_table(runs, seed)
        cell = table.cells["network"]["delta_m"]
        inside += cell.interval[0] <= truth <= cell.interval[1]
        half = stats.t.ppf(0.975, runs - 1) * cell.deviation / math.sqrt(runs)
        naive += abs(cell.mean - truth) <= half
    assert 0.92 <= inside / repeats <= 0.985
    assert naive < inside


def test_simultaneous_intervals_miss_together_in_five_percent() -> None:
    rng = np.random.default_rng(0)
    contrasts = [Contrast(row=f"r{i}", against="r0", metric="m") for i in range(1, 5)]
    missed, repeats = 0, 1000
    for _ in range(repeats):
        values = {f"r{i}": {"m": dict(enumerate(rng.normal(size=3)))} for i in range(5)}
        missed += any(d.low > 0 or d.high < 0 for d in estimate(contrasts, values, {"m": True}))
    assert 0.02 <= missed / repeats <= 0.07


def test_scores_of_another_tracker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_scores(tmp_path / "s.csv", {"a": [1.0, 1.2, 1.1], "b": [0.5, 0.6, 0.4], "single task": [1, 1.1, 0.9]})
    (tmp_path / "c.yaml").write_text("contrasts: [{row: b, against: a, metric: depth/rmse}]\n")
    assert main(["table", str(path), "--contrasts", str(tmp_path / "c.yaml")]) == 0
    out = capsys.readouterr().out
    (line,) = [
        line.split() for line in out.split("primary")[1].split("exploratory")[0].splitlines() if line[:2] == "b "
    ]
    assert line[1:4] == ["depth/rmse", "3", "-0.6"]
    expected = stats.ttest_ind([0.5, 0.6, 0.4], [1.0, 1.2, 1.1]).confidence_interval(0.95)
    assert [float(line[4]), float(line[6])] == pytest.approx([expected.low, expected.high], rel=5e-3)
    assert line[7] == "1.00"
    assert make_table(read_scores(path)).tasks["depth"].higher_is_better is False
    assert main(["table", str(path), "--figure", str(tmp_path / "f.png")]) == 0


def test_scores_are_shares_or_percent_for_all_rows_of_a_file_alike(tmp_path: Path) -> None:
    path = write_scores(tmp_path / "s.csv", {"weak": [0.5, 0.9], "strong": [40.0, 41.0]}, "semseg/miou")
    assert make_table(read_scores(path)).scales == {"semseg/miou": 1.0}
    path = write_scores(tmp_path / "t.csv", {"weak": [0.3, 0.4], "strong": [0.40, 0.41]}, "semseg/miou")
    assert make_table(read_scores(path)).scales == {"semseg/miou": 100.0}


def test_a_row_named_like_markup_is_text_in_the_headings_of_markdown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_scores(tmp_path / "s.csv", {"<img src=x>": [1.0, 1.2], "b": [0.5, 0.6]})
    assert main(["table", str(path), "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "exploratory against" in out
    assert "<img" not in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run,row,value\n0,a,1\n", "line 1: expected the columns run, row, metric, value"),
        ("run,row,metric,value\n0,a,depth/rmse,x\n", "line 2: value: 'x': expected a number"),
        ("run,row,metric,value\n0,a,rmse,1\n", "line 2: metric: 'rmse': expected TASK/METRIC"),
        ("run,row,metric,value\n0,a,d/zork,1\n", "line 2: is d/zork better when it is higher?"),
        ("run,row,metric,value\n0,a,d/rmse,1\n0,a,d/rmse,2\n", "line 3: run '0' of row 'a' has d/rmse twice"),
        ("run,row,metric,value,higher_is_better\n0,a,d/x,1,maybe\n", "line 2: higher_is_better: 'maybe'"),
        ("run,row,metric,value\n0,a,d/rmse\n", "line 2: expected 4 cells, got 3"),
        ("run,row,metric,value\n", "has no scores"),
        ("", "line 1: expected the columns"),
    ],
)
def test_bad_scores_are_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    (tmp_path / "s.csv").write_text(text)
    assert main(["table", str(tmp_path / "s.csv")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert "s.csv" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("contrasts: [{row: z}]\n", "contrasts.0.row: 'z': the table has a, b"),
        ("contrasts: [{row: b, metric: depth/rms}]\n", "did you mean 'depth/rmse'?"),
        ("contrasts: [{row: a, against: a}]\n", "contrasts.0: compares 'a' with itself"),
        ("contrasts: [{raw: a}]\n", "unknown key"),
        ("contrasts: []\n", "contrasts"),
        ("contrasts: [{row: b}]\nchosen_on: {bb: x}\n", "chosen_on: 'bb': the table has a, b"),
        ("contrasts: [{row: b}]\nchosen_on: [x]\n", "chosen_on: expected a text, or a text for each row"),
        ("contrasts: [{row: b}]\nchosen_on: {b: 1}\n", "chosen_on: expected a text, or a text for each row"),
    ],
)
def test_bad_contrasts_are_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    scores = write_scores(tmp_path / "s.csv", {"a": [1.0, 2.0], "b": [1.0, 3.0]})
    (tmp_path / "c.yaml").write_text(text)
    assert main(["table", str(scores), "--contrasts", str(tmp_path / "c.yaml")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert "c.yaml" in line


@pytest.mark.parametrize("form", ["text", "markdown", "latex"])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("other rooms", ["settings of all rows were chosen on other rooms"]),
        (
            "{b: the test images, '*': a tenth}",
            ["settings of 'b' were chosen on the test images", "settings of all other rows were chosen on a tenth"],
        ),
    ],
)
def test_a_table_says_on_what_settings_were_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, said: str, told: list[str]
) -> None:
    scores = write_scores(tmp_path / "s.csv", {"a": [1.0, 2.0], "b": [1.0, 3.0]})
    (tmp_path / "c.yaml").write_text(f"contrasts: [{{row: b}}]\nchosen_on: {said}\n")
    assert main(["table", str(scores), "--contrasts", str(tmp_path / "c.yaml"), "--format", form]) == 0
    out = capsys.readouterr().out
    assert all(line in out for line in told)
