"""The study on rooms from start to end, shrunk to four steps a run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from nas_ctx.evaluation.contrasts import read_contrasts
from nas_ctx.models.true_regions import true_region_map
from nas_ctx.tasks import make_tasks

PROJECT = Path(__file__).resolve().parents[1]
STUDY = PROJECT / "experiments" / "rooms" / "study.py"


@pytest.mark.long
def test_the_whole_study_runs_and_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = ["training.steps=4", "data.image_size=[32,48]", "data.batch_size=2", "data.eval_batch_size=2"]
    command = [
        sys.executable, str(STUDY), "--work", str(tmp_path), "--seeds", "1", "--searches", "2", "--train", "4",
        "--val", "2", *(word for setting in settings for word in ("--set", setting)),
    ]  # fmt: skip
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    table = (tmp_path / "table-G-1.md").read_text()
    for row in (
        "single task", "multi-task baseline", "global everywhere", "local everywhere", "t-label everywhere",
        "s-label everywhere", "consensus", "consensus, no self-attention", "t-label everywhere, true regions",
        "s-label everywhere, true regions", "mti-net", "psd", "random",
        "cross-stitch", "nddr", "pad-net", "attentive", "pattern-affinity",
    ):  # fmt: skip
        assert f"| {row} | 1 |" in table, row
    assert "tasks.depth.mode=classification, tasks.normals.mode=classification" in table
    for name in (
        "importance/importance.png",
        "predictions.png",
        "table.csv",
        "table.png",
        "figure-D-1.png",
        "report/report.html",
    ):
        assert (tmp_path / name).exists(), name
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "nas-ctx train" not in second.stdout
    assert (tmp_path / "table-G-1.md").read_text() == table


def test_a_row_that_is_not_there_is_named_before_anything_is_written(tmp_path: Path) -> None:
    command = [sys.executable, str(STUDY), "--work", str(tmp_path / "work"), "--rows", "baseline", "padnet"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "--rows padnet: known rows are atrc, " in found.stderr
    assert not (tmp_path / "work").exists()


def test_sigterm_reaches_the_command_that_runs(tmp_path: Path) -> None:
    study = subprocess.Popen(
        [sys.executable, str(STUDY), "--work", str(tmp_path), "--train", "5000", "--val", "1"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert study.stdout is not None
    assert study.stdout.readline().startswith("$ nas-ctx data rooms")
    parent = psutil.Process(study.pid)
    deadline = time.monotonic() + 60
    while not parent.children() and time.monotonic() < deadline:
        time.sleep(0.05)
    children = parent.children(recursive=True)
    assert children
    study.terminate()
    assert study.wait(60) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


def test_every_contrast_is_of_rows_that_the_study_has() -> None:
    declared = read_contrasts(PROJECT / "experiments" / "rooms" / "contrasts.yaml")
    names = {"consensus", "random", *(f"{name} everywhere" for name in ("global", "local", "t-label", "s-label"))}
    names |= {f"{name} everywhere, true regions" for name in ("t-label", "s-label")}
    assert {contrast.row for contrast in declared} | {contrast.against for contrast in declared} - {None} == names


def test_region_maps_are_measured_against_those_of_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STUDY.parent))
    from regions import measure

    tasks = make_tasks({"semseg": {"classes": 4}})
    label = torch.tensor([[[0, 0, 0, 2], [0, 0, 0, 2]]])  # three quarters of the image and one, of four classes
    true = true_region_map(label, 4, (2, 4))
    blind = torch.full_like(true, 1 / 8)
    assert measure([({"semseg": true}, {"semseg": label})], tasks)["semseg"] == pytest.approx([0.5, 1, 0.5, 4, 4])
    assert measure([({"semseg": blind}, {"semseg": label})], tasks)["semseg"] == pytest.approx([0.5, 0.5, 0.5, 8, 4])
