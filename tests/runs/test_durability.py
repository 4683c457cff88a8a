"""What a run promises to have written: it is on the disk, in its own folder, before the run says that it is done."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas_ctx import runs, trial
from nas_ctx.cli import main
from nas_ctx.errors import InputError
from nas_ctx.runs import RunFolder
from nas_ctx.runs.stopping import stop_on_signals
from tests.rooms import tiny, tiny_config


@pytest.mark.parametrize("kind", ["search", "train"])
def test_every_result_and_its_name_reach_the_disk(
    rooms: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order: the content, then the name, then the folder; the metrics, which mark the run as finished, last."""
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        done.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def replaced(source: Any, target: Any, **named: Any) -> None:
        done.append(("named", f"{os.path.abspath(source)} {os.path.abspath(target)}"))
        replace(source, target, **named)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    folder = tmp_path / "run"
    getattr(runs, kind)(tiny_config(rooms, folder), progress=False)
    named = {words.split()[1]: (place, words.split()[0]) for place, (what, words) in enumerate(done) if what == "named"}
    results = [path for path in folder.rglob("*") if path.is_file() and path.name not in (".lock", "run.log")]
    assert len(results) >= 6
    for path in results:
        place, temporary = named[str(path)]
        assert ("sync", temporary) in done[:place], path
        assert ("sync", str(path.parent)) in done[place:], path
    assert max(place for place, _ in named.values()) == named[str(folder / "metrics.json")][0]
    assert {("sync", str(folder)), ("sync", str(tmp_path))} <= set(done[: named[str(folder / "config.yaml")][0]])
    if kind == "search":  # its rows are appended
        last = [place for place, entry in enumerate(done) if entry == ("sync", str(folder / "history.csv"))][-1]
        assert last < named[str(folder / "metrics.json")][0]


@pytest.mark.parametrize("content", ["", "\n", "{", "{}", "\x00" * 100])
def test_a_run_with_half_a_file_of_metrics_is_not_finished(rooms: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "run"
    config = tiny_config(rooms, folder)
    runs.search(config, progress=False)
    expected = (folder / "metrics.json").read_bytes()
    (folder / "metrics.json").write_text(content)
    assert not RunFolder(folder).finished
    assert trial.run("search", config)["default"] == json.loads(expected)["loss"]
    assert (folder / "metrics.json").read_bytes() == expected


@pytest.mark.parametrize("kind", ["search", "train"])
@pytest.mark.parametrize("again", [False, True], ids=["removed", "replaced"])
def test_a_folder_that_is_removed_under_a_run_is_an_error(
    rooms: Path, tmp_path: Path, kind: str, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not half a folder and exit code 0."""
    folder = tmp_path / "run"

    def remove(scores: dict[str, float]) -> None:
        shutil.rmtree(folder)
        if again:
            folder.mkdir()

    with pytest.raises(InputError, match=r"output: .*run: .* while the run was at work"):
        getattr(runs, kind)(tiny_config(rooms, folder), report=remove, progress=False)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_the_command_says_so_in_a_line(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(tiny(rooms, folder)))
    put_row: Callable[..., None] = RunFolder.put_row

    def removed(self: RunFolder, *given: Any) -> None:
        put_row(self, *given)
        shutil.rmtree(folder)

    monkeypatch.setattr(RunFolder, "put_row", removed)
    assert main(["search", str(tmp_path / "run.yaml"), "--quiet"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert re.fullmatch(
        r"nas-ctx search: output: .*/run: No such file or directory: was removed while .* at work", line
    )


def test_a_run_is_saved_when_its_terminal_is_closed(rooms: Path, tmp_path: Path) -> None:
    """With the bar that is drawn there; the kernel sends SIGHUP to what runs in the terminal."""
    folder = tmp_path / "run"
    config = tmp_path / "run.yaml"
    long = {"training__steps": 5000, "training__checkpoint_every": 5000, "training__validate_every": 5000}
    config.write_text(yaml.safe_dump(tiny(rooms, folder, **long)))
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # rows, columns
    command = [sys.executable, "-m", "nas_ctx.cli", "search", str(config)]
    run = (
        "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # ignored, perhaps, where the tests were started
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", run, *command], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    try:
        os.close(terminal)
        drawn = b""
        while re.search(rb"\b\d\d+/5000", drawn) is None:
            drawn += os.read(master, 10_000)  # fails when the run has ended
        os.close(master)
        assert process.wait(timeout=60) in (128 + signal.SIGHUP, 1)  # nobody is left to be told
    finally:
        process.kill()
        process.wait()
    (saved,) = (folder / "checkpoints").glob("*.ckpt")
    assert int(saved.stem.partition("=")[2]) >= 10


def test_where_hangups_are_ignored_they_stay_ignored() -> None:
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as request:
            request.learning = True
            signal.raise_signal(signal.SIGHUP)
            assert request.number is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
