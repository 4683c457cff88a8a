"""A progress bar over the steps of a run."""

from __future__ import annotations

import sys
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from nas_ctx.runs.callbacks.progress import scores_of
from nas_ctx.search import GumbelSearchModule


class StepBar(Callback):
    """On a terminal one bar over all steps; elsewhere a line after every validation.

    Lightning's own bar is one per epoch, and epochs mean nothing where a run is counted in steps.
    """

    def __init__(self) -> None:
        self._bar: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and sys.stderr.isatty():
            what = "searching" if isinstance(pl_module, GumbelSearchModule) else "training"
            self._bar = tqdm(
                total=int(trainer.estimated_stepping_batches), initial=trainer.global_step, desc=what, unit="step"
            )

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if self._bar is not None:
            self._bar.update(trainer.global_step - self._bar.n)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        words = {"validation loss": f"{scores_of(pl_module)['loss']:.4g}"}
        if isinstance(pl_module, GumbelSearchModule):
            words["blocks decided"] = f"{len(pl_module.choices.decisions())}/{len(pl_module.choices)}"
        if self._bar is not None:
            self._bar.set_postfix(words)
        else:
            line = ", ".join(f"{name} {value}" for name, value in words.items())
            print(f"  step {trainer.global_step} of {int(trainer.estimated_stepping_batches)}: {line}", flush=True)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
