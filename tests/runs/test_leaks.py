"""What a run or an experiment leaves behind: for whose eyes it is, and what does not stand in it."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas_ctx.cli import main
from nas_ctx.errors import InputError, guarded
from nas_ctx.experiment import launch
from nas_ctx.files import umask
from nas_ctx.runs.callbacks.log import log, logged
from tests.rooms import tiny


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder.parent)): path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444])
def test_a_run_is_for_no_more_eyes_than_its_configuration(rooms: Path, tmp_path: Path, mode: int) -> None:
    """Every file: the configuration, the log, the environment, the checkpoints (which repeat it), the results."""
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, tmp_path / "run", training__steps=1)))
    config.chmod(mode)
    with umask(0o022):
        assert main(["search", str(config), "--quiet"]) == 0
        assert os.umask(0o022) == 0o022
    found = modes(tmp_path / "run")
    assert {"run", "run/run.log", "run/config.yaml", "run/checkpoints/step=1.ckpt", "run/history.csv"} <= found.keys()
    for name, has in found.items():
        for readable in (stat.S_IRGRP, stat.S_IROTH):
            assert not has & readable or mode & readable, (name, oct(has))
    if mode == 0o644:
        assert found["run/config.yaml"] == 0o644


STRANGER = """
import os, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
read = 0
for path in sys.argv[1:]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read()
        read += 1
    except PermissionError:
        pass
print(read, len(sys.argv) - 1)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_another_user_reads_nothing_of_a_private_run(rooms: Path, mode: int) -> None:
    """In a folder that is open to all: a run, and what the launcher notes. Of a public one he reads the run."""
    with tempfile.TemporaryDirectory() as opened, umask(0o022):
        place = Path(opened)
        place.chmod(0o755)
        config = place / "run.yaml"
        config.write_text(yaml.safe_dump(tiny(rooms, place / "run", training__steps=1)))
        config.chmod(mode)
        assert main(["search", str(config), "--quiet"]) == 0
        launch._note(config, environment_home(place), launch.Experiment("abc", 8080, place, {}, None))
        run = [place / "run", *(path for path in (place / "run").rglob("*") if path.name != ".lock")]
        notes = [place / "home", *(place / "home").iterdir()]
        for paths, read in ((run, 0 if mode == 0o600 else len(run)), (notes, 0)):
            words = [sys.executable, "-c", STRANGER, *map(str, paths)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            assert done.stdout.split() == [str(read), str(len(paths))]
        assert len(run) >= 10
        assert {path.name for path in notes} >= {"home", ".netrc", "launched.json"}


def environment_home(place: Path) -> Path:
    """A state folder as the launcher makes it."""
    return Path(launch.environment_of(place / "home")["HOME"])


def test_passwords_stay_out_of_the_environment_and_the_log(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user types is kept; the variables of the environment are not, whatever they hold."""
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, tmp_path / "run", training__steps=1)))
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy.example")
    monkeypatch.setenv("SOME_TOKEN", "hunter2")
    words = ["train", str(config), "--quiet", "--set", "tasks.depth={}"]
    monkeypatch.setattr("sys.argv", ["nas-ctx", *words, "--set", "data.api_key=hunter2", "https://me:hunter2@host/x"])
    assert main(words) == 0
    facts = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert facts["arguments"][-2:] == ["data.api_key=***", "https://***@host/x"]
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path
    log.setLevel(logging.INFO)
    with pytest.raises(InputError), logged(tmp_path / "run", "train"):
        raise InputError("http://me:hunter2@host: refused\x1b[2J")
    told = (tmp_path / "run" / "run.log").read_text()
    assert "http://***@host: refused" in told
    assert "\x1b" not in told


REFUSED: list[tuple[str, Any]] = [
    ("precision", "8"), ("precision", "\x1b[31m"), ("precision", "transformer-engine"), ("accelerator", "tpu"),
    ("accelerator", "x"), ("strategy", "x"), ("strategy", "ddp_spawn"), ("strategy", "xla"), ("strategy", "deepspeed"),
    ("strategy", "ddp_notebook"), ("devices", 10**9),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), REFUSED)
@pytest.mark.parametrize("command", ["search", "train"])
def test_what_is_refused_leaves_no_folder(
    rooms: Path, tmp_path: Path, command: str, key: str, value: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(tiny(rooms, tmp_path / "run", **{f"training__{key}": value})))
    assert main([command, str(config), "--quiet"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"nas-ctx {command}: ")
    assert "training" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.yaml"]


def test_warnings_of_libraries_add_no_line_to_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def failing() -> None:
        warnings.warn("of a library", stacklevel=1)
        raise InputError("x: wrong")

    def working() -> None:
        warnings.warn("of another library", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown: list[str] = []
        warnings.showwarning = lambda message, *_: shown.append(str(message))  # type: ignore[assignment]
        assert guarded("nas-ctx x", failing) == 2
        assert guarded("nas-ctx x", working) == 0
    assert capfd.readouterr().err == "nas-ctx x: x: wrong\n"
    assert shown == ["of another library"]
