"""The Lightning module that trains a search's supernet, baselines, and networks of a genotype alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from nni.nas.evaluator.pytorch import LightningModule
from torch import Tensor, nn

from nas_ctx.config import TrainingConfig
from nas_ctx.data.loading import parts
from nas_ctx.errors import InputError
from nas_ctx.labels import IGNORE
from nas_ctx.plugins.returned import check_shape, check_shapes, described
from nas_ctx.search.bad_steps import BadSteps, all_finite, clip
from nas_ctx.tasks import Task
from nas_ctx.training.execution import arrange
from nas_ctx.training.networks import misfit
from nas_ctx.training.optimizer import make_optimizer

Outputs = Mapping[str, Mapping[str, Tensor]]


def outputs_of(model: nn.Module, batch: Mapping[str, Any]) -> Outputs:
    """What a network gives for a batch. One that sets ``reads_labels`` is shown the labels too.

    Raises:
        InputError: the batch is so small that a batch norm in training has nothing to average over.
    """
    try:
        return model(batch["image"], batch) if getattr(model, "reads_labels", False) else model(batch["image"])
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        size = " x ".join(map(str, batch["image"].shape[2:]))
        raise InputError(
            f"data.batch_size: {len(batch['image'])}: of an image of {size} a batch norm of the network sees a single "
            "pixel, and has nothing to average over: raise it, or data.image_size"
        ) from error


def task_losses(tasks: Mapping[str, Task], outputs: Outputs, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weighted losses of a batch: ``"<task>"`` for the final prediction, and where the network makes them,
    ``"<task>/auxiliary"`` for the regions and ``"<task>/initial"`` for predictions on the way, summed over these.

    Their sum is the total loss (supplement, eq. 1); all predictions of a task have the same weight. A task that
    ``batch["unlabelled"]`` names costs 0, without a gradient, so that what only it uses stays as it is; where it
    names all of them, gradients are 0.

    Raises:
        InputError: logits or a loss of another shape than networks and tasks have to give.
    """
    check_outputs(tasks, outputs, batch)
    losses: dict[str, Tensor] = {}
    unlabelled = [name for name in tasks if name in batch.get("unlabelled", ())]
    for name, task in tasks.items():
        if name in unlabelled and len(unlabelled) < len(tasks):
            kinds = {"": "final", "/auxiliary": "auxiliary", "/initial": "initial"}
            zero = batch["image"].new_zeros(())
            losses |= {f"{name}{end}": zero for end, kind in kinds.items() if name in outputs.get(kind, {})}
            continue
        who = f"tasks.{name}: {type(task).__name__}"
        final = task.loss(outputs["final"][name], batch[name])
        check_shape(final, (), f"{who}.loss", "check_task")
        losses[name] = task.weight * final
        if name in outputs["auxiliary"]:
            auxiliary = task.auxiliary_loss(outputs["auxiliary"][name], batch[name])
            check_shape(auxiliary, (), f"{who}.auxiliary_loss", "check_task")
            losses[f"{name}/auxiliary"] = task.weight * auxiliary
        if name in outputs.get("initial", {}):
            initial = torch.stack([task.loss(logits, batch[name]) for logits in outputs["initial"][name]])
            losses[f"{name}/initial"] = task.weight * initial.sum()
    return losses


def check_outputs(tasks: Mapping[str, Task], outputs: Any, batch: Mapping[str, Any]) -> None:
    """Refuse what is not ``{"final": {task: logits}, "auxiliary": {task: logits}}`` at the resolution of the image."""
    who, check = "the network of model.blocks or model.space", "check_network (of a space, check_space)"
    if not isinstance(outputs, Mapping) or not {"final", "auxiliary"} <= set(outputs):
        got = ", ".join(map(str, outputs)) if isinstance(outputs, Mapping) else described(outputs)
        raise InputError(
            f'{who}: returned {got}, expected {{"final": ..., "auxiliary": ...}}; nas_ctx.testing.{check} checks it'
        )
    images, _, *size = batch["image"].shape
    channels = {name: task.channels for name, task in tasks.items()}
    regions = {name: task.regions for name, task in tasks.items() if name in outputs["auxiliary"]}
    for part, widths in (("final", channels), ("auxiliary", regions)):
        shapes = {name: (images, width, *size) for name, width in widths.items()}
        check_shapes(outputs[part], shapes, f"{who}: {part}", check)


class MultiTaskModule(LightningModule):
    """Losses, metrics and optimiser of a multi-task network.

    ``losses`` are the weighted losses of the last step by :func:`task_losses`; ``unlabelled``, its tasks without a
    label. After a validation ``scores`` holds, beside ``"loss"`` (the weighted final losses, each averaged over the
    images that have a label, added up over the tasks), every metric of every task as ``"<task>/<metric>"``;
    ``details``, what a task's metric says beside its scores (``metric.details``); and ``scored_step`` the number of
    steps done by then.

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
        self.details: dict[str, dict[str, Any]] = {}
        self.scored_step: int | None = None
        self.unlabelled: set[str] = set()
        self._losses = Tensor()  # in a validation, per task: the sum over images, and how many had a label
        self.bad_steps = BadSteps(config.max_bad_steps, self._describe_step)
        self._seen: tuple[dict[str, Tensor], list[str]] = ({}, [])

    def set_model(self, model: nn.Module) -> None:
        super().set_model(model)
        arrange(model, self.config)

    @property
    def losses(self) -> dict[str, Tensor]:
        return self._seen[0]

    def forward(self, image: Tensor) -> Outputs:
        return self.model(image)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        losses = task_losses(self.tasks, outputs_of(self.model, batch), batch)
        total = torch.stack(list(losses.values())).sum()
        self._seen = ({name: loss.detach() for name, loss in losses.items()}, list(batch["id"]))
        self.unlabelled = set(batch.get("unlabelled", ()))
        if (self.trainer.global_step + 1) % self.config.log_every == 0:
            self.log("loss", total.detach(), prog_bar=True)
            self.log_dict({f"loss/{name}": loss for name, loss in self._seen[0].items()})
        return total

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip; and drop the gradient of a step where it, or a loss, is not finite. (A search does so itself.)"""
        norm = clip((p for group in optimizer.param_groups for p in group["params"]), gradient_clip_val)
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        # With half precision gradients overflow while the scale of the loss is found; those steps are left out anyway.
        good = all_finite(*self._seen[0].values(), *(() if scaled else (norm,)))
        if self.trainer.world_size > 1:
            good = self.trainer.strategy.reduce_boolean_decision(good, all=True)
        if not good:
            self.bad_steps.add(self.trainer.global_step + 1)
            optimizer.zero_grad(set_to_none=True)

    def _describe_step(self) -> str:
        losses, names = self._seen
        bad = [f"{name} is {float(loss)}" for name, loss in losses.items() if not all_finite(loss)]
        what = f"the loss of {', '.join(bad)}" if bad else f"the gradient of {self._bad_parameter()} is not finite"
        return f"{what}, for the images {', '.join(names)}"

    def _bad_parameter(self) -> str:
        """The parameter whose gradient is not finite, the one nearest to the loss where there are several."""
        bad = [n for n, p in self.named_parameters() if p.grad is not None and not all_finite(p.grad)]
        return bad[-1] if bad else "another process"

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["bad_steps"] = self.bad_steps.count

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        weights = {name.partition("_model.")[2]: value for name, value in checkpoint["state_dict"].items()}
        wrong = misfit(self.model, {name: value for name, value in weights.items() if name})
        if wrong is not None:
            raise InputError(f"the run's checkpoint does not fit its network: {wrong}")
        self.bad_steps.count = checkpoint.get("bad_steps", 0)

    def on_validation_epoch_start(self) -> None:
        """Of several processes all validate one network: batch-norm statistics are those of the first one."""
        self._losses = torch.zeros(len(self.tasks), 2, dtype=torch.float64)
        if self.trainer.world_size > 1:
            for buffer in self.model.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        for part in parts(batch):
            final = outputs_of(self.model, part)["final"]
            if not any(part["id"]):
                return  # it only keeps this process in step with the others, see `nas_ctx.data.loading`
            for row, (name, task) in enumerate(self.tasks.items()):
                if name in part.get("unlabelled", ()):
                    continue
                label = part[name]
                self.metrics[name].update(task.predict(final[name]), label)
                # Of every image by itself: however many are in a batch, the sum is the same.
                each = [task.loss(final[name][k : k + 1], label[k : k + 1]) for k in range(len(label))]
                labelled = (label != IGNORE).flatten(1).any(1)
                self._losses[row, 0] += task.weight * float(torch.where(labelled, torch.stack(each), 0).sum())
                self._losses[row, 1] += int(labelled.sum())

    def on_validation_epoch_end(self) -> None:
        self.scored_step = self.trainer.global_step
        losses = self._losses
        if self.trainer.world_size > 1:
            losses = self.trainer.strategy.reduce(losses.to(self.trainer.strategy.root_device), reduce_op="sum")
        self.scores = {"loss": float((losses[:, 0] / losses[:, 1].clamp(min=1)).sum())}
        for name, metric in self.metrics.items():
            self.scores |= {f"{name}/{key}": float(value) for key, value in metric.compute().items()}
            if hasattr(metric, "details"):
                self.details[name] = metric.details
            metric.reset()
        self.log_dict({f"val/{name}": value for name, value in self.scores.items()}, rank_zero_only=True)

    def configure_optimizers(self) -> dict[str, Any]:
        return make_optimizer(self.model, self.config)
