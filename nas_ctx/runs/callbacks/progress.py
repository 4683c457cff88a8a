"""The scores of each validation, as rows of a CSV file and calls of a function; and the random numbers of a step."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from nas_ctx.runs.callbacks.saving import validates_at
from nas_ctx.runs.folder import RunFolder
from nas_ctx.search import GumbelSearchModule
from nas_ctx.training.module import MultiTaskModule

Report = Callable[[dict[str, float]], None]
NAME = "validation.csv"


class Progress(Callback):
    """After every validation: a row in ``validation.csv`` of the run folder, and a call of ``report``.

    A row has the step, every score of :class:`MultiTaskModule`, and in a search the mean entropy and the number of
    blocks decided.
    """

    def __init__(self, folder: RunFolder, report: Report | None) -> None:
        self.folder, self.report = folder, report

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Repeat a validation that the run had begun, but not ended, before it was resumed."""
        step = trainer.global_step
        missing = validates_at(trainer, step) and str(step) not in [row["step"] for row in self.folder.rows(NAME)]
        if trainer.strategy.broadcast(missing):
            loop = trainer.fit_loop.epoch_loop.val_loop
            trainer.validating, loop.restarting = True, False
            loop.run()
            trainer.training = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        row = validation_row(pl_module)
        self.folder.put_row(NAME, {"step": trainer.global_step, **row})
        if self.report is not None:
            self.report({"step": trainer.global_step, "steps": trainer.max_steps, **row})


class StepSeeds(Callback):
    """Makes the random numbers of a step (of dropout, for example) depend on ``(seed, step, process)`` alone.

    A resumed run therefore draws what the uninterrupted one would have drawn, without the state of a generator. The
    order of the data, its augmentation and the Gumbel noise of a search depend on the step in the same way.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        entropy = (self.seed, trainer.global_step, trainer.global_rank)
        number = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        torch.manual_seed(number)
        np.random.seed(number)  # noqa: NPY002 (for code that draws from the global generator)
        random.seed(number)


def validation_row(module: LightningModule) -> dict[str, float]:
    """The scores of the last validation, and in a search the mean entropy and the number of blocks decided."""
    row = dict(scores_of(module))
    if isinstance(module, GumbelSearchModule):
        row["mean_entropy"] = float(module.choices.mean_entropy().detach())
        row["blocks_decided"] = len(module.choices.decisions())
    return row


def scores_of(module: LightningModule) -> dict[str, float]:
    """The scores of the last validation, whether the module is a search's or the inner one itself."""
    return inner_module(module).scores


def losses_of(module: LightningModule) -> dict[str, float]:
    """The weighted losses of the last step behind their ``total``; nan of a task that the batch has no label for."""
    inner = inner_module(module)
    losses = {name: float(loss) for name, loss in inner.losses.items()}
    without = {name: math.nan for name in losses if name.partition("/")[0] in inner.unlabelled}
    return {"total": sum(losses.values()), **losses, **without}


def inner_module(module: LightningModule) -> MultiTaskModule:
    """The module of the tasks, which a search's module has inside."""
    inner = module.training_module if isinstance(module, GumbelSearchModule) else module
    assert isinstance(inner, MultiTaskModule)
    return inner
