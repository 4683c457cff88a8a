"""The losses of a run as ``losses.csv`` in its folder: a row every ``training.log_every`` steps, and of the last."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from nas_ctx.runs.callbacks.progress import losses_of
from nas_ctx.runs.callbacks.saving import ends_at
from nas_ctx.runs.folder import RunFolder
from nas_ctx.search.history import StepRows

NAME = "losses.csv"


class LossRows(Callback):
    """After every ``every``-th step, and the last one, a row: the step, ``total``, and its terms.

    The terms are the weighted losses of that batch: ``<task>``, ``<task>/auxiliary`` and ``<task>/initial``, as far as
    the network makes them; of several processes those of the first.
    """

    def __init__(self, folder: RunFolder, every: int) -> None:
        self.folder, self.every = folder, every
        self._rows: StepRows | None = None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        step = trainer.global_step
        if step % self.every and not ends_at(trainer, step):
            return
        losses = losses_of(pl_module)
        if self._rows is None:
            self.folder.check_there()
            self._rows = StepRows(self.folder.path / NAME, ["step", *losses])
        self._rows.add(step, losses.values())

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self._rows is not None:
            self._rows.flush()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._rows is not None:
            self._rows.flush()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    def _close(self) -> None:
        if self._rows is not None:
            self._rows.close()
