"""Two processes under Lightning's DDP, on CPUs with gloo."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from nas_ctx import runs
from nas_ctx.config import to_yaml
from nas_ctx.data.loading import BatchStream, batches_of
from tests.robustness.processes import as_json
from tests.rooms import tiny, tiny_config

# Decides early, so that blocks stop using most of their parameters; three validation batches for two processes.
SEARCH: dict[str, Any] = {
    "training__steps": 5, "training__validate_every": 5, "training__checkpoint_every": 2,
    "training__accelerator": "cpu", "search__stop_margin": 0.15, "search__arch_lr": 0.5,
    "data__batch_size": 2, "data__limit_val": 3, "data__eval_batch_size": 1,
}  # fmt: skip
TWO = {"training__devices": 2, "training__strategy": "ddp_find_unused_parameters_true"}


def start(config: Path, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.robustness.distributed_job", str(config), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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


def test_two_processes_search_as_one(rooms: Path, tmp_path: Path) -> None:
    """The same alphas and decisions in both; one run folder; scores as one process gives the same weights."""
    config = tmp_path / "search.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, tmp_path / "run", **SEARCH, **TWO), sort_keys=False))
    process = start(config, tmp_path)
    try:
        out, err = process.communicate(timeout=180)
        assert process.returncode == 0, out + err
    finally:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
            child.kill()
        process.kill()
    choices, meta = as_json(tmp_path / "rank-0.json")
    assert as_json(tmp_path / "rank-1.json") == [choices, meta]
    assert meta["decided_at"]
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 6

    # One process takes the weights of the last checkpoint, and only validates.
    shutil.copytree(tmp_path / "run", tmp_path / "alone")
    (tmp_path / "alone" / "metrics.json").unlink()
    alone = tiny_config(rooms, tmp_path / "alone", **SEARCH)
    (tmp_path / "alone" / "config.yaml").write_text(to_yaml(alone))
    runs.search(alone, progress=False)
    theirs, ours = (as_json(tmp_path / name / "metrics.json") for name in ("run", "alone"))
    assert theirs == pytest.approx(ours, rel=1e-6)
