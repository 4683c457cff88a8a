"""The search as a Lightning module around the evaluator's: one backward pass serves weights and alpha."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from nni.nas.evaluator.pytorch import LightningModule
from nni.nas.oneshot.pytorch.base_lightning import BaseOneShotLightningModule
from torch import Tensor, optim

from nas_ctx.config.search_settings import SearchSettings
from nas_ctx.search.bad_steps import BadSteps, all_finite, clip
from nas_ctx.search.choice import Choice, Choices, Decision
from nas_ctx.search.history import HistoryWriter
from nas_ctx.search.schedule import LinearSchedule
from nas_ctx.search.supernet.layer import freeze_pruned


class GumbelSearchModule(BaseOneShotLightningModule):
    """The training recipe of :class:`~nas_ctx.search.GumbelSearch`, which makes it.

    A step samples every choice, runs the evaluator's ``training_step``, adds the entropy term (and the resource term),
    makes one backward pass, steps the evaluator's optimiser on the weights and Adam on alpha, and decides the choices
    whose margin is large enough. Validation evaluates the most probable candidate of every choice.

    Attributes:
        choices: those of the space, with all decisions so far.
        new_decisions: the decisions of the last step.
    """

    def __init__(
        self,
        training_module: LightningModule,
        choices: Choices,
        settings: SearchSettings,
        gradient_clip: float | None = None,
        history: HistoryWriter | None = None,
        expected_cost: Callable[[], Tensor] | None = None,
    ) -> None:
        super().__init__(training_module)
        self.choices = choices
        self.new_decisions: list[Decision] = []
        self.settings = settings
        self.gradient_clip = gradient_clip
        self.history = history
        # The evaluator's module may have a counter of its own, which knows the batch and how many are allowed.
        self.bad_steps: BadSteps = getattr(training_module, "bad_steps", None) or BadSteps()
        self._expected_cost = expected_cost
        self._temperature = LinearSchedule(*settings.temperature)
        self._entropy_weight = LinearSchedule(*settings.entropy_weight)

    # --- one step ---------------------------------------------------------------------------------------------

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        settings = self.settings
        # Only the weights' optimiser is stepped through Lightning, so that this counts the steps of the search.
        step = self.trainer.global_step
        position = step - settings.warmup_steps, self._total_steps() - settings.warmup_steps
        temperature, entropy_weight = self._temperature.at(*position), self._entropy_weight.at(*position)

        self.choices.sample(step, temperature, settings.sparse_threshold if settings.evaluate == "sparse" else 0.0)
        output = self.training_module.training_step(batch, batch_idx)
        loss = output["loss"] if isinstance(output, dict) else output
        regularised = loss + entropy_weight * self.choices.mean_entropy()
        if self._expected_cost is not None:
            regularised = regularised + settings.resource_weight * self._expected_cost()

        alphas = self._alpha_optimizer()
        alphas.zero_grad()
        self._step(regularised, alphas, step, batch_idx)
        self.choices.forget()
        if settings.stop_margin is not None:
            self.new_decisions = self.choices.decide(settings.stop_margin, step + 1, on=settings.stop_on)
            if self.new_decisions:
                freeze_pruned(self.training_module)
        self._record(step + 1, temperature, entropy_weight)
        if settings.stop_when_decided and all(choice.decided for choice in self.choices):
            self.trainer.should_stop = True
        return output

    def _step(self, loss: Tensor, alphas: optim.Optimizer, step: int, batch_idx: int) -> None:
        """Backward pass, clipping, steps of alpha, weights and their learning rate. A bad step changes neither."""
        weights = next(o for o in self._lightning_optimizers() if not getattr(o, "is_arch_optimizer", False))
        hooks = self.training_module
        hooks.optimizer_zero_grad(self.trainer.current_epoch, batch_idx, weights)
        self.manual_backward(loss)
        # In half precision the loss is scaled: gradients are unscaled before they are clipped, and alpha is stepped
        # before the step of the weights changes the scale.
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None:
            scaler.unscale_(weights.optimizer)
            scaler.unscale_(alphas)
        parameters = [p for o in (weights, alphas) for group in o.param_groups for p in group["params"]]
        finite = all_finite(loss, clip(parameters, self.gradient_clip))
        # Gradients overflow until the scale of the loss is found: such a step is skipped, but is not a bad one.
        good = finite or (scaler is not None and all_finite(loss))
        if self.trainer.world_size > 1:
            good = self.trainer.strategy.reduce_boolean_decision(good, all=True)
        if not good:
            self.bad_steps.add(step + 1)
            for parameter in parameters:
                parameter.grad = None
        elif finite and step >= self.settings.warmup_steps and any(c.alpha.grad is not None for c in self.choices):
            # The raw step: through Lightning's it would count as a step of the trainer.
            scaler.step(alphas) if scaler is not None else alphas.step()
        hooks.optimizer_step(self.trainer.current_epoch, batch_idx, weights)
        self.advance_lr_schedulers(batch_idx)

    def _record(self, step: int, temperature: float, entropy_weight: float) -> None:
        """Add a row to the history, and every ``log_every_n_steps`` steps send the same to Lightning's loggers."""
        logged = step % self.trainer.log_every_n_steps == 0
        if self.history is None and not logged:
            return
        with torch.no_grad():
            entropy = float(self.choices.mean_entropy())
            distributions = self.choices.distributions()
        if self.history is not None and self.trainer.is_global_zero:
            rows = [list(distribution.values()) for distribution in distributions.values()]
            self.history.append(step, temperature, entropy_weight, entropy, rows)
        if logged:
            scalars = {
                "temperature": temperature,
                "entropy_weight": entropy_weight,
                "mean_entropy": entropy,
                "decided": float(len(self.choices.decisions())),
            }
            self.log_dict({f"search/{name}": value for name, value in scalars.items()})
            self.log_probs(distributions)

    def _total_steps(self) -> int:
        total = self.trainer.estimated_stepping_batches
        if not math.isfinite(total):
            raise ValueError("the search needs an end: give the trainer max_steps or max_epochs")
        return int(total)

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        return self.training_module.validation_step(batch, batch_idx)

    # --- optimisers -------------------------------------------------------------------------------------------

    def configure_architecture_optimizers(self) -> optim.Optimizer:
        return optim.Adam([choice.alpha for choice in self.choices], lr=self.settings.arch_lr)

    def postprocess_weight_optimizers(self, optimizers: Any) -> Any:
        """Remove alpha from the evaluator's optimiser, which was given all parameters of the supernet."""
        alphas = {choice.alpha for choice in self.choices}
        for optimizer in _optimizers_in(optimizers):
            for group in optimizer.param_groups:
                group["params"] = [parameter for parameter in group["params"] if parameter not in alphas]
            optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
        return optimizers

    def _lightning_optimizers(self) -> list[Any]:
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def _alpha_optimizer(self) -> optim.Optimizer:
        return next(o for o in self._lightning_optimizers() if getattr(o, "is_arch_optimizer", False)).optimizer

    # --- hooks: the history's, and those of the evaluator's module that NNI's base does not call ---------------

    def on_train_start(self) -> None:
        freeze_pruned(self.training_module)  # a resumed search may have decided before
        if self.history is not None and self.trainer.is_global_zero:
            self.history.open(self.trainer.global_step)
        super().on_train_start()

    def on_validation_start(self) -> None:
        if self.history is not None:
            self.history.flush()
        super().on_validation_start()

    def on_train_end(self) -> None:
        if self.history is not None:
            self.history.close()
        super().on_train_end()

    def on_validation_epoch_start(self) -> None:
        self.training_module.on_validation_epoch_start()

    def on_validation_epoch_end(self) -> None:
        self.training_module.on_validation_epoch_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.history is not None:
            self.history.flush()
        self.training_module.on_save_checkpoint(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.training_module.on_load_checkpoint(checkpoint)

    def decided(self) -> list[Choice]:
        """The former way to the decided choices; ``choices.decisions()`` lists the decisions."""
        warnings.warn("decided() is now choices.decisions()", DeprecationWarning, stacklevel=2)
        return [choice for choice in self.choices if choice.decided]

    # --- exports ----------------------------------------------------------------------------------------------

    def export(self) -> dict[str, Any]:
        """label -> decided or most probable value, as NNI samples it."""
        return {choice.label: choice.sample for choice in self.choices}

    def export_probs(self) -> dict[str, Any]:
        """label -> value -> softmax(alpha)."""
        return self.choices.distributions()


def _optimizers_in(configured: Any) -> list[optim.Optimizer]:
    """Every optimiser in what ``configure_optimizers`` may return: one, a dictionary, lists and tuples of them."""
    if isinstance(configured, optim.Optimizer):
        return [configured]
    if isinstance(configured, dict):
        return _optimizers_in(configured.get("optimizer"))
    if isinstance(configured, (list, tuple)):
        return [optimizer for part in configured for optimizer in _optimizers_in(part)]
    return []
