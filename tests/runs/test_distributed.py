"""Two processes under Lightning's DDP, on CPUs with gloo."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from nas_ctx import runs
from nas_ctx.config import to_yaml
from nas_ctx.data.loading import BatchStream, batches_of
from nas_ctx.errors import InputError
from nas_ctx.runs.digest import DigestIO
from tests.rooms import tiny, tiny_config
from tests.runs.distributed_job import STANDING_STILL
from tests.runs.processes import as_json, contents, same
from tests.runs.test_numbers import relabelled

# Decides early, so that blocks stop using most of their parameters; three validation batches for two processes.
SEARCH: dict[str, Any] = {
    "training__steps": 5, "training__validate_every": 5, "training__checkpoint_every": 2,
    "training__accelerator": "cpu", "search__stop_margin": 0.15, "search__arch_lr": 0.5,
    "data__batch_size": 2, "data__limit_val": 3, "data__eval_batch_size": 1,
}  # fmt: skip
TWO = {"training__devices": 2}


@contextlib.contextmanager
def started(kind: str, folder: Path, config: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """The job in two processes; after the block they have ended, whatever happens."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    command = [sys.executable, "-m", "tests.runs.distributed_job", kind, str(path), str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def run_as_two(kind: str, folder: Path, config: dict[str, Any]) -> None:
    with started(kind, folder, config) as process:
        said, _ = process.communicate(timeout=900)
        assert process.returncode == 0, said


def test_two_processes_see_what_one_with_twice_the_batch_sees() -> None:
    alone = list(BatchStream(13, 6, seed=1).at(1, 5))
    parts = [list(BatchStream(13, 3, seed=1, rank=rank, ranks=2).at(1, 5)) for rank in (0, 1)]
    assert [first + second for first, second in zip(*parts, strict=True)] == alone


@pytest.mark.parametrize("count", [1, 4, 5, 7])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_validation_is_parted_without_loss(count: int, ranks: int) -> None:
    parts = [batches_of(count, 2, rank, ranks) for rank in range(ranks)]
    assert len({len(part) for part in parts}) == 1
    real = sorted(i for part in parts for batch in part for i in batch if i is not None)
    assert real == list(range(count))


def test_norms_of_two_processes_on_processors_cannot_be_synchronised(rooms: Path, tmp_path: Path) -> None:
    both = {"training__accelerator": "cpu", "training__sync_batchnorm": True}
    with pytest.raises(InputError, match=r"training.sync_batchnorm: True: .* on GPUs only"):
        runs.train(tiny_config(rooms, tmp_path / "two", **both, **TWO), progress=False)
    assert runs.train(tiny_config(rooms, tmp_path / "one", **both, training__steps=1), progress=False)


def test_two_processes_search_as_one(rooms: Path, tmp_path: Path) -> None:
    """The same alphas and decisions in both; one run folder; scores as one process gives the same weights."""
    run_as_two("search", tmp_path, tiny(rooms, tmp_path / "run", **SEARCH, **TWO))
    choices, meta = as_json(tmp_path / "rank-0.json")
    assert as_json(tmp_path / "rank-1.json") == [choices, meta]
    assert meta["decided_at"]
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 6

    # One process takes the weights of the last checkpoint, and only validates.
    shutil.copytree(tmp_path / "run", tmp_path / "alone")
    (tmp_path / "alone" / "metrics.json").unlink()
    for path in (tmp_path / "alone" / "checkpoints").iterdir():
        state = torch.load(path, weights_only=True)
        DigestIO().save_checkpoint(state | {"run": state["run"].replace("devices: 2", "devices: 1")}, path)
    alone = tiny_config(rooms, tmp_path / "alone", **SEARCH)
    (tmp_path / "alone" / "config.yaml").write_text(to_yaml(alone))
    runs.search(alone, progress=False)
    theirs, ours = (as_json(tmp_path / name / "metrics.json") for name in ("run", "alone"))
    assert theirs == pytest.approx(ours, rel=1e-6)


def test_two_processes_train_as_one_with_twice_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, loss and scores, to rounding; with batch norm standing still, and no pixel without a label."""
    rooms = relabelled(tmp_path / "data", lambda task, array: np.maximum(array, 1) if task == "semseg" else array)
    settings: dict[str, Any] = {
        "model__blocks": "local", "model__dropout": 0.0, "data__image_size": [48, 64], "data__augment": False,
        "training__steps": 4, "training__validate_every": 2, "training__checkpoint_every": 2, "training__lr": 0.1,
        "training__accelerator": "cpu",
    }  # fmt: skip
    run_as_two("train", tmp_path, tiny(rooms, tmp_path / "two", **settings, **TWO, data__batch_size=2))
    monkeypatch.setattr(torch.nn.BatchNorm2d, "training", STANDING_STILL, raising=False)
    runs.train(tiny_config(rooms, tmp_path / "one", **settings, data__batch_size=4), progress=False)
    two, one = (
        torch.load(tmp_path / name / "checkpoints" / "step=4.ckpt", weights_only=True)["state_dict"]
        for name in ("two", "one")
    )
    start = torch.load(tmp_path / "one" / "checkpoints" / "step=2.ckpt", weights_only=True)["state_dict"]
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5, msg=name)
    assert max(float((one[name] - start[name]).abs().max()) for name in one) > 1e-3  # that could tell them apart
    ours, theirs = (as_json(tmp_path / name / "metrics.json") for name in ("one", "two"))
    assert theirs == pytest.approx(ours, rel=1e-3)


@pytest.mark.long
def test_two_processes_stop_together_and_go_on(rooms: Path, tmp_path: Path) -> None:
    """A signal to all of a group, as schedulers send it; the resumed search ends as one that was left alone."""
    search = {**SEARCH, **TWO, "training__steps": 60, "training__checkpoint_every": 60, "training__validate_every": 60}
    for name in ("alone", "stopped"):
        (tmp_path / name).mkdir()
    run_as_two("search", tmp_path / "alone", tiny(rooms, tmp_path / "alone" / "run", **search))
    config = tiny(rooms, tmp_path / "stopped" / "run", **search)
    with started("search", tmp_path / "stopped", config) as process:
        end = time.monotonic() + 300
        while not (tmp_path / "stopped" / "run" / "history.csv").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "time is up"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGTERM)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 143, said
        assert re.search(r"saved at step \d+, and the same command resumes there", said), said
    (saved,) = (tmp_path / "stopped" / "run" / "checkpoints").iterdir()
    assert saved.name != "step=60.ckpt", "it had ended before"
    run_as_two("search", tmp_path / "stopped", config)
    same(contents(tmp_path / "stopped" / "run"), contents(tmp_path / "alone" / "run"))
