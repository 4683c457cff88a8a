"""A Lightning module around the evaluator's that makes the steps by hand, as a search must, and misses nothing by it.

Lightning gives a module that steps by itself less than others: no clipping, no accumulation, no learning rate that
waits for a metric; and NNI's base passes few hooks on. This does what Lightning does for the evaluator's module alone.
"""

from __future__ import annotations

from typing import Any

from nni.nas.evaluator.pytorch import LightningModule
from nni.nas.oneshot.pytorch.base_lightning import BaseOneShotLightningModule
from torch import Tensor, optim
from torch.optim.lr_scheduler import ReduceLROnPlateau

from nas_ctx.errors import InputError

_HOOKS = (
    "on_before_batch_transfer",
    "transfer_batch_to_device",
    "on_after_batch_transfer",
    "on_before_zero_grad",
    "on_before_optimizer_step",
    "validation_step",
    "on_validation_epoch_start",
    "on_validation_epoch_end",
    "on_validation_batch_start",
    "on_validation_batch_end",
)
"""Hooks of the evaluator's module that NNI's base does not call, and that the search has no part in."""


class EvaluatorWrapper(BaseOneShotLightningModule):
    """Runs the evaluator's module with the options of Lightning's trainer, all its hooks, and one optimiser.

    Raises:
        InputError: the module makes its steps by hand; its ``configure_optimizers`` gives not one optimiser, or a
            ``ReduceLROnPlateau`` without a metric to monitor; a whole epoch had no loss; the trainer is used up.
    """

    _in_check = False

    def __init__(self, training_module: LightningModule) -> None:
        super().__init__(training_module)
        self._name = type(training_module).__name__
        if not training_module.automatic_optimization:
            raise InputError(
                f"{self._name}: automatic_optimization = False is not supported: the search makes the steps"
            )
        # As attributes, so that Lightning sees which ones the evaluator's module has of its own.
        for hook in _HOOKS:
            setattr(self, hook, getattr(training_module, hook))
        self._batches = self._losses = 0
        self._monitored: dict[Any, tuple[str, bool]] = {}

    # --- the trainer's options --------------------------------------------------------------------------------

    @property
    def automatic_optimization(self) -> bool:
        """Whether Lightning makes the steps: never; but while it checks the options, since these are honoured here."""
        return self._in_check

    def configure_callbacks(self) -> Any:
        # Lightning's first call. Then it refuses to clip and to accumulate for modules that step by hand.
        self._in_check = True
        self.training_module.trainer = self.trainer
        return self.training_module.configure_callbacks()

    def setup(self, stage: str) -> None:
        self._in_check = False  # the check is done
        super().setup(stage)

    def on_fit_start(self) -> None:
        if self.trainer.ckpt_path is None and self.trainer.fit_loop.done:
            raise InputError(
                f"the trainer has done all its {self.trainer.global_step} steps in an earlier search: "
                "give each search a new evaluator"
            )
        super().on_fit_start()

    def clip_limit(self, default: float | None) -> tuple[float | None, Any]:
        """The largest norm, or value, of the gradient: the trainer's ``gradient_clip_val``, where it has one."""
        limit = self.trainer.gradient_clip_val or default
        return limit, self.trainer.gradient_clip_algorithm or "norm"

    def closes_window(self, batch_idx: int) -> bool:
        """Whether a step follows this batch, as ``accumulate_grad_batches`` has it."""
        return (batch_idx + 1) % self.trainer.accumulate_grad_batches == 0 or self.trainer.is_last_batch

    # --- the loss ---------------------------------------------------------------------------------------------

    def evaluators_step(self, batch: Any, batch_idx: int) -> tuple[Any, Tensor | None]:
        """What the evaluator's ``training_step`` returns, and the loss in it; ``None`` leaves the batch out."""
        output = self.training_module.training_step(batch, batch_idx)
        loss = output.get("loss") if isinstance(output, dict) else output
        if output is not None and not isinstance(loss, Tensor):
            raise InputError(
                f"{self._name}: training_step returned {type(output).__name__}: expected a loss, a dictionary with "
                "the key loss, or None"
            )
        self._batches += 1
        self._losses += loss is not None
        return output, loss

    def on_train_epoch_start(self) -> None:
        self._batches = self._losses = 0
        super().on_train_epoch_start()

    def on_train_epoch_end(self) -> None:
        if self._batches and not self._losses:
            raise InputError(
                f"{self._name}: training_step returned None for every batch of an epoch: nothing to search"
            )
        super().on_train_epoch_end()
        self.advance_schedulers("epoch", self.trainer.current_epoch, on_plateau=True)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        super().on_train_batch_end(outputs, batch, batch_idx, *args, **kwargs)
        if self.closes_window(batch_idx):
            self.advance_schedulers("step", batch_idx, on_plateau=True)

    # --- optimisers and learning rates ------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        optimizers, schedulers, monitor = _configured(self.training_module.configure_optimizers())
        if len(optimizers) != 1:
            raise InputError(
                f"{self._name}: configure_optimizers returned {len(optimizers) or 'no'} optimizers, which is not "
                "supported: the search steps one; its parameter groups can have different learning rates"
            )
        self.postprocess_weight_optimizers(optimizers)
        alphas: Any = self.configure_architecture_optimizers()
        alphas.is_arch_optimizer = True
        return [*optimizers, alphas], [self._without_monitor(scheduler, monitor) for scheduler in schedulers]

    def _without_monitor(self, configured: Any, monitor: str | None) -> dict[str, Any]:
        """A scheduler's settings without those that Lightning takes for modules that do not step by hand alone."""
        settings = dict(configured) if isinstance(configured, dict) else {"scheduler": configured}
        scheduler = settings["scheduler"]
        monitor, strict = settings.pop("monitor", None) or monitor, settings.pop("strict", True)
        if settings.pop("reduce_on_plateau", isinstance(scheduler, ReduceLROnPlateau)):
            if monitor is None:
                raise InputError(
                    f"{self._name}: configure_optimizers: {type(scheduler).__name__} needs the name of a metric: "
                    '{"scheduler": ..., "monitor": "val_loss"}'
                )
            self._monitored[scheduler] = monitor, strict
        return settings

    def advance_lr_schedulers(self, batch_idx: int, stepped: bool = True) -> None:
        """Advance the learning rates that wait for no metric, after a batch and, if ``stepped``, a step."""
        if stepped:
            self.advance_schedulers("step", batch_idx)
        if self.trainer.is_last_batch:
            self.advance_schedulers("epoch", self.trainer.current_epoch)

    def advance_schedulers(self, interval: str, index: int, *, on_plateau: bool = False) -> None:
        """Advance the learning rates of an interval; ``index`` is the number of the batch or epoch, from 0.

        Raises:
            InputError: the metric that one waits for was not logged.
        """
        for config in self.trainer.lr_scheduler_configs:
            monitor, strict = self._monitored.get(config.scheduler, (None, False))
            if config.interval != interval or (index + 1) % config.frequency or (monitor is not None) != on_plateau:
                continue
            metrics = self.trainer.callback_metrics
            if monitor is None or monitor in metrics:
                value = None if monitor is None else metrics[monitor]
                self.training_module.lr_scheduler_step(config.scheduler, value)
            elif strict:
                known = ", ".join(metrics) or "none"
                raise InputError(
                    f"{self._name}: the learning rate waits for the metric {monitor!r}, which was not logged; "
                    f"logged: {known}"
                )


def _configured(returned: Any) -> tuple[list[optim.Optimizer], list[Any], str | None]:
    """Optimisers, schedulers and metric in what ``configure_optimizers`` may return (Lightning documents six forms)."""
    if isinstance(returned, optim.Optimizer):
        return [returned], [], None
    if isinstance(returned, dict):
        schedulers = [returned["lr_scheduler"]] if returned.get("lr_scheduler") is not None else []
        return [returned["optimizer"]], schedulers, returned.get("monitor")
    if isinstance(returned, (list, tuple)):
        if len(returned) == 2 and all(isinstance(part, (list, tuple)) for part in returned):
            return list(returned[0]), list(returned[1]), None
        parts = [_configured(part) for part in returned]
        monitors = [monitor for *_, monitor in parts if monitor is not None]
        return (
            [o for part in parts for o in part[0]],
            [s for part in parts for s in part[1]],
            next(iter(monitors), None),
        )
    return [], [], None
