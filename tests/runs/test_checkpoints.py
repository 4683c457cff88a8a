"""Checkpoints that cannot be used cost no weights: not those of the run in progress, and not their own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_ctx import runs
from nas_ctx.config import to_yaml
from nas_ctx.errors import InputError
from nas_ctx.runs import checkpoints
from tests.rooms import tiny_config


@pytest.mark.parametrize("kind", ["search", "train"])
def test_unreadable_checkpoints_of_later_steps_cost_no_weights(
    rooms: Path, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Files of later steps than the run has; every new checkpoint was "older" than they and was removed."""
    folder = tmp_path / "run"
    there = folder / "checkpoints"
    config = tiny_config(rooms, folder)
    there.mkdir(parents=True)
    (folder / "config.yaml").write_text(to_yaml(config))
    for step in (900, 901, 902):
        (there / f"step={step}.ckpt").write_bytes(b"nothing that can be read")
    (there / "step=900.ckpt.bad").write_bytes(b"of an earlier time")
    getattr(runs, kind)(config, progress=False)
    left = {"step=900.ckpt.bad", "step=900.ckpt.bad1", "step=901.ckpt.bad", "step=902.ckpt.bad"}
    assert {path.name for path in there.iterdir()} == {"step=3.ckpt", "step=6.ckpt"} | left
    assert (there / "step=900.ckpt.bad").read_bytes() == b"of an earlier time"
    assert torch.load(there / "step=6.ckpt", weights_only=True)["global_step"] == 6
    told = capfd.readouterr().err.splitlines()
    for line, step in zip(told, (902, 901, 900), strict=True):
        assert re.search(rf"step={step}\.ckpt: cannot be read: .*; now step={step}\.ckpt\.bad1?; starting anew$", line)


def test_what_appears_during_a_run_costs_no_weights(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"

    def appear(scores: dict[str, float]) -> None:
        for step in (900, 901):
            (folder / "checkpoints" / f"step={step}.ckpt").write_bytes(b"")

    runs.train(tiny_config(rooms, folder, training__validate_every=2), report=appear, progress=False)
    assert (folder / "metrics.json").exists()
    assert checkpoints.fault_of(folder / "checkpoints" / "step=6.ckpt") is None


@pytest.mark.parametrize("kind", ["search", "train"])
def test_a_run_whose_last_weights_cannot_be_read_is_not_finished(rooms: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "run"
    config = tiny_config(rooms, folder)
    last = folder / "checkpoints" / "step=6.ckpt"

    def spoil(scores: dict[str, Any]) -> None:
        if last.exists():
            last.write_bytes(last.read_bytes()[:5000])

    with pytest.raises(InputError, match=r"step=6\.ckpt: cannot be read: .*: the run is not finished"):
        getattr(runs, kind)(config, report=spoil, progress=False)
    assert not (folder / "metrics.json").exists()
    getattr(runs, kind)(config, progress=False)
    assert json.loads((folder / "metrics.json").read_text())["loss"] > 0
    assert checkpoints.fault_of(last) is None
