"""What a run reports to TensorBoard: its losses and the scores of its validations, in the folder ``tensorboard``."""

from __future__ import annotations

import math
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from nas_ctx.files.events import EventFile
from nas_ctx.runs.callbacks.progress import losses_of, validation_row
from nas_ctx.runs.callbacks.saving import ends_at
from nas_ctx.runs.folder import RunFolder

NAME = "tensorboard"


class Events(Callback):
    """Losses as ``losses/<term>`` after every ``every``-th step and the last one, scores as ``validation/<score>``.

    A resumed run begins a file of its own, in which it says from which step on it repeats what the earlier ones have.
    """

    def __init__(self, folder: RunFolder, every: int) -> None:
        self.folder, self.every = folder, every
        self._file: EventFile | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.folder.check_there()
        below = self.folder.path / NAME
        below.mkdir(exist_ok=True)
        done = int(trainer.global_step)
        self._file = EventFile(below / f"events.out.tfevents.{done:012d}", done + 1)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.global_step % self.every == 0 or ends_at(trainer, trainer.global_step):
            self._add(trainer, "losses", losses_of(pl_module))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._add(trainer, "validation", validation_row(pl_module))
        if self._file is not None:
            self._file.flush()

    def _add(self, trainer: Trainer, kind: str, numbers: dict[str, float]) -> None:
        if self._file is not None:
            known = {f"{kind}/{name}": value for name, value in numbers.items() if not math.isnan(value)}
            self._file.add(int(trainer.global_step), known)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
