"""Tables of results: rows, numbers and tests, against published numbers, scipy and statsmodels."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from nas_ctx.cli import main
from nas_ctx.config import check_config, to_yaml
from nas_ctx.errors import InputError
from nas_ctx.evaluation.results import gather, read_results
from nas_ctx.evaluation.table import make_table
from nas_ctx.evaluation.table_figure import _panel
from nas_ctx.genotype import Genotype

TASKS: dict[str, dict] = {"semseg": {}, "depth": {}, "normals": {}, "edge": {"thresholds": 99}}
METRICS = {"semseg": "miou", "depth": "rmse", "normals": "mean_angle", "edge": "ods_f"}
# Means and deviations of table G-1 of the supplement.
PUBLISHED = {
    "single": ([0.3802, 0.6104, 20.94, 0.7622], [0.0014, 0.0041, 0.08, 0.0007]),
    "baseline": ([0.3635, 0.6284, 21.02, 0.7636], [0.0026, 0.0034, 0.06, 0.0005]),
    "atrc": ([0.3890, 0.6010, 20.48, 0.7634], [0.0043, 0.0046, 0.02, 0.0012]),
    "no-self": ([0.3819, 0.6032, 20.55, 0.7622], [0.0046, 0.0038, 0.05, 0.0010]),
}
SEEDS = range(5)


def write_run(folder: Path, scores: dict[str, float | None], tasks: dict[str, dict], seed: int, **model: Any) -> None:
    """A run folder as a finished training leaves it, as far as a table reads it."""
    folder.mkdir(parents=True)
    content = {"data": {"root": "d"}, "tasks": tasks, "seed": seed, "output": str(folder), "model": model}
    (folder / "config.yaml").write_text(to_yaml(check_config(content, "x")))
    (folder / "metrics.json").write_text(json.dumps({"loss": 1.0, **scores}))


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Run folders whose means and deviations are exactly those of table G-1, and the values by row."""
    rng = np.random.default_rng(0)
    Genotype({f"{t}/{s}": "local" for t in TASKS for s in TASKS}).save(tmp_path / "atrc.json")
    values = {}
    for row, (means, deviations) in PUBLISHED.items():
        noise = rng.standard_normal((len(SEEDS), 4))
        noise = (noise - noise.mean(0)) / noise.std(0, ddof=1)
        values[row] = np.array(means) + noise * np.array(deviations)
        for seed in SEEDS:
            scores = {f"{t}/{m}": float(v) for (t, m), v in zip(METRICS.items(), values[row][seed], strict=True)}
            folder = tmp_path / "runs" / row / f"seed-{seed}"
            if row == "single":
                for task in TASKS:
                    name = f"{task}/{METRICS[task]}"
                    write_run(folder / task, {name: scores[name]}, {task: TASKS[task]}, seed)
            elif row == "baseline":
                write_run(folder, scores, TASKS, seed)
            else:
                blocks = str(tmp_path / "atrc.json")
                write_run(folder, scores, TASKS, seed, blocks=blocks, self_attention=row == "atrc")
    return tmp_path / "runs", values


def test_the_published_table(published: tuple[Path, dict], capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = published
    assert main(["table", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "network"
    assert "Δm [%] ↑" in lines[0]
    rows = {line[: lines[0].index("runs")].strip(): line[lines[0].index("runs") :].split() for line in lines[2:6]}
    assert " ".join(rows["single task"]) == "5 38.02 0.14 0.6104 0.0041 20.94 0.08 76.22 0.07 +0.00"
    # -1.89 and 1.56 in the supplement, from means with more digits.
    baseline = " ".join(rows["multi-task baseline"])
    assert baseline.startswith("5 36.35 0.26 0.6284 0.0034 21.02 0.06 76.36 0.05 -1.88 ± ")
    assert " ".join(rows["atrc"]).startswith("5 38.90 0.43 0.6010 0.0046 20.48 0.02 76.34 0.12 +1.55 ± ")
    assert rows["atrc, no self-attention"][-3] == "+0.87"
    assert any(line.startswith("primary against 'multi-task baseline' (simultaneous") for line in lines)


def test_primary_contrasts_are_delta_m_against_the_baseline(published: tuple[Path, dict]) -> None:
    folder, values = published
    results, notes = read_results([folder])
    assert notes == []
    table = make_table(gather(results))
    assert [(d.row, d.metric) for d in table.primary] == [("atrc", "delta_m"), ("atrc, no self-attention", "delta_m")]
    single, signs = np.array(PUBLISHED["single"][0]), np.array([1, -1, -1, 1])
    deltas = {row: (100 * signs * (values[row] - single) / single).mean(1) for row in values}
    atrc = table.primary[0]
    # Two intervals at once: each of level sqrt(0.95).
    theirs = stats.ttest_ind(deltas["atrc"], deltas["baseline"]).confidence_interval(math.sqrt(0.95))
    assert (atrc.low, atrc.high) == pytest.approx((theirs.low, theirs.high))
    assert atrc.method == "pooled variance"
    depth = next(d for d in table.exploratory if (d.row, d.metric) == ("single task", "depth/rmse"))
    alone = stats.ttest_ind(values["single"][:, 1], values["baseline"][:, 1]).confidence_interval(0.95)
    assert (depth.low, depth.high) == pytest.approx((alone.low, alone.high))


def test_csv_holds_every_number_in_full(published: tuple[Path, dict], tmp_path: Path) -> None:
    folder, values = published
    assert main(["table", str(folder), "--format", "csv", "--out", str(tmp_path / "t.csv")]) == 0
    lines = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    depth = next(line for line in lines if (line["network"], line["metric"]) == ("atrc", "depth/rmse"))
    assert float(depth["mean"]) == pytest.approx(values["atrc"][:, 1].mean(), rel=1e-12)
    assert float(depth["deviation"]) == pytest.approx(values["atrc"][:, 1].std(ddof=1), rel=1e-12)
    contrast = next(line for line in lines if (line["contrast"], line["network"]) == ("primary", "atrc"))
    assert contrast["against"] == "multi-task baseline"
    assert float(contrast["low"]) < float(contrast["mean"]) < float(contrast["high"])


def test_the_figure_shows_every_run_and_every_mean(published: tuple[Path, dict], tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    folder, values = published
    axes = Figure().subplots()
    _panel(axes, make_table(gather(read_results([folder])[0])), "depth/rmse", 1.0)
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    means = [line for line in axes.lines if line.get_marker() == "D"]
    assert sorted(dots[0].get_xdata()) == pytest.approx(sorted(values["single"][:, 1]))
    assert float(means[0].get_xdata()[0]) == pytest.approx(values["single"][:, 1].mean())
    assert len(dots) == len(means) == 4
    assert main(["table", str(folder), "--figure", str(tmp_path / "t.svg")]) == 0
    assert "<svg" in (tmp_path / "t.svg").read_text()


def test_a_figure_of_an_unknown_kind_is_refused_before_anything_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "nowhere", "--figure", "t.docx"]) == 2
    assert "--figure t.docx" in capsys.readouterr().err


def test_rows_of_another_paper_stand_as_they_were_printed(
    published: tuple[Path, dict], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Table B-1: its first row is quoted."""
    folder, _ = published
    quoted = tmp_path / "quoted.csv"
    quoted.write_text('network,semseg,depth\n"HRNet18, [7]",33.18,0.667\n')
    arguments = ["table", str(folder / "single"), "--layout", "B-1", "--no-runs", "--no-tests", "--quote", str(quoted)]
    assert main(arguments) == 0
    head, _, first, second = capsys.readouterr().out.splitlines()
    tasks = re.findall(r"(\w+) [↑↓]", head)
    assert "runs" not in head
    shown = [dict(zip(tasks, line.split()[2:], strict=True)) for line in (first, second)]
    assert first.startswith("HRNet18, [7]")
    assert shown[0] == {"semseg": "33.18", "depth": "0.667", "normals": "–", "edge": "–"}
    assert shown[1] == {"semseg": "38.02", "depth": "0.6104", "normals": "20.94", "edge": "76.22"}
    assert main(["table", str(folder), "--no-tests"]) == 0
    assert "interval" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "network,dept\na,1\n",
            "unknown column 'dept'; known: network, ",
        ),
        ("depth\n1\n", "line 1: expected the columns network, "),
        ("network,depth\na,1,2\n", "line 2: expected a name and 1 numbers"),
        ("network,depth\na,good\n", "line 2: depth: 'good': expected a number, or nothing"),
        (None, "no such file"),
    ],
)
def test_bad_quotations_are_refused_in_a_line(
    published: tuple[Path, dict], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / "q.csv").write_text(text)
    assert main(["table", str(published[0]), "--quote", str(tmp_path / "q.csv")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert "q.csv" in line


@pytest.mark.parametrize(("layout", "columns"), [("B-1", 6), ("E-1", 7), ("G-1", 11)])
def test_layouts_in_markdown_and_latex(
    published: tuple[Path, dict], capsys: pytest.CaptureFixture[str], layout: str, columns: int
) -> None:
    folder, _ = published
    for kind, start in (("markdown", "| atrc |"), ("latex", "atrc &")):
        assert main(["table", str(folder), "--layout", layout, "--format", kind]) == 0
        out = capsys.readouterr().out
        line = next(line for line in out.splitlines() if line.startswith(start))
        assert len([c for c in line.replace(r"\\", "").replace("&", "|").split("|") if c.strip()]) == columns
    assert out.count(r"\begin{tabular}") == out.count(r"\end{tabular}") == 3
    assert "↑" not in out
    assert all(line.startswith("%") or "%" not in line.replace(r"\%", "") for line in out.splitlines())


def test_rows_of_one_kind_are_told_apart(tmp_path: Path) -> None:
    for number, backbone in enumerate(("hrnet_w18_small_v2", "hrnet_w48")):
        write_run(tmp_path / str(number), {"depth/rmse": 1.0}, {"depth": {}}, 0, backbone=backbone)
    classes = {"depth": {"mode": "classification"}}
    write_run(tmp_path / "classes", {"depth/rmse": 1.1}, classes, 0, backbone="hrnet_w18_small_v2")
    rows = gather(read_results([tmp_path])[0])
    assert sorted(row.name for row in rows) == [
        "single task (model.backbone=hrnet_w18_small_v2)",
        "single task (model.backbone=hrnet_w18_small_v2, tasks.depth.mode=classification)",
        "single task (model.backbone=hrnet_w48)",
    ]


def test_scores_on_held_out_images_are_told_and_no_reference_of_others(tmp_path: Path) -> None:
    write_run(tmp_path / "single", {"depth/rmse": 1.0}, {"depth": {}}, 0)
    write_run(tmp_path / "both", {"depth/rmse": 1.1, "semseg/miou": 0.5}, {"depth": {}, "semseg": {}}, 0)
    for name in ("single", "both"):
        text = (tmp_path / name / "config.yaml").read_text().replace("holdout: 0.0", "holdout: 0.1")
        (tmp_path / f"{name}-held").mkdir()
        (tmp_path / f"{name}-held" / "config.yaml").write_text(text)
        (tmp_path / f"{name}-held" / "metrics.json").write_text((tmp_path / name / "metrics.json").read_text())
    rows = gather(read_results([tmp_path])[0])
    assert sorted(row.name for row in rows if "held-out" in row.name) == [
        "multi-task baseline, scored on held-out training images",
        "single task, scored on held-out training images",
    ]


@pytest.mark.parametrize(
    "change", [{"weights": "own.pth"}, {"freeze": "all"}, {"pretrained": False}, {"backbone_options": {"x": 1}}, None]
)
def test_delta_m_refers_to_single_tasks_of_the_same_weights_and_images(
    tmp_path: Path, change: dict[str, Any] | None
) -> None:
    """Two studies in one folder, of other backbones or (None) of other images."""
    runs = {"one": {"depth/rmse": 1.0}, "two": {"semseg/miou": 0.4}, "both": {"depth/rmse": 0.9, "semseg/miou": 0.4}}
    for study, factor in (("a", 1.0), ("b", 2.0)):
        model = {} if study == "a" else change
        for name, scores in runs.items():
            tasks: dict[str, dict] = {metric.partition("/")[0]: {} for metric in scores}
            scaled = {metric: factor * value for metric, value in scores.items()}
            write_run(tmp_path / study / name, scaled, tasks, 0, **(model or {}))
            if model is None:
                config = tmp_path / study / name / "config.yaml"
                config.write_text(config.read_text().replace("limit_train: null", "limit_train: 7"))
    table = make_table(gather(read_results([tmp_path])[0]))
    assert [sorted({result.folder.parent.name for result in row.results}) for row in table.rows if row.single] == [
        ["a"],
        ["b"],
    ]
    deltas = [table.cells[row.name]["delta_m"].mean for row in table.rows if not row.single]
    assert deltas == pytest.approx([5.0, 5.0])


@pytest.mark.parametrize("lacks", ["one", "both"])
def test_without_the_metric_of_a_task_there_is_no_delta_m(
    tmp_path: Path, lacks: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, tasks in {"one": ["depth"], "two": ["semseg"], "both": ["depth", "semseg"]}.items():
        scores = {f"{task}/{'other' if (name, task) == (lacks, 'depth') else METRICS[task]}": 0.5 for task in tasks}
        write_run(tmp_path / name, scores, {task: {} for task in tasks}, 0)
    assert main(["table", str(tmp_path), "--no-tests"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("multi-task baseline"))
    assert line.split()[-1] == "–"


def test_pairs_need_the_same_order_of_images_and_no_more(tmp_path: Path) -> None:
    for number, changes in enumerate(({}, {"workers": 0}, {"batch_size": 2})):
        for seed in range(2):
            folder = tmp_path / str(number) / str(seed)
            write_run(folder, {"depth/rmse": 1.0 + seed}, {"depth": {}, "edge": {}}, seed, freeze=["x"] * number)
            text = (folder / "config.yaml").read_text()
            for key, value in changes.items():
                text = re.sub(rf"^(  {key}:) .*$", rf"\1 {value}", text, flags=re.MULTILINE)
            (folder / "config.yaml").write_text(text)
    rows = [gather(read_results([tmp_path / str(number)])[0])[0] for number in range(3)]
    for number, row in enumerate(rows):
        row.name = str(number)
    assert make_table(rows[:2], paired=True).exploratory[0].method in ("paired", "")
    with pytest.raises(InputError, match="--paired: runs of '2' and '0' share no more than the number of the seed"):
        make_table([rows[0], rows[2]], paired=True)


def test_classification_stands_beside_regression(tmp_path: Path) -> None:
    """Figure D-1: one command over the single-task runs of both kinds."""
    for task in ("semseg", "depth", "normals"):
        write_run(tmp_path / "a" / task, {f"{task}/{METRICS[task]}": 0.5}, {task: {}}, 0)
    for task in ("depth", "normals"):
        write_run(tmp_path / "b" / task, {f"{task}/{METRICS[task]}": 0.6}, {task: {"mode": "classification"}}, 0)
    first, second = gather(read_results([tmp_path])[0])
    assert (first.name, first.tasks) == ("single task", ("depth", "normals", "semseg"))
    assert second.name == "single task (tasks.depth.mode=classification, tasks.normals.mode=classification)"
    assert second.by_seed("depth/rmse") == {0: 0.6}


def test_what_is_not_finished_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "a", {"depth/rmse": 1.0}, {"depth": {}}, 0)
    write_run(tmp_path / "b", {"depth/rmse": 1.0}, {"depth": {}}, 1)
    (tmp_path / "b" / "metrics.json").unlink()
    write_run(tmp_path / "c", {"depth/rmse": None}, {"depth": {}}, 2)
    assert main(["table", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "is not finished, left out" in err
    assert out.splitlines()[-1].split() == ["single", "task", "2", "–", "–", "–"]
    assert main(["table", str(tmp_path / "b")]) == 2
    assert "holds no finished training" in capsys.readouterr().err
    assert main(["table", str(tmp_path / "a"), "--layout", "Z-9"]) == 2
    assert "unknown layout 'Z-9'; known: B-1, E-1, G-1" in capsys.readouterr().err
    write_run(tmp_path / "d", {"depth/rmse": 1.0}, {"depth": {}}, 0)
    with pytest.raises(InputError, match="the same configuration and seed twice"):
        gather(read_results([tmp_path])[0])


def test_a_single_task_score_of_zero_leaves_delta_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As after a few steps: a mean IoU of 0."""
    write_run(tmp_path / "semseg", {"semseg/miou": 0.0}, {"semseg": {}}, 0)
    write_run(tmp_path / "depth", {"depth/rmse": 2.0}, {"depth": {}}, 0)
    write_run(tmp_path / "both", {"semseg/miou": 0.1, "depth/rmse": 1.0}, {"semseg": {}, "depth": {}}, 0)
    assert main(["table", str(tmp_path)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("multi-task baseline"))
    assert row.split() == ["multi-task", "baseline", "1", "10.00", "–", "1.000", "–", "–"]


def test_names_in_a_figure_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No controls, no mathematics, which ends with a traceback, no warnings, and no name over the whole page."""
    name = "\x1b[31m$\\foo$ " + "x" * 3000
    rows = [f"{row}/{seed},{row},depth/rmse,{seed}" for row in ("plain", name) for seed in (1, 2, 3)]
    (tmp_path / "s.csv").write_text("\n".join(["run,row,metric,value", *rows]))
    figure = tmp_path / "t.svg"
    assert (
        main(["table", str(tmp_path / "s.csv"), "--no-tests", "--figure", str(figure), "--out", str(figure) + ".txt"])
        == 0
    )
    assert len(capsys.readouterr().err.splitlines()) == 0
    drawn = "".join(ElementTree.parse(figure).getroot().itertext())
    assert "\\x1b[31m$\\foo$" in drawn
    assert drawn.count("x") < 400


def test_trainings_that_differ_in_settings_of_a_search_are_one_network(tmp_path: Path) -> None:
    """No training reads them, and their defaults change from version to version."""
    scores = {"semseg/miou": 0.4, "depth/rmse": 0.6}
    for seed in range(2):
        write_run(tmp_path / f"seed-{seed}", scores, {"semseg": {}, "depth": {}}, seed)
    written = (tmp_path / "seed-1" / "config.yaml").read_text()
    assert "evaluate: null" in written
    (tmp_path / "seed-1" / "config.yaml").write_text(written.replace("evaluate: null", "evaluate: all"))
    (row,) = gather(read_results([tmp_path])[0])
    assert len(row.results) == 2
    assert "search" not in row.name
