"""Runs in processes of their own, to be killed: forked from a server that has imported everything, so in no time."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["nas_ctx.runs", "nas_ctx.cli", "tests.runs.processes"])


def command(arguments: list[str], said: Path, limit: int | None = None) -> None:
    """In the child: run ``nas-ctx`` with its output in a file; ``limit`` is the largest file it may write, in bytes."""
    import resource

    from nas_ctx.cli import main

    # A child of the fork server would start its own children from such a server, too; a program of its own forks them.
    multiprocessing.set_start_method("fork", force=True)
    os.setsid()
    stream = said.open("a", buffering=1)
    sys.stdout = sys.stderr = stream
    faulthandler.register(signal.SIGUSR1, file=stream, all_threads=True)  # see `ended`
    # As in a terminal, however the tests were started: in the background of a shell, say, which ignores SIGINT.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    torch.set_num_threads(1)
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.exit(main(arguments))


@contextlib.contextmanager
def started(arguments: list[str], said: Path, limit: int | None = None) -> Iterator[Any]:
    """A process that runs :func:`command`; whatever happens, it and its children have ended after the block."""
    process = _context.Process(target=command, args=(arguments, said, limit), daemon=False)
    process.start()
    process.said = said
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own group, once it has come as far as `command`
        process.kill()
        process.join(60)
        assert not process.is_alive(), f"process {process.pid} outlives SIGKILL"


def ended(process: Any, seconds: float = 120) -> int:
    """The exit code of a process that is to end by itself. One that hangs fails the test, and tells where it hangs."""
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid, signal.SIGUSR1)
        process.join(2)
        pytest.fail(f"still there after {seconds:g} seconds:\n{process.said.read_text()[-6000:]}")
    return process.exitcode


# "In under 5 seconds": of its own time, since other processes may have the cores.
PROMISED, PATIENCE = 5.0, 60.0


def stopped(process: Any, number: int, group: bool = False) -> float:
    """Send a signal to a process, or to all of its group; the seconds of processor time until it was gone.

    Fails where these are more than promised, and where it waits for what does not come.
    """
    spent, end = 0.0, time.monotonic() + PATIENCE
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):  # it has just ended by itself
        watched = psutil.Process(process.pid)
        before = sum(watched.cpu_times()[:2])
        (os.killpg if group else os.kill)(process.pid, number)
        while process.is_alive() and time.monotonic() < end:
            spent = max(spent, sum(watched.cpu_times()[:2]) - before)
            process.join(0.01)
    ended(process, 1)
    assert spent < PROMISED, f"signal {number} was obeyed after {spent:.1f} seconds of work"
    return spent


def wait_until(condition: Callable[[], Any], process: Any, seconds: float = 60) -> None:
    """Look every few milliseconds until ``condition`` holds; fail when the process ends before, or time is up."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.is_alive(), f"ended with {process.exitcode} before its time"
        assert time.monotonic() < end, "time is up"
        time.sleep(0.002)


def contents(folder: Path) -> dict[str, Any]:
    """All that a finished run is to be compared by: its files, and every number of its last checkpoint."""
    found: dict[str, Any] = {
        name: (folder / name).read_bytes()
        for name in ("genotype.json", "history.csv", "losses.csv", "metrics.json", "details.json", "validation.csv")
        if (folder / name).exists()
    }
    newest = max((folder / "checkpoints").glob("*.ckpt"), key=lambda path: int(path.stem.partition("=")[2]))
    state = torch.load(newest, weights_only=True)
    found["step"] = newest.name
    found |= {
        f"{part}/{place}": value
        for part in ("state_dict", "optimizer_states", "lr_schedulers")
        for place, value in flat(state[part])
    }
    return found


def flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested dictionaries and lists with its place; tensors as bytes."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{place}/{key}")
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from flat(inner, f"{place}/{number}")
    else:
        yield place, value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


def same(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Fail, naming what differs, unless two :func:`contents` are equal."""
    assert first.keys() == second.keys()
    different = [key for key in first if first[key] != second[key]]
    assert not different, f"{len(different)} differ, such as {different[:5]}"


def as_json(path: Path) -> Any:
    return json.loads(path.read_text())
