"""Runs that are killed, at any moment and in any way, and started again: they end as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.config import load_config
from nas_ctx.errors import InputError
from nas_ctx.training import checkpoints
from nas_ctx.training.stopping import Interrupted, stop_on_signals
from tests.robustness.processes import command, contents, same, started, wait_until
from tests.rooms import tiny, tiny_config

# Seven steps of three batches an epoch: validations at 3 and 6 and at the end, no two periods alike.
STEPS = {"training__steps": 7, "training__checkpoint_every": 1, "training__validate_every": 3, "seed": 3}
KINDS: dict[str, dict[str, Any]] = {
    # Decides within these steps, so that decisions are among what is resumed.
    "search": {"search__stop_margin": 0.2, "search__arch_lr": 0.5, "search__warmup_steps": 1},
    # Dropout draws from the global generator; scales, crops and colours from the data's.
    "train": {"model__blocks": "local", "model__dropout": 0.5},
}


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def unbroken(kind: str, rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never disturbed, with all of its checkpoints."""
    folder = tmp_path_factory.mktemp(kind) / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "KEPT", 100)
        getattr(runs, kind)(tiny_config(rooms, folder, **STEPS, **KINDS[kind]), progress=False)
    return folder


def test_from_every_checkpoint_a_run_ends_the_same(kind: str, unbroken: Path, rooms: Path, tmp_path: Path) -> None:
    """Also from the last one: killed before its final validation, or before its metrics were written."""
    expected = contents(unbroken)
    assert expected["step"] == "step=7.ckpt"
    if kind == "search":
        assert json.loads((unbroken / "genotype.json").read_text())["meta"]["decided_at"]
    for step in range(1, 8):
        folder = tmp_path / str(step)
        shutil.copytree(unbroken, folder)
        (folder / "metrics.json").unlink()
        for path in (folder / "checkpoints").iterdir():
            if path.name != f"step={step}.ckpt":
                path.unlink()
        if step % 2:  # what a killed run had written of later steps may be there or not
            rows = (folder / "validation.csv").read_text().splitlines(keepends=True)
            kept = [row for row in rows[1:] if int(row.partition(",")[0]) < step]
            (folder / "validation.csv").write_text("".join(rows[:1] + kept))
        getattr(runs, kind)(tiny_config(rooms, folder, **STEPS, **KINDS[kind]), progress=False)
        same(contents(folder), expected)


def disturbed(kind: str, rooms: Path, place: Path, expected: dict[str, Any], faults: int, seed: int) -> dict[str, int]:
    """Start runs and end them at random moments by random signals, each again until it comes to its end, and compare.

    Returns how often each signal met a running process.
    """
    moments = random.Random(seed)
    met = dict.fromkeys(("SIGKILL", "SIGTERM", "SIGINT"), 0)
    patience, number = 2.0, 0
    while sum(met.values()) < faults:
        number += 1
        folder = place / f"{kind}-{number}"
        config, said = folder.with_suffix(".yaml"), folder.with_suffix(".txt")
        config.write_text(yaml.safe_dump(tiny(rooms, folder, **STEPS, **KINDS[kind]), sort_keys=False))
        while not (folder / "metrics.json").exists():
            with started(command, [kind, str(config), "--quiet"], said) as process:
                begun = time.monotonic()
                process.join(moments.uniform(0, patience) if sum(met.values()) < faults else 120)
                name = moments.choice(list(met))
                if process.is_alive():
                    process.terminate() if name == "SIGTERM" else os.kill(process.pid, getattr(signal, name))
                    sent = time.monotonic()
                    process.join(30)
                    assert time.monotonic() - sent < 5, f"{name} was not obeyed in time"
                    met[name] += 1
                else:
                    assert process.exitcode == 0, said.read_text()
                    patience = max(0.5, 0.7 * (time.monotonic() - begun))
        # What Python says when it is interrupted before a line of ours has run is not ours to change.
        assert "nas_ctx/" not in said.read_text(), said.read_text()
        same(contents(folder), expected)
    return met


@pytest.mark.parametrize("faults", [8, pytest.param(150, marks=pytest.mark.long)])
def test_ended_at_random_moments(kind: str, unbroken: Path, rooms: Path, tmp_path: Path, faults: int) -> None:
    met = disturbed(kind, rooms, tmp_path, contents(unbroken), faults, seed=faults)
    assert sum(met.values()) >= faults
    print(f"{kind}: {met}, all survived")


def test_a_signal_amid_a_library_that_wraps_exceptions() -> None:
    with pytest.raises(Interrupted, match="nothing was saved yet"), stop_on_signals():  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException as error:
            raise RuntimeError("error building validator") from error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_the_run(rooms: Path, tmp_path: Path, number: signal.Signals) -> None:
    """No checkpoint is due for long: the one that is found is the one written for the signal."""
    folder = tmp_path / "run"
    config = tmp_path / "search.yaml"
    long = {"training__steps": 5000, "training__checkpoint_every": 5000, "training__validate_every": 5000}
    config.write_text(yaml.safe_dump(tiny(rooms, folder, **long), sort_keys=False))
    with started(command, ["search", str(config), "--quiet"], tmp_path / "said") as process:
        wait_until(lambda: (folder / "history.csv").exists(), process)
        process.join(0.5)
        os.kill(process.pid, number)
        sent = time.monotonic()
        process.join(30)
        assert time.monotonic() - sent < 5
        assert process.exitcode == 128 + number
    (saved,) = (folder / "checkpoints").glob("*.ckpt")
    step = saved.stem.partition("=")[2]
    assert int(step) > 0
    assert f"saved at step {step}, and the same command goes on" in (tmp_path / "said").read_text()
    assert (folder / "history.csv").read_text().splitlines()[-1].startswith(f"{step},")


def test_two_runs_into_one_folder(rooms: Path, tmp_path: Path) -> None:
    config = tmp_path / "search.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, tmp_path / "run", training__steps=5000), sort_keys=False))
    with started(command, ["search", str(config), "--quiet"], tmp_path / "said") as process:
        wait_until(lambda: (tmp_path / "run" / "config.yaml").exists(), process)
        with pytest.raises(InputError, match=rf"output: .*run: is in use by process {process.pid} on "):
            runs.search(load_config(config), progress=False)


def test_a_full_disk_is_named_and_nothing_is_lost(kind: str, unbroken: Path, rooms: Path, tmp_path: Path) -> None:
    """The process may write no file as large as a checkpoint; with room again it ends like the others."""
    folder, said = tmp_path / "run", tmp_path / "said"
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, folder, **STEPS, **KINDS[kind]), sort_keys=False))
    arguments = [kind, str(config), "--quiet"]
    with started(command, arguments, said, 100_000) as process:
        process.join(60)
        assert process.exitcode == 2
    lines = said.read_text().splitlines()
    assert len(lines) == 1, lines
    assert re.search(r"step=1\.ckpt: cannot be written: File too large; there is no earlier one", lines[0])
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == []
    runs_again = tiny_config(rooms, folder, **STEPS, **KINDS[kind])
    getattr(runs, kind)(runs_again, progress=False)
    same(contents(folder), contents(unbroken))


@pytest.mark.parametrize("command_name", ["search", "train"])
def test_where_nothing_can_be_written(
    rooms: Path, tmp_path: Path, command_name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a file, below a file, and where even the superuser may not make a folder."""
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, None), sort_keys=False))
    for place, words in (
        (config, "is a file"),
        (config / "run", "Not a directory"),
        (Path("/sys/nas_ctx"), "Operation not permitted|Permission denied|Read-only"),
    ):
        assert main([command_name, str(config), "--out", str(place), "--quiet"]) == 2
        said = capfd.readouterr().err.strip()
        assert re.fullmatch(rf"nas-ctx {command_name}: output: {place}: ({words}).*", said), said


def test_what_a_killed_beginning_leaves_is_no_obstacle(rooms: Path, tmp_path: Path) -> None:
    """Killed before there was a configuration: an empty folder of checkpoints, a lock, a file on its way."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / ".lock").write_text("process 1 on nowhere\n")
    (folder / ".config-0a1b2c3d.yaml").write_text("seed: 0")
    runs.train(tiny_config(rooms, folder, training__steps=1), progress=False)
    assert not (folder / ".config-0a1b2c3d.yaml").exists()
