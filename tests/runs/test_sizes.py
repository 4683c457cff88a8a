"""Validation images of several sizes, and keys that say how a run is done: neither changes what comes of it."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.config import to_yaml
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.runs.stopping import Interrupted
from nas_ctx.tasks import make_tasks
from tests.rooms import tiny_config

EVERY = {"semseg": {"classes": 14}, "depth": {}, "normals": {}, "edge": {}}


@pytest.fixture(scope="module")
def several(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms, of whose four validation images one is cut to other sizes."""
    folder = shutil.copytree(rooms, tmp_path_factory.mktemp("several") / "data")
    for name, height, width in (("val_00001", 40, 64), ("val_00002", 48, 50)):
        for kind, ending in (("images", "jpg"), ("segmentation", "png")):
            path = folder / kind / f"{name}.{ending}"
            Image.fromarray(np.asarray(Image.open(path))[:height, :width]).save(path)
        for kind in ("depth", "normals", "edge"):
            path = folder / kind / f"{name}.npy"
            np.save(path, np.load(path)[:height, :width])
    return folder


def scores(data: Path, folder: Path, **changes: Any) -> dict[str, float]:
    config = tiny_config(data, folder, tasks=EVERY, training__steps=1, training__validate_every=None, **changes)
    return runs.train(config, progress=False)


def test_the_size_of_validation_batches_changes_no_score(several: Path, tmp_path: Path) -> None:
    alone = scores(several, tmp_path / "alone", data__eval_batch_size=1)
    for size in (3, 4):
        assert scores(several, tmp_path / str(size), data__eval_batch_size=size) == pytest.approx(alone, rel=1e-5)


def test_how_a_run_is_done_may_change_when_it_is_resumed(several: Path, tmp_path: Path) -> None:
    steps = {"training__steps": 4, "training__validate_every": 2, "training__checkpoint_every": 2}
    runs.train(tiny_config(several, tmp_path / "alone", **steps), progress=False)

    def interrupt(*_: Any, **__: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    first = tiny_config(several, tmp_path / "run", **steps)
    with pytest.raises(Interrupted):
        runs.train(first, report=interrupt, progress=False)
    with pytest.raises(InputError, match=r"another configuration \(data.batch_size differ\)"):
        runs.train(tiny_config(several, tmp_path / "run", **steps, data__batch_size=3), progress=False)
    others = {"data__eval_batch_size": 1, "data__workers": 1, "training__log_every": 2, "training__threads": None}
    changed = tiny_config(several, tmp_path / "run", **{**steps, **others})
    runs.train(changed, progress=False)
    log = (tmp_path / "run" / "run.log").read_text()
    assert "resumes from step=3.ckpt" in log
    assert "training.threads: was 1, is None" in log
    ends = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("run", "alone")]
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)


def test_validation_images_that_a_backbone_does_not_take_are_told_at_the_start(
    several: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a transformer made for one size: at 32 x 64 it trains, at 48 x 64 it could not be validated."""
    model = {"backbone": "cait_xxs24_224", "pretrained": False, "backbone_options": {"img_size": [32, 64]}}
    config = tiny_config(several, tmp_path / "run", model=model, data__image_size=[32, 64])
    with pytest.raises(InputError, match=r"refuses images of \[(48|40), 64\] .*data.eval_size"):
        runs.train(config, progress=False)
    assert not (tmp_path / "run").exists()
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(config))
    assert main(["train", str(path), "--dry-run"]) == 2
    assert "data.eval_size" in capsys.readouterr().err


def test_eval_size_pads_validation_images_and_not_training_crops(rooms: Path) -> None:
    tasks = make_tasks(EVERY)
    data = DataModule("nyud", rooms, tasks, (32, 48), batch_size=2, eval_batch_size=2, eval_size=(64, 70))
    train, val = next(iter(data.train_dataloader())), next(iter(data.val_dataloader()))
    assert train["image"].shape[2:] == train["semseg"].shape[1:] == (32, 48)
    assert val["image"].shape[2:] == val["semseg"].shape[1:] == (64, 70)
    assert data.eval_sizes() == {(64, 70)}
    config = tiny_config(rooms, None, data__eval_size=[64, 70])
    assert config.data.eval_size == (64, 70)
    with pytest.raises(InputError, match=r"data\.eval_size"):
        tiny_config(rooms, None, data__eval_size=[64])
    assert DataModule.from_config(config.data, tasks).eval_sizes() == {(64, 70)}


@pytest.mark.parametrize("dry", [True, False])
def test_validation_labels_of_another_size_are_told_at_the_start(
    dry: bool, rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(rooms, tmp_path / "data")
    np.save(data / "depth/val_00001.npy", np.ones((24, 32), np.float32))
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(tiny_config(data, tmp_path / "run")))
    assert main(["train", str(path), *(["--dry-run"] if dry else ["--quiet"])]) == 2
    assert "the depth label of 'val_00001' is 24 x 32, its image 48 x 64 pixels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("dry", [True, False])
def test_a_batch_norm_that_sees_one_pixel_is_told(
    dry: bool, rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(
        rooms,
        tmp_path / "run",
        data__batch_size=1,
        data__image_size=[4, 4],
        model__backbone_options={"out_indices": [4]},
    )
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(config))
    assert main(["train", str(path), *(["--dry-run"] if dry else ["--quiet"])]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "data.batch_size: 1: of an image of 4 x 4 a batch norm of the network sees a single pixel" in line
