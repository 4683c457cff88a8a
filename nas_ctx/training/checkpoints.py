"""Checkpoints that are whole or not there: the newest and the one before it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

KEPT = 2
_NAME = re.compile(r"step=(\d+)\.ckpt")


class Checkpoints(Callback):
    """Writes ``step=<n>.ckpt`` every ``every`` steps and at the end; the older ones are removed once it is whole.

    Args:
        folder: where to.
        every: steps between two.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.folder, self.every = folder, every

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.global_step % self.every == 0:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        path = self.folder / f"step={trainer.global_step}.ckpt"
        part = path.with_suffix(".part")
        trainer.save_checkpoint(part)  # all processes take part, the first one writes
        if trainer.is_global_zero:
            os.replace(part, path)
            for older in checkpoints_in(self.folder)[KEPT:]:
                older.unlink()


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder, newest first."""
    found = {path: _NAME.fullmatch(path.name) for path in folder.glob("*.ckpt")}
    return sorted((p for p, name in found.items() if name), key=lambda p: int(p.stem.partition("=")[2]), reverse=True)


def newest_whole(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that can be read, and a line for each newer one that cannot.

    A checkpoint is read with ``weights_only=True``: it can hold tensors and plain values, and run nothing.
    """
    refused: list[str] = []
    for path in checkpoints_in(folder):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            missing = {"state_dict", "optimizer_states", "global_step"} - set(content)
            if not missing:
                return path, refused
            refused.append(f"{path}: not a checkpoint of a run: {', '.join(sorted(missing))} missing")
        except Exception as error:  # torch.load meets a damaged file with errors of many kinds
            refused.append(f"{path}: cannot be read: {str(error).splitlines()[0][:120]}")
    return None, refused
