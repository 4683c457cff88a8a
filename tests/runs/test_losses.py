"""What a run records while it learns, and beside its scores at the end."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas_ctx import runs
from nas_ctx.analysis.report.learning import learning_curves
from nas_ctx.cli import main
from nas_ctx.data.rooms import ROOMS_CLASSES
from nas_ctx.files.events import EventFile
from nas_ctx.training.module import outputs_of
from tests.rooms import tiny_config


def rows(path: Path) -> list[dict[str, float]]:
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(path.open())]


def test_losses_are_those_of_the_steps(rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cross-entropy and the mean absolute error, computed here from what the network gave."""
    seen: list[tuple[float, float]] = []

    def watched(model: torch.nn.Module, batch: dict) -> dict:
        outputs = outputs_of(model, batch)
        if model.training:
            logits, metres = (outputs["final"][name].detach() for name in ("semseg", "depth"))
            crossed = torch.nn.functional.cross_entropy(logits, batch["semseg"], ignore_index=255)
            valid = batch["depth"] != 255
            seen.append((float(crossed), float((metres - batch["depth"])[valid].abs().mean())))
        return outputs

    monkeypatch.setattr("nas_ctx.training.module.outputs_of", watched)
    config = tiny_config(rooms, tmp_path / "t", training__log_every=2, model__dropout=0.0)
    runs.train(config, progress=False)
    found = rows(tmp_path / "t" / "losses.csv")
    assert [row["step"] for row in found] == [2, 4, 6]
    for row, (semseg, depth) in zip(found, seen[1::2], strict=True):
        assert row["semseg"] == pytest.approx(semseg, rel=1e-5)
        assert row["depth"] == pytest.approx(depth, rel=1e-5)
        assert row["total"] == pytest.approx(semseg + depth, rel=1e-5)


@pytest.mark.parametrize("every", [4, 50])
def test_the_last_step_has_a_row_however_few_there_are(rooms: Path, tmp_path: Path, every: int) -> None:
    config = tiny_config(
        rooms, tmp_path / "t", training__log_every=every, training__steps=5, training__logger="tensorboard"
    )
    runs.train(config, progress=False)
    steps = [step for step in (4, 5) if step >= every or step == 5]
    assert [row["step"] for row in rows(tmp_path / "t" / "losses.csv")] == steps
    assert [step for step, _ in scalars(tmp_path / "t/tensorboard")["losses/total"]] == steps


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Name -> (step, value), as TensorBoard reads them."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    events = accumulator(str(folder))
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_shows_what_the_csv_files_have(rooms: Path, tmp_path: Path) -> None:
    run = tmp_path / "t"
    config = tiny_config(rooms, run, training__steps=4, training__validate_every=2, training__logger="tensorboard")
    runs.train(config, progress=False)
    expected = {
        f"{kind}/{name}": [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in rows(run / f"{file}.csv")]
        for kind, file in (("losses", "losses"), ("validation", "validation"))
        for name in rows(run / f"{file}.csv")[0]
        if name != "step"
    }
    assert {"losses/total", "losses/depth", "validation/semseg/miou"} <= set(expected)
    assert scalars(run / "tensorboard") == expected


def test_a_resumed_run_takes_back_what_it_repeats(tmp_path: Path) -> None:
    for start, value, steps in ((0, 1.0, range(1, 6)), (3, -1.0, range(4, 7))):
        file = EventFile(tmp_path / f"events.out.tfevents.{start:012d}", start + 1)
        for step in steps:
            file.add(step, {"losses/ä": value})
        file.close()
    assert scalars(tmp_path) == {"losses/ä": [(1, 1.0), (2, 1.0), (3, 1.0), (4, -1.0), (5, -1.0), (6, -1.0)]}


def test_no_logger_records_no_losses(rooms: Path, tmp_path: Path) -> None:
    runs.train(tiny_config(rooms, tmp_path / "t", training__steps=2, training__logger="none"), progress=False)
    names = {path.name for path in (tmp_path / "t").iterdir()}
    assert "validation.csv" in names
    assert not names & {"losses.csv", "tensorboard"}


def test_details_are_counted_from_the_predictions(rooms: Path, tmp_path: Path) -> None:
    """Every pixel of the validation set by its true and its predicted class."""
    run = tmp_path / "t"
    runs.train(tiny_config(rooms, run, data__image_size=[48, 64], training__steps=2), progress=False)
    assert main(["predict", str(run), "--val", "--out", str(tmp_path / "p")]) == 0
    classes = len(ROOMS_CLASSES)
    counted = np.zeros((classes, classes), int)
    for name in (rooms / "gt_sets" / "val.txt").read_text().split():
        truth = np.asarray(Image.open(rooms / "segmentation" / f"{name}.png")).astype(int) - 1
        predicted = np.asarray(Image.open(tmp_path / "p" / "semseg" / f"{name}.png"))
        for true, said in zip(truth.flat, predicted.flat, strict=True):
            if true >= 0:
                counted[true, said] += 1
    details = json.loads((run / "details.json").read_text())
    assert set(details) == {"semseg"}
    np.testing.assert_array_equal(details["semseg"]["confusion_matrix"], counted)
    for index, iou in enumerate(details["semseg"]["iou_per_class"]):
        union = counted[index].sum() + counted[:, index].sum() - counted[index, index]
        assert iou == pytest.approx(counted[index, index] / max(union, 1))
    assert np.mean(details["semseg"]["iou_per_class"]) == pytest.approx(
        json.loads((run / "metrics.json").read_text())["semseg/miou"]
    )


def test_learning_curves_go_through_the_numbers_of_the_run(rooms: Path, tmp_path: Path, capsys) -> None:
    run, picture = tmp_path / "t", tmp_path / "curves.svg"
    runs.train(tiny_config(rooms, run, training__steps=4, training__validate_every=2), progress=False)
    assert main(["show", str(run), "--curves", str(picture)]) == 0
    drawn = picture.read_text(encoding="utf-8")
    for title in ("losses of a batch", "semseg/miou ↑", "depth/rmse ↓"):
        assert f">{title}</text>" in drawn, title
    losses, scores = learning_curves(run)
    assert losses["depth"] == ([1, 2, 3, 4], [row["depth"] for row in rows(run / "losses.csv")])
    assert scores["depth/rmse"] == ([2, 4], [row["depth/rmse"] for row in rows(run / "validation.csv")])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--curves", "c.png"], "expected a run folder with rows in losses.csv or validation.csv"),
        (["--curves", "c.gif"], "c.gif: expected a name that ends with .png, .svg or .pdf"),
        (["--curves", "c.png", "--out", "g.png"], "give one of them"),
    ],
)
def test_what_has_no_learning_curves(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", str(tmp_path), *words]) == 2
    assert said in capsys.readouterr().err
    (tmp_path / "losses.csv").write_text("step,total\n1,x\n")
    assert main(["show", str(tmp_path), "--curves", "c.png"]) == 2
    assert "losses.csv: expected a column step and numbers" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("name", ["losses.csv", "validation.csv"])
def test_more_curves_than_any_run_has_are_refused(tmp_path: Path, name: str, capsys) -> None:
    """A panel each took minutes, and gigabytes."""
    head = ",".join(["step", *(f"m{number}" for number in range(300))])
    (tmp_path / name).write_text(f"{head}\n{','.join(['1'] * 301)}\n")
    assert main(["show", str(tmp_path), "--curves", str(tmp_path / "c.png")]) == 2
    assert f"{name}: 300 columns, of which at most 200 are drawn" in capsys.readouterr().err
    assert not (tmp_path / "c.png").exists()
