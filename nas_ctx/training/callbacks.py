"""What a run tells while it goes: a line per validation in a CSV file, and to whoever asked to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from nas_ctx.search import GumbelSearchModule
from nas_ctx.training.folder import RunFolder
from nas_ctx.training.module import MultiTaskModule

Report = Callable[[dict[str, float]], None]


class Progress(Callback):
    """After every validation: a row in ``validation.csv`` of the run folder, and a call of ``report``.

    A row has the step, every score of :class:`MultiTaskModule`, and in a search the mean entropy and the number of
    blocks decided.
    """

    def __init__(self, folder: RunFolder, report: Report | None) -> None:
        self.folder, self.report = folder, report

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        row: dict[str, Any] = dict(scores_of(pl_module))
        if isinstance(pl_module, GumbelSearchModule):
            row["mean_entropy"] = float(pl_module.choices.mean_entropy().detach())
            row["blocks_decided"] = len(pl_module.decided())
        self.folder.append_row("validation.csv", {"step": trainer.global_step, **row})
        if self.report is not None:
            self.report(row)


def scores_of(module: LightningModule) -> dict[str, float]:
    """The scores of the last validation, whether the module is a search's or the inner one itself."""
    inner = module.training_module if isinstance(module, GumbelSearchModule) else module
    assert isinstance(inner, MultiTaskModule)
    return inner.scores
