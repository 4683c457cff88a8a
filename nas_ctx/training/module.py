"""One Lightning module for all that learns here: the search's supernet, baselines, and retrained networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from nni.nas.evaluator.pytorch import LightningModule
from torch import Tensor, nn

from nas_ctx.config import TrainingConfig
from nas_ctx.tasks import Task
from nas_ctx.training.optimizer import sgd_with_poly

Outputs = Mapping[str, Mapping[str, Tensor]]


def outputs_of(model: nn.Module, batch: Mapping[str, Any]) -> Outputs:
    """What a network gives for a batch. One that sets ``reads_labels`` is shown the labels too."""
    return model(batch["image"], batch) if getattr(model, "reads_labels", False) else model(batch["image"])


def task_losses(tasks: Mapping[str, Task], outputs: Outputs, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weighted losses of a batch: ``"<task>"`` for the final prediction, and where the network makes them,
    ``"<task>/auxiliary"`` for the regions and ``"<task>/initial"`` for predictions on the way, summed over these.

    Their sum is the total loss (supplement, eq. 1); all predictions of a task have the same weight.
    """
    losses: dict[str, Tensor] = {}
    for name, task in tasks.items():
        losses[name] = task.weight * task.loss(outputs["final"][name], batch[name])
        if name in outputs["auxiliary"]:
            auxiliary = task.auxiliary_loss(outputs["auxiliary"][name], batch[name])
            losses[f"{name}/auxiliary"] = task.weight * auxiliary
        if name in outputs.get("initial", {}):
            initial = torch.stack([task.loss(logits, batch[name]) for logits in outputs["initial"][name]])
            losses[f"{name}/initial"] = task.weight * initial.sum()
    return losses


class MultiTaskModule(LightningModule):
    """Losses, metrics and optimiser of a multi-task network.

    After a validation ``scores`` holds, beside ``"loss"`` (the mean of the weighted final losses' sum over images),
    every metric of every task as ``"<task>/<metric>"``; ``scored_step`` is the number of steps done by then.

    Args:
        tasks: what the network predicts.
        config: how its weights are learnt.
    """

    def __init__(self, tasks: Mapping[str, Task], config: TrainingConfig) -> None:
        super().__init__()
        self.tasks = dict(tasks)
        self.config = config
        self.metrics = {name: task.metric() for name, task in self.tasks.items()}
        # Registered too, so that their state follows the device.
        self._metrics = torch.nn.ModuleDict(self.metrics)
        self.scores: dict[str, float] = {}
        self.scored_step: int | None = None
        self._loss_sum, self._images = 0.0, 0

    def forward(self, image: Tensor) -> Outputs:
        return self.model(image)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        losses = task_losses(self.tasks, outputs_of(self.model, batch), batch)
        total = torch.stack(list(losses.values())).sum()
        if (self.trainer.global_step + 1) % self.config.log_every == 0:
            self.log("loss", total.detach(), prog_bar=True)
            self.log_dict({f"loss/{name}": loss.detach() for name, loss in losses.items()})
        return total

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        final = outputs_of(self.model, batch)["final"]
        losses = task_losses(self.tasks, {"final": final, "auxiliary": {}}, batch)
        self._loss_sum += float(torch.stack(list(losses.values())).sum()) * len(batch["image"])
        self._images += len(batch["image"])
        for name, task in self.tasks.items():
            self.metrics[name].update(task.predict(final[name]), batch[name])

    def on_validation_epoch_end(self) -> None:
        self.scored_step = self.trainer.global_step
        self.scores = {"loss": self._loss_sum / max(self._images, 1)}
        self._loss_sum, self._images = 0.0, 0
        for name, metric in self.metrics.items():
            self.scores |= {f"{name}/{key}": float(value) for key, value in metric.compute().items()}
            metric.reset()
        self.log_dict({f"val/{name}": value for name, value in self.scores.items()})

    def configure_optimizers(self) -> dict[str, Any]:
        return sgd_with_poly(self.model, self.config)
