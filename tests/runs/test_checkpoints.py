"""Checkpoints that cannot be used cost no weights: not those of the run in progress, and not their own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_ctx import runs
from nas_ctx.config import to_yaml
from nas_ctx.errors import InputError
from nas_ctx.runs import checkpoints, digest
from tests.rooms import tiny_config
from tests.runs.processes import contents, same


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


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no weights": lambda c: c["state_dict"].clear(),
    "one weight less": lambda c: c["state_dict"].popitem(),
    "other dtype": lambda c: c["state_dict"].update({k: v.double() for k, v in c["state_dict"].items()}),
    "other shape": lambda c: c["state_dict"].update({k: v[None] for k, v in c["state_dict"].items()}),
    "weights that are text": lambda c: c["state_dict"].update(dict.fromkeys(c["state_dict"], "weight")),
    "state_dict is a list": lambda c: c.update(state_dict=[]),
    "a weight that is not a number": lambda c: next(iter(c["state_dict"].values())).fill_(torch.nan),
    "a weight that is another": lambda c: next(iter(c["state_dict"].values())).view(-1)[:1].add_(1),
    "no optimizer": lambda c: c.update(optimizer_states=[]),
    "no momentum": lambda c: c["optimizer_states"][0]["state"].clear(),
    "other momentum": lambda c: c["optimizer_states"][0]["param_groups"][0].update(momentum=0.0),
    "optimizer is None": lambda c: c.update(optimizer_states=None),
    "no loops": lambda c: c.pop("loops"),
    "empty loops": lambda c: c.update(loops={}),
    "empty fit loop": lambda c: c["loops"].update(fit_loop={}),
    "no schedulers": lambda c: c.pop("lr_schedulers"),
    "empty schedulers": lambda c: c.update(lr_schedulers=[]),
    "schedule elsewhere": lambda c: c["lr_schedulers"][0].update(last_epoch=0),
    "step below zero": lambda c: c.update(global_step=-1),
    "step that is text": lambda c: c.update(global_step="6"),
    "run that is a list": lambda c: c.update(run=[]),
    "run that is no YAML": lambda c: c.update(run="{"),
    "other count of bad steps": lambda c: c.update(bad_steps=5),
    "no version of Lightning": lambda c: c.pop("pytorch-lightning_version"),
    "digest is a list": lambda c: c.update(digest=[]),
    "no digest": lambda c: c.pop("digest"),
}


@pytest.fixture(scope="module", params=["search", "train"])
def whole(request: pytest.FixtureRequest, rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its last two checkpoints; its parent is named after its kind."""
    folder = tmp_path_factory.mktemp(request.param) / request.param / "run"
    getattr(runs, request.param)(tiny_config(rooms, folder), progress=False)
    return folder


@pytest.mark.parametrize("name", BROKEN)
def test_content_that_was_changed_is_known_and_the_one_before_used(whole: Path, tmp_path: Path, name: str) -> None:
    """Whatever the file still looks like."""
    shutil.copytree(whole / "checkpoints", tmp_path / "checkpoints")
    newest, before = (tmp_path / "checkpoints" / f"step={step}.ckpt" for step in (6, 3))
    content = torch.load(newest, weights_only=True)
    BROKEN[name](content)
    torch.save(content, newest)
    path, refused = checkpoints.newest_whole(tmp_path / "checkpoints", lambda run: ["run"] if "seed" not in run else [])
    assert path == before
    assert list(refused) == [newest]


@pytest.mark.parametrize("name", ["no momentum", "a weight that is not a number", "empty loops", "no digest"])
def test_a_run_falls_back_with_a_note_and_ends_the_same(
    whole: Path, rooms: Path, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, kind = tmp_path / "run", whole.parent.name
    shutil.copytree(whole, folder)
    (folder / "metrics.json").unlink()
    newest = folder / "checkpoints" / "step=6.ckpt"
    content = torch.load(newest, weights_only=True)
    BROKEN[name](content)
    torch.save(content, newest)
    getattr(runs, kind)(tiny_config(rooms, folder), progress=False)
    (told,) = capfd.readouterr().err.splitlines()
    assert re.search(r"step=6\.ckpt: (changed|has no digest).*; now step=6\.ckpt\.bad; using step=3\.ckpt$", told)
    same(contents(folder), contents(whole))


def test_weights_that_are_not_numbers_are_refused_however_they_were_written(whole: Path, tmp_path: Path) -> None:
    content = torch.load(whole / "checkpoints" / "step=6.ckpt", weights_only=True)
    next(iter(content["state_dict"].values())).fill_(torch.nan)
    digest.DigestIO().save_checkpoint(content, tmp_path / "step=6.ckpt")
    assert "holds values that are not numbers" in str(checkpoints.fault_of(tmp_path / "step=6.ckpt"))


def test_a_run_with_nothing_but_old_checkpoints_is_refused_not_begun_again(
    whole: Path, rooms: Path, tmp_path: Path
) -> None:
    """A file with no digest may be whole: what it holds is not given up for want of one."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "metrics.json").unlink()
    for path in (folder / "checkpoints").iterdir():
        content = torch.load(path, weights_only=True)
        del content["digest"]
        torch.save(content, path)
    with pytest.raises(InputError, match=r"step=6\.ckpt: has no digest.*step=3\.ckpt: has no digest"):
        getattr(runs, whole.parent.name)(tiny_config(rooms, folder), progress=False)
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"step=3.ckpt", "step=6.ckpt"}
