"""Runs in processes of their own, to be killed: forked from a server that has imported everything, so in no time."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["nas_ctx.runs", "nas_ctx.cli", "tests.robustness.processes"])


def command(arguments: list[str], said: Path, limit: int | None = None) -> None:
    """In the child: run ``nas-ctx`` with its output in a file; ``limit`` is the largest file it may write, in bytes."""
    import resource

    from nas_ctx.cli import main

    os.setsid()
    stream = said.open("a", buffering=1)
    sys.stdout = sys.stderr = stream
    torch.set_num_threads(1)
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.exit(main(arguments))


@contextlib.contextmanager
def started(target: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
    """A process that runs ``target``; whatever happens, it has ended after the block."""
    process = _context.Process(target=target, args=arguments, daemon=False)
    process.start()
    try:
        yield process
    finally:
        if process.is_alive():
            process.kill()
        process.join()


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
        for name in ("genotype.json", "history.csv", "metrics.json", "validation.csv")
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
