"""Losses and gradients that are not finite, and batches and sizes at the edge of what there is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nas_ctx import runs
from nas_ctx.data.rooms import ROOMS_CLASSES, write_rooms
from nas_ctx.errors import InputError
from nas_ctx.tasks import TASKS
from nas_ctx.tasks.depth import Depth
from tests.rooms import tiny_config

SHORT = {"training__steps": 4, "training__validate_every": 4, "training__checkpoint_every": 1}


def spoil(patch: pytest.MonkeyPatch, calls: set[int], gradient_only: bool = False) -> list[int]:
    """Let depth's loss be not a number (or have such a gradient) in the calls of the given numbers, from 1."""
    counted: list[int] = []
    sound = Depth.loss

    def loss(self: Depth, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        if not logits.requires_grad:
            return sound(self, logits, label)
        counted.append(1)
        value = sound(self, logits, label)
        if len(counted) not in calls:
            return value
        # The root of 0 is 0, with an infinite derivative, and 0 times that is not a number.
        return value + (logits.sum() * 0).sqrt() if gradient_only else value * torch.nan

    patch.setattr(Depth, "loss", loss)
    return counted


@pytest.mark.parametrize("kind", ["search", "train"])
@pytest.mark.parametrize("gradient_only", [False, True])
def test_the_first_bad_step_ends_the_run(
    rooms: Path, tmp_path: Path, kind: str, gradient_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the step, the task and the images; and what was saved before holds finite numbers only."""
    spoil(monkeypatch, {3}, gradient_only)
    what = r"the gradient of \S+depth\S+ is not finite" if gradient_only else "the loss of depth is nan"
    with pytest.raises(InputError, match=rf"^step 3: {what}, for the images (\S+, ){{3}}\S+; bad step 1 .* 0 allowed"):
        getattr(runs, kind)(tiny_config(rooms, tmp_path / "run", **SHORT), progress=False)
    saved = torch.load(tmp_path / "run" / "checkpoints" / "step=2.ckpt", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in saved.values())


@pytest.mark.parametrize("kind", ["search", "train"])
def test_bad_steps_are_left_out_up_to_a_number(
    rooms: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A step that is left out moves nothing but the count of steps; an alpha is never touched by it."""
    spoil(monkeypatch, {2, 3})
    config = tiny_config(rooms, tmp_path / "run", **SHORT, training__max_bad_steps=2, model__dropout=0.0)
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING, "nas_ctx"):
        patch.setattr("nas_ctx.runs.checkpoints.KEPT", 9)
        getattr(runs, kind)(config, progress=False)
    told = [record.getMessage() for record in caplog.records if record.name == "nas_ctx"]
    assert [message.partition(":")[0] for message in told] == ["step 2", "step 3"]
    first, second, third, last = (
        torch.load(tmp_path / "run" / "checkpoints" / f"step={n}.ckpt", weights_only=True) for n in (1, 2, 3, 4)
    )
    learnt = [n for n, v in first["state_dict"].items() if v.is_floating_point() and "running" not in n]
    for name in learnt:
        assert torch.equal(first["state_dict"][name], third["state_dict"][name]), name
        assert last["state_dict"][name].isfinite().all(), name
    assert any(not torch.equal(third["state_dict"][name], last["state_dict"][name]) for name in learnt)
    assert [content["bad_steps"] for content in (first, second, third, last)] == [0, 1, 2, 2]


def test_the_count_of_bad_steps_is_resumed(rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(rooms, tmp_path / "run", **SHORT, training__max_bad_steps=1)
    spoil(monkeypatch, {1, 2})
    with pytest.raises(InputError, match=r"^step 2: .* bad step 2 of the run, 1 allowed"):
        runs.search(config, progress=False)
    spoil(monkeypatch, {1})
    with pytest.raises(InputError, match=r"^step 2: .* bad step 2 of the run, 1 allowed"):
        runs.search(config, progress=False)


def relabelled(folder: Path, change: Any) -> Path:
    """A copy of the data set with every label array changed by ``change(task, array)``."""
    write_rooms(folder, train=4, val=1, size=(48, 64), seed=0)
    for path in sorted(folder.rglob("*.npy")):
        np.save(path, change(path.parent.name, np.load(path)))
    for path in sorted((folder / "segmentation").glob("*.png")):
        Image.fromarray(change("semseg", np.asarray(Image.open(path)))).save(path)
    return folder


ALL: dict[str, Any] = {"semseg": {"classes": len(ROOMS_CLASSES)}, "depth": {}, "normals": {}, "edge": {}}


def test_no_valid_pixel_in_any_task(tmp_path: Path) -> None:
    """Every label but the edges, which know no "unknown" in this layout, says so everywhere."""
    data = relabelled(tmp_path / "data", lambda task, array: np.zeros_like(array) if task != "edge" else array)
    config = tiny_config(data, tmp_path / "run", **{**SHORT, "training__steps": 2}, tasks=ALL)
    runs.search(config, progress=False)
    saved = torch.load(tmp_path / "run" / "checkpoints" / "step=2.ckpt", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in saved.values())


@pytest.mark.parametrize(
    "overrides",
    [
        {"tasks": {"depth": {}}},  # one task: one block
        {"data__batch_size": 1, "data__eval_batch_size": 1},
        {"data__image_size": [37, 41]},  # no stride divides it
        {"data__image_size": [80, 90]},  # larger than the pictures of 48 x 64
        {"data__image_size": [17, 300], "data__augment": False, "data__batch_size": 1},
        {"tasks": {"semseg": {"classes": 200}, "depth": {}}},  # most classes never occur
    ],
    ids=["one task", "batch of one", "odd size", "small pictures", "whole pictures", "absent classes"],
)
def test_sizes_at_the_edge(rooms: Path, tmp_path: Path, overrides: dict[str, Any]) -> None:
    genotype = runs.search(
        tiny_config(rooms, tmp_path / "run", **{**SHORT, "training__steps": 2, **overrides}), progress=False
    )
    assert genotype
    saved = torch.load(tmp_path / "run" / "checkpoints" / "step=2.ckpt", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in saved.values())


def test_nine_tasks(rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighty-one blocks: more tasks than the layout has labels for, the same labels under new names."""
    from nas_ctx.data.nyud import NYUD

    own = NYUD.readers
    names = [f"depth{number}" for number in range(5)]
    monkeypatch.setattr(NYUD, "readers", lambda self: {**own(self), **dict.fromkeys(names, own(self)["depth"])})
    folders = NYUD.label_folders
    monkeypatch.setattr(NYUD, "label_folders", lambda self, task: folders(self, task.rstrip("0123456789")))
    for name in names:
        monkeypatch.setitem(TASKS, name, type(name, (Depth,), {"name": name}))
    config = tiny_config(rooms, tmp_path / "run", **{**SHORT, "training__steps": 1}, tasks=ALL | {n: {} for n in names})
    genotype = runs.search(config, progress=False)
    assert len(genotype) == 81
