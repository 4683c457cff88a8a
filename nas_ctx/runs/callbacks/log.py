"""The log of a run, ``run.log`` in its folder: what happened, and when. A resumed run appends to it."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import time
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from nas_ctx import __version__
from nas_ctx.escaping import visible, without_passwords
from nas_ctx.files import unlinked
from nas_ctx.runs.callbacks.progress import scores_of
from nas_ctx.search import GumbelSearchModule

NAME = "run.log"
log = logging.getLogger("nas_ctx")


class _File(logging.FileHandler):
    """A log that cannot be written, on a full disk for example, does not disturb the run."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, opener=unlinked)

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


class _Lines(logging.Formatter):
    """One line per record, without passwords and without what controls a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(without_passwords(super().format(record)))


@contextlib.contextmanager
def logged(folder: Path, command: str) -> Iterator[None]:
    """Log what the package reports while the block runs, how the run began, and how it ended."""
    file = _File(folder / NAME, encoding="utf-8")
    file.setFormatter(_Lines("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S%z"))
    added: list[logging.Handler] = [file]
    if not log.hasHandlers() and logging.lastResort is not None:
        added.append(logging.lastResort)  # warnings go to standard error, as without a log
    level, started = log.level, time.monotonic()
    log.setLevel(logging.INFO)
    for handler in added:
        log.addHandler(handler)
    try:
        log.info("%s with nas_ctx %s, process %d on %s", command, __version__, os.getpid(), platform.node())
        yield
        log.info("finished after %s", duration(time.monotonic() - started))
    except KeyboardInterrupt as stop:
        log.info("%s", str(stop) or "interrupted")
        raise
    except BaseException as error:
        file.handle(log.makeRecord(log.name, logging.ERROR, "", 0, f"ended by {_described(error)}", (), None))
        raise
    finally:
        for handler in added:
            log.removeHandler(handler)
        log.setLevel(level)
        file.close()


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def duration(seconds: float) -> str:
    """A time span in words.

    >>> duration(7.24), duration(3700)
    ('7.2 s', '1 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class RunLog(Callback):
    """Logs the start, every block that is decided, every validation, and the time of a step."""

    def __init__(self) -> None:
        self._since = (0, 0.0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        total = int(trainer.estimated_stepping_batches)
        log.info("step %d of %d: begins on %s", trainer.global_step, total, pl_module.device)
        self._since = trainer.global_step, time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        for decision in pl_module.new_decisions if isinstance(pl_module, GumbelSearchModule) else ():
            log.info("step %d: %s is decided: %s", decision.step, decision.label, decision.value)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step, now = trainer.global_step, time.monotonic()
        words = [f"step {step}: validation loss {scores_of(pl_module)['loss']:.4g}"]
        if isinstance(pl_module, GumbelSearchModule):
            words.append(f"{len(pl_module.choices.decisions())} of {len(pl_module.choices)} blocks decided")
        if step > self._since[0]:
            words.append(f"{(now - self._since[1]) / (step - self._since[0]):.3g} s a step, validation included")
        log.info(", ".join(words))
        self._since = step, now
