"""Images with labels for only some tasks: what is missing costs nothing, moves nothing and scores nothing."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.config import TrainingConfig
from nas_ctx.data import DataModule
from nas_ctx.data.check import check
from nas_ctx.data.loading import collate
from nas_ctx.data.rooms import write_rooms
from nas_ctx.errors import InputError
from nas_ctx.models import Backbone, MultiTaskNetwork
from nas_ctx.tasks import make_tasks
from nas_ctx.training import MultiTaskModule, make_optimizer, task_losses
from tests.rooms import tiny_config

SIZE = (48, 64)
LAYOUTS: dict[str, dict[str, dict[str, Any]]] = {
    "nyud": {"semseg": {"classes": 14}, "depth": {}, "normals": {"mode": "classification"}, "edge": {}},
    "pascal": {"semseg": {"classes": 21}, "edge": {}, "normals": {}, "saliency": {}, "human_parts": {}},
}
FILES = {
    "nyud": {
        "semseg": "segmentation/{}.png", "depth": "depth/{}.npy", "normals": "normals/{}.npy", "edge": "edge/{}.npy",
    },
    "pascal": {
        "semseg": "semseg/VOC12/{}.png", "normals": "normals_distill/{}.png", "saliency": "sal_distill/{}.png",
        "edge": "pascal-context/trainval/{}.mat", "human_parts": "human_parts/{}.mat",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {name: tmp_path_factory.mktemp("missing") / name for name in LAYOUTS}
    for layout, root in made.items():
        write_rooms(root, train=6, val=4, size=SIZE, seed=1, layout=layout)
        for path in (root / "semseg/pascal-context").glob("*.png"):
            path.rename(root / "semseg/VOC12" / path.name)
    return made


def without(source: Path, target: Path, missing: dict[str, list[str]], layout: str) -> Path:
    """A copy in which the tasks' label files of some ids are missing."""
    shutil.copytree(source, target)
    for task, names in missing.items():
        for name in names:
            (target / FILES[layout][task].format(name)).unlink()
    return target


def data_of(root: Path, layout: str, **changes: Any) -> DataModule:
    return DataModule(layout, root, make_tasks(LAYOUTS[layout]), SIZE, **{"batch_size": 2, **changes})


def network_of(tasks: dict[str, Any]) -> MultiTaskNetwork:
    from nas_ctx.contexts import CONTEXTS

    torch.manual_seed(0)
    return MultiTaskNetwork(Backbone("test_resnet"), tasks, lambda t, s, i, o: CONTEXTS["t-label"](i, o))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_label_weighs_nothing_in_losses_and_gradients(layout: str, sources: Any, tmp_path: Path) -> None:
    """Those of a batch are those of its labelled images alone, final and auxiliary, for every task."""
    tasks = make_tasks(LAYOUTS[layout])
    for task in tasks:
        if task == "human_parts" or (layout, task) == ("pascal", "edge"):
            continue  # many images have no people; a missing label map takes the normals along
        root = without(sources[layout], tmp_path / task, {task: ["train_00001"]}, layout)
        dataset = data_of(root, layout, augment=False).train_set()
        both, alone = collate([dataset[0], dataset[1]]), collate([dataset[0]])
        assert both["unlabelled"] == []
        assert (both[task][1] == 255).all()
        logits = {
            "final": {name: torch.randn(2, t.channels, *SIZE, requires_grad=True) for name, t in tasks.items()},
            "auxiliary": {name: torch.randn(2, t.regions, *SIZE, requires_grad=True) for name, t in tasks.items()},
        }
        first = {kind: {name: x[:1] for name, x in maps.items()} for kind, maps in logits.items()}
        losses, expected = task_losses(tasks, logits, both), task_losses(tasks, first, alone)
        for key in (task, f"{task}/auxiliary"):
            torch.testing.assert_close(losses[key], expected[key])
        x = logits["final"][task]
        (gradient,) = torch.autograd.grad(losses[task], x)
        (wanted,) = torch.autograd.grad(expected[task], x)
        torch.testing.assert_close(gradient, wanted)
        assert not gradient[1].any()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_task_without_a_label_in_a_batch_costs_nothing_and_moves_nothing(
    layout: str, sources: Any, tmp_path: Path
) -> None:
    missing = {"normals": ["train_00000", "train_00001"]}
    dataset = data_of(without(sources[layout], tmp_path / "data", missing, layout), layout, augment=False).train_set()
    batches = [collate([dataset[k], dataset[k + 1]]) for k in (2, 0)]
    tasks = make_tasks(LAYOUTS[layout])
    network = network_of(tasks)
    optimizer = make_optimizer(network, TrainingConfig(lr=0.1, weight_decay=0.1))["optimizer"]
    for batch in batches:  # the first one has all labels, and leaves momentum behind
        before = {name: value.clone() for name, value in network.named_parameters()}
        losses = task_losses(tasks, network(batch["image"]), batch)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
    assert batches[1]["unlabelled"] == ["normals"]
    assert losses["normals"] == losses["normals/auxiliary"] == 0
    moved = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    own = {name for name in before if name.startswith(("logits.normals.", "grid.fusions.normals."))}
    assert own
    assert not moved & own
    assert all(any(name.startswith(f"logits.{task}.") for name in moved) for task in tasks if task != "normals")


def test_images_without_any_label_leave_a_step_that_is_none(sources: Any, tmp_path: Path) -> None:
    names = ["train_00000", "train_00001"]
    root = without(sources["nyud"], tmp_path / "data", dict.fromkeys(FILES["nyud"], names), "nyud")
    dataset = data_of(root, "nyud", augment=False).train_set()
    batch, tasks = collate([dataset[0], dataset[1]]), make_tasks(LAYOUTS["nyud"])
    network = network_of(tasks)
    total = torch.stack(list(task_losses(tasks, network(batch["image"]), batch).values())).sum()
    total.backward()
    assert total == 0
    assert not any(p.grad.any() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scores_are_those_of_the_labelled_images(layout: str, sources: Any, tmp_path: Path) -> None:
    task = "semseg"
    root = without(sources[layout], tmp_path / "data", {task: ["val_00000", "val_00002"]}, layout)
    tasks = make_tasks(LAYOUTS[layout])
    network = network_of(tasks).eval()

    def scores(data: DataModule) -> dict[str, float]:
        import pytorch_lightning as pl

        module = MultiTaskModule(tasks, TrainingConfig())
        module.set_model(network)
        trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
        trainer.validate(module, datamodule=data, verbose=False)
        return module.scores

    some = scores(data_of(root, layout, eval_batch_size=2))
    (tmp_path / "data" / ("gt_sets" if layout == "nyud" else "ImageSets/Context") / "val.txt").write_text(
        "val_00001\nval_00003\n"
    )
    alone = scores(data_of(root, layout, eval_batch_size=2))
    full = scores(data_of(sources[layout], layout, eval_batch_size=2))
    assert some[f"{task}/miou"] == pytest.approx(alone[f"{task}/miou"], rel=1e-6)
    for key in full:
        if not key.startswith((task, "loss")):
            assert some[key] == pytest.approx(full[key], rel=1e-5, nan_ok=True), key


@pytest.fixture(scope="module")
def halved(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms, every label of which is missing for every second image."""
    names = {split: (rooms / "gt_sets" / f"{split}.txt").read_text().split() for split in ("train", "val")}
    missing = {
        task: [name for split in names.values() for name in split[place % 2 :: 2]]
        for place, task in enumerate(FILES["nyud"])
    }
    return without(rooms, tmp_path_factory.mktemp("halved") / "data", missing, "nyud")


@pytest.mark.parametrize("kind", ["search", "train", "true regions"])
def test_a_study_on_half_of_the_labels(kind: str, halved: Path, tmp_path: Path) -> None:
    """A batch of one at a time has a label for half of the tasks."""
    changes: dict[str, Any] = {"tasks": LAYOUTS["nyud"], "data__batch_size": 1, "training__steps": 4}
    if kind == "search":
        runs.search(tiny_config(halved, tmp_path / "run", **changes), progress=False)
    else:
        changes |= {"model__blocks": "t-label", "model__true_regions": kind == "true regions"}
        runs.train(tiny_config(halved, tmp_path / "run", **changes), progress=False)
    scores = json.loads((tmp_path / "run/metrics.json").read_text())
    assert all(value is not None for value in scores.values()), scores
    assert "train: depth: 6 of 12 images have no label" in (tmp_path / "run/run.log").read_text()
    with (tmp_path / "run/losses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert math.isnan(float(row["depth"])) == math.isnan(float(row["edge"])) != math.isnan(float(row["semseg"]))
        terms = [float(value) for name, value in row.items() if name not in ("step", "total")]
        assert float(row["total"]) == pytest.approx(sum(x for x in terms if not math.isnan(x)), rel=1e-6)


def test_missing_labels_are_counted_and_shown(halved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = check(halved)
    assert report.problems == []
    assert {key: column.missing for key, column in report.columns.items() if key[0] == "train"} == {
        ("train", "image"): 0, **{("train", task): 6 for task in FILES["nyud"]},
    }  # fmt: skip
    assert any("6 read, 6 images without" in line for line in report.lines())
    assert main(["data", "show", str(halved), "--out", str(tmp_path / "sheet.png")]) == 0
    assert main(["data", "codebook", str(halved), "--out", str(tmp_path / "code.npy"), "--codewords", "6"]) == 0
    for path in (halved / "depth").glob("val_*.npy"):
        path.rename(tmp_path / path.name)
    try:
        assert "val: depth: no image has a label" in check(halved).problems
        with pytest.raises(InputError, match="val: depth: no image has a label"):
            DataModule("nyud", halved, make_tasks({"depth": {}}), SIZE).judge()
    finally:
        for path in tmp_path.glob("val_*.npy"):
            path.rename(halved / "depth" / path.name)
