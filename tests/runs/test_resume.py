"""Runs that are killed, at any moment and in any way, and started again: they end as if nothing had been."""

from __future__ import annotations

import gc
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.config import load_config
from nas_ctx.errors import InputError
from nas_ctx.runs import checkpoints
from nas_ctx.runs.stopping import Interrupted, stop_on_signals
from nas_ctx.training import MultiTaskModule
from tests.rooms import tiny, tiny_config
from tests.runs.processes import contents, ended, same, started, stopped, wait_until

# Seven steps of three batches an epoch: validations at 3 and 6 and at the end, no two periods alike.
STEPS = {"training__steps": 7, "training__checkpoint_every": 1, "training__validate_every": 3, "seed": 3}
KINDS: dict[str, dict[str, Any]] = {
    # Decides within these steps, so that decisions are among what is resumed.
    "search": {
        "search__stop_margin": 0.2,
        "search__arch_lr": 0.5,
        "search__warmup_steps": 1,
        "training__optimizer": "adamw",
        "training__lr": 1e-3,
        "training__lr_warmup_steps": 3,
    },
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


def disturbed(
    kind: str, rooms: Path, place: Path, expected: dict[str, Any], faults: int, seed: int
) -> tuple[dict[str, int], float]:
    """Start runs and end them at random moments by random signals, each again until it comes to its end, and compare.

    Returns how often each signal met a running process, and the longest that one took to obey.
    """
    moments = random.Random(seed)
    met = dict.fromkeys(("SIGKILL", "SIGTERM", "SIGINT"), 0)
    patience, number, slowest = 2.0, 0, 0.0
    while sum(met.values()) < faults:
        number += 1
        folder = place / f"{kind}-{number}"
        config, said = folder.with_suffix(".yaml"), folder.with_suffix(".txt")
        config.write_text(yaml.safe_dump(tiny(rooms, folder, **STEPS, **KINDS[kind]), sort_keys=False))
        while not (folder / "metrics.json").exists():
            with started([kind, str(config), "--quiet"], said) as process:
                begun = time.monotonic()
                if sum(met.values()) < faults:
                    process.join(moments.uniform(0, patience))
                else:
                    ended(process)
                name = moments.choice(list(met))
                if process.is_alive():
                    slowest = max(slowest, stopped(process, getattr(signal, name)))
                    met[name] += 1
                    patience *= 1.1  # so that on a busier machine, too, some get far
                else:
                    assert process.exitcode == 0, said.read_text()
                    patience = max(0.5, 0.7 * (time.monotonic() - begun))
        # What Python says when it is interrupted before a line of ours has run is not ours to change; nor what it says
        # of an interruption that a library swallowed. (The run then stops a little later.)
        told = re.sub(r"Exception ignored in.*?Interrupted: interrupted\n", "", said.read_text(), flags=re.DOTALL)
        assert "nas_ctx/" not in told, told
        same(contents(folder), expected)
    return met, slowest


@pytest.mark.parametrize("faults", [8, pytest.param(150, marks=pytest.mark.long)])
def test_ended_at_random_moments(kind: str, unbroken: Path, rooms: Path, tmp_path: Path, faults: int) -> None:
    seed = int(os.environ.get("NAS_CTX_SEED", faults))
    met, slowest = disturbed(kind, rooms, tmp_path, contents(unbroken), faults, seed)
    assert sum(met.values()) >= faults
    print(f"{kind}: {met}, all survived; obeyed after {slowest:.1f} s of work at most")


def test_only_whole_checkpoints_of_the_run_itself_are_used(
    kind: str, unbroken: Path, rooms: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All others are named, each with what is wrong with it."""
    folder = tmp_path / "run"
    shutil.copytree(unbroken, folder)
    (folder / "metrics.json").unlink()
    at = {step: folder / "checkpoints" / f"step={step}.ckpt" for step in range(1, 8)}
    whole = at[7].read_bytes()
    at[7].write_bytes(whole[: len(whole) // 2])
    at[6].write_bytes(whole[:200_000] + bytes([whole[200_000] ^ 1]) + whole[200_001:])  # torch would take that
    state = torch.load(at[5], weights_only=True)
    torch.save(state | {"run": state["run"].replace("seed: 3", "seed: 4")}, at[5])
    torch.save({"state_dict": state["state_dict"]}, at[4])
    torch.save([state["state_dict"]], at[3])
    getattr(runs, kind)(tiny_config(rooms, folder, **STEPS, **KINDS[kind]), progress=False)
    told = capfd.readouterr().err.splitlines()
    for line, step, words in zip(
        told,
        (7, 6, 5, 4, 3),
        ("cannot be read", "is damaged in it", "of another run .seed differ", "run missing", "holds a list"),
        strict=True,
    ):
        assert re.search(rf"step={step}\.ckpt: .*{words}.*; using step=2\.ckpt", line), line
    same(contents(folder), contents(unbroken))


def test_a_signal_in_a_validation_ends_it_after_the_batch(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights that it is about are saved; the resumed run makes up for it."""
    steps = {"training__steps": 2, "training__validate_every": 1, "training__checkpoint_every": 2}
    runs.train(tiny_config(rooms, tmp_path / "alone", **steps, data__eval_batch_size=1), progress=False)
    seen: list[int] = []
    sound = MultiTaskModule.validation_step

    def signalled(self: MultiTaskModule, batch: Any, number: int) -> None:
        sound(self, batch, number)
        seen.append(number)
        if len(seen) == 2:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(MultiTaskModule, "validation_step", signalled)
    config = tiny_config(rooms, tmp_path / "run", **steps, data__eval_batch_size=1)
    with pytest.raises(Interrupted, match="saved at step 1"):
        runs.train(config, progress=False)
    assert seen == [0, 1]
    runs.train(config, progress=False)
    same(contents(tmp_path / "run"), contents(tmp_path / "alone"))


def test_a_signal_amid_a_library_that_wraps_exceptions() -> None:
    with pytest.raises(Interrupted, match="nothing was saved yet"), stop_on_signals():  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException as error:
            raise RuntimeError("error building validator") from error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("group", [False, True], ids=["alone", "with workers"])
def test_a_signal_saves_and_ends_the_run(rooms: Path, tmp_path: Path, number: signal.Signals, group: bool) -> None:
    """No checkpoint is due for long: the one that is found is the one written for the signal.

    A terminal and a scheduler send theirs to all of a group: data workers that died of it would take the step along.
    """
    folder = tmp_path / "run"
    config = tmp_path / "search.yaml"
    long = {"training__steps": 5000, "training__checkpoint_every": 5000, "training__validate_every": 5000}
    long |= {"data__workers": 2 if group else 0}
    config.write_text(yaml.safe_dump(tiny(rooms, folder, **long), sort_keys=False))
    with started(["search", str(config), "--quiet"], tmp_path / "said") as process:
        wait_until(lambda: (folder / "history.csv").exists(), process)
        process.join(0.5)
        stopped(process, number, group)
        assert process.exitcode == 128 + number
    (saved,) = (folder / "checkpoints").glob("*.ckpt")
    step = saved.stem.partition("=")[2]
    assert int(step) > 0
    assert f"saved at step {step}, and the same command resumes there" in (tmp_path / "said").read_text()
    assert (folder / "history.csv").read_text().splitlines()[-1].startswith(f"{step},")


def test_two_runs_into_one_folder(rooms: Path, tmp_path: Path) -> None:
    config = tmp_path / "search.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, tmp_path / "run", training__steps=300), sort_keys=False))
    with started(["search", str(config), "--quiet"], tmp_path / "said") as process:
        wait_until(lambda: (tmp_path / "run" / "config.yaml").exists(), process)
        with pytest.raises(InputError, match=rf"output: .*run: is in use by process {process.pid} on "):
            runs.search(load_config(config), progress=False)


def test_a_full_disk_is_named_and_nothing_is_lost(kind: str, unbroken: Path, rooms: Path, tmp_path: Path) -> None:
    """The process may write no file as large as a checkpoint; with room again it ends like the others."""
    folder, said = tmp_path / "run", tmp_path / "said"
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, folder, **STEPS, **KINDS[kind]), sort_keys=False))
    arguments = [kind, str(config), "--quiet"]
    with started(arguments, said, 100_000) as process:
        assert ended(process) == 2
    lines = said.read_text().splitlines()
    assert len(lines) == 1, lines
    assert re.search(r"step=1\.ckpt: cannot be written: File too large; there is no earlier one", lines[0])
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == []
    runs_again = tiny_config(rooms, folder, **STEPS, **KINDS[kind])
    getattr(runs, kind)(runs_again, progress=False)
    same(contents(folder), contents(unbroken))


@pytest.fixture
def small_disk(unbroken: Path, tmp_path: Path) -> Iterator[Path]:
    """A file system with room for one checkpoint and a half."""
    size = (unbroken / "checkpoints" / "step=1.ckpt").stat().st_size * 3 // 2
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "nas_ctx_test", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only the superuser can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_and_one_that_becomes_read_only(
    kind: str, unbroken: Path, rooms: Path, small_disk: Path
) -> None:
    """The checkpoint before is there until the new one is whole; with room again the run ends like the others."""
    config = tiny_config(rooms, small_disk / "run", **STEPS, **KINDS[kind])
    with pytest.raises(InputError, match=r"step=2\.ckpt: cannot be written: No space left .*; step=1\.ckpt is whole"):
        getattr(runs, kind)(config, progress=False)
    assert [path.name for path in (small_disk / "run" / "checkpoints").iterdir()] == ["step=1.ckpt"]
    gc.collect()  # the traceback holds the history, open for writing
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match=rf"output: {small_disk}/run: Read-only file system"):
        getattr(runs, kind)(config, progress=False)
    subprocess.run(["mount", "-o", "remount,rw,size=1g", str(small_disk)], check=True)
    getattr(runs, kind)(config, progress=False)
    same(contents(small_disk / "run"), contents(unbroken))


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
    left = folder / ".config-0a1b2c3d.yaml"
    left.write_text("seed: 0")
    config = tiny_config(rooms, folder, training__steps=1)
    runs.train(config, progress=False)
    assert not left.exists()
    part = folder / "checkpoints" / "step=9.part"
    part.touch()
    (folder / "metrics.json").unlink()
    runs.train(config, progress=False)
    assert not part.exists()
