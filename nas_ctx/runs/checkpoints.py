"""Checkpoints that are whole or not there: the newest and the one before it."""

from __future__ import annotations

import itertools
import os
import secrets
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from nas_ctx.errors import InputError
from nas_ctx.files import sync
from nas_ctx.runs import seal
from nas_ctx.runs.folder import checkpoints_in, step_of
from nas_ctx.runs.stopping import StopRequest, StopRun

KEPT = 2
REQUIRED = {"state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch", "global_step", "run"}
UNSEALED = (
    "has no digest, so that nobody knows whether it is whole; those of version 0.1.0 have none, and "
    "networks with contexts are others since version 0.1.0: begin again"
)


class Checkpoints(Callback):
    """Writes ``step=<n>.ckpt`` and removes older ones once it is whole; stops the run, saved, when asked to.

    A checkpoint is due every ``every`` steps, before every validation (which may take long, and be interrupted), and
    after the last step.

    Args:
        folder: where to.
        every: steps between two.
        stop: looked at after every step and every validation batch.
        run: the configuration as YAML, which each checkpoint holds, so that one of another run is known as such.
        check: called before anything is written; raises where the folder is no longer there.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        stop: StopRequest | None = None,
        run: str = "",
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.every, self.stop, self.run = folder, every, stop or StopRequest(), run
        self.check = check

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["run"] = self.run

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stop.install()  # once more: Lightning has put its own handler in front
        self.stop.learning = True
        self.stop.saved = trainer.global_step or None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        step = trainer.global_step
        stopping = self._asked_to_stop(trainer)
        if stopping or step % self.every == 0 or validates_at(trainer, step) or ends_at(trainer, step):
            self._save(trainer)
        if stopping:
            raise StopRun

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if self._asked_to_stop(trainer):
            raise StopRun  # the weights under validation are saved

    def _asked_to_stop(self, trainer: Trainer) -> bool:
        asked = self.stop.number is not None
        # All processes stop at the same step, or those that go on would wait for the others for ever.
        return bool(trainer.strategy.reduce_boolean_decision(asked, all=False)) if trainer.world_size > 1 else asked

    def _save(self, trainer: Trainer) -> None:
        self.check()
        path = self.folder / f"step={trainer.global_step}.ckpt"
        part = path.with_name(f"{path.stem}-{secrets.token_hex(4)}.part")  # a name that nobody can have made a link
        try:
            trainer.save_checkpoint(part, weights_only=False)  # all processes take part, the first one writes
            if trainer.is_global_zero:
                sync(part)  # a power cut after the renaming must not leave an empty file under the good name
                os.replace(part, path)
                sync(self.folder)
                before = [kept for kept in checkpoints_in(self.folder) if step_of(kept) < trainer.global_step]
                for older in before[KEPT - 1 :]:
                    older.unlink()
        except OSError as error:
            part.unlink(missing_ok=True)
            kept = checkpoints_in(self.folder)
            raise InputError(
                f"{path}: cannot be written: {error.strerror or error}; "
                + (f"{kept[0].name} is whole" if kept else "there is no earlier one")
                + ", and the same command goes on from it"
            ) from None
        self.stop.saved = trainer.global_step


def validates_at(trainer: Trainer, step: int) -> bool:
    """Whether a run of :mod:`nas_ctx.runs` validates after ``step`` steps, its last step aside."""
    return step > 0 and step % int(trainer.val_check_interval or 1) == 0


def ends_at(trainer: Trainer, step: int) -> bool:
    """Whether ``step`` is the last one."""
    return step >= trainer.max_steps or trainer.should_stop


def set_aside(path: Path) -> Path:
    """Rename a checkpoint that cannot be used, so that it is nobody's newest one; nothing of it is lost."""
    names = (path.with_name(f"{path.name}.bad{number or ''}") for number in itertools.count())
    free = next(name for name in names if not os.path.lexists(name))
    os.replace(path, free)
    return free


def newest_whole(
    folder: Path, differing: Callable[[str], list[str]] | None = None
) -> tuple[Path | None, dict[Path, str]]:
    """The newest checkpoint that can be used, and what is wrong with each newer one.

    A checkpoint is read with ``weights_only=True``: it can hold tensors and plain values, and run nothing.

    Args:
        differing: says in which settings the run of a checkpoint, its configuration given as YAML, is not the one that
            is to go on; by default any run will do.
    """
    refused: dict[Path, str] = {}
    for path in checkpoints_in(folder):
        fault = fault_of(path, differing)
        if fault is None:
            return path, refused
        refused[path] = fault
    return None, refused


def fault_of(path: Path, differing: Callable[[str], list[str]] | None = None) -> str | None:
    """Why a run cannot go on from a checkpoint; None where it can."""
    try:
        return _fault(path, differing)
    except Exception as error:  # torch.load meets a damaged file with errors of many kinds
        return f"cannot be read: {(str(error).splitlines() or [type(error).__name__])[0][:120]}"


def _fault(path: Path, differing: Callable[[str], list[str]] | None) -> str | None:
    if not path.is_file():
        return "is no file"  # a pipe would be waited for
    with zipfile.ZipFile(path) as file:  # torch compares no checksums
        damaged = file.testzip()
    if damaged is not None:
        return f"cannot be read: {damaged} is damaged in it"
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(content, dict):
        return f"not a checkpoint of a run: holds a {type(content).__name__}"
    missing = REQUIRED - set(content)
    if missing:
        return f"not a checkpoint of a run: {', '.join(sorted(missing))} missing"
    different = [] if differing is None else differing(str(content["run"]))
    if different:
        return f"of another run ({', '.join(different[:4])} differ)"
    if differing is not None and seal.KEY not in content:
        return UNSEALED
    if seal.KEY in content and content[seal.KEY] != seal.digest(content):
        return "changed since it was written: its content does not have its digest"
    if content["global_step"] != step_of(path):
        return f"named for another step than its own, {content['global_step']}"
    bad = seal.not_a_number({key: content[key] for key in ("state_dict", "optimizer_states")})
    return None if bad is None else f"{bad} holds values that are not numbers"
