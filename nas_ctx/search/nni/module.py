"""The search as a Lightning module around the evaluator's: one backward pass serves weights and alpha."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from nni.nas.evaluator.pytorch import LightningModule
from torch import Tensor, optim

from nas_ctx.config.search_settings import SearchSettings
from nas_ctx.errors import InputError
from nas_ctx.search.bad_steps import BadSteps, all_finite, clip
from nas_ctx.search.choice import Choice, Decision
from nas_ctx.search.choices import Choices
from nas_ctx.search.cost import ExpectedCost
from nas_ctx.search.estimators import ONE_EVALUATED
from nas_ctx.search.history import HistoryWriter
from nas_ctx.search.nni.evaluator import EvaluatorWrapper
from nas_ctx.search.schedule import LinearSchedule
from nas_ctx.search.supernet.layer import freeze_pruned, still_gradients


class GumbelSearchModule(EvaluatorWrapper):
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
        expected_cost: ExpectedCost | None = None,
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
        self._window_loss: Tensor | None = None  # the loss of the batches since the last step
        self._temperature = LinearSchedule(*settings.temperature)
        self._entropy_weight = LinearSchedule(*settings.entropy_weight)

    # --- one step ---------------------------------------------------------------------------------------------

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        settings, self.new_decisions = self.settings, []
        # Only the weights' optimiser is stepped through Lightning, so that this counts the steps of the search. Batches
        # whose gradients are accumulated for one step have one sample, as a batch of all of them would have.
        step = self.trainer.global_step
        position = step - settings.warmup_steps, self._total_steps() - settings.warmup_steps
        temperature, entropy_weight = self._temperature.at(*position), self._entropy_weight.at(*position)

        threshold = settings.partial_threshold if settings.evaluation == "partial" else 0.0
        self.choices.sample(step, temperature, threshold, settings.estimator)
        output, loss = self.evaluators_step(batch, batch_idx)
        if loss is not None:
            regularised = loss + entropy_weight * self.choices.mean_entropy()
            if self._expected_cost is not None:
                regularised = regularised + settings.resource_weight * self._expected_cost()
            self._backward(regularised / self.trainer.accumulate_grad_batches, batch_idx)
        stepped = self._window_loss is not None and self.closes_window(batch_idx)
        if self._window_loss is not None and stepped:
            self._step(self._window_loss, step, batch_idx)
            self._window_loss = None
            self._decide(step + 1)
            self._record(step + 1, temperature, entropy_weight)
        self.choices.forget()
        self.advance_lr_schedulers(batch_idx, stepped)
        return output

    def _backward(self, loss: Tensor, batch_idx: int) -> None:
        """Add the gradients of a batch to those of the step."""
        if self._window_loss is None:
            weights = self._weight_optimizer()
            self.on_before_zero_grad(weights)
            self.training_module.optimizer_zero_grad(self.trainer.current_epoch, batch_idx, weights)
            self._alpha_optimizer().zero_grad()
        self.manual_backward(loss)
        self._window_loss = loss.detach() + (0.0 if self._window_loss is None else self._window_loss)

    def _step(self, loss: Tensor, step: int, batch_idx: int) -> None:
        """Clipping, and the steps of alpha and of the weights. A bad step changes neither."""
        weights, alphas = self._weight_optimizer(), self._alpha_optimizer()
        if self.settings.evaluation == "partial" or self.settings.estimator in ONE_EVALUATED:
            still_gradients(self.training_module)
        # In half precision the loss is scaled: gradients are unscaled before they are clipped, and alpha is stepped
        # before the step of the weights changes the scale.
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None:
            scaler.unscale_(weights.optimizer)
            scaler.unscale_(alphas)
        parameters = [p for o in (weights, alphas) for group in o.param_groups for p in group["params"]]
        finite = all_finite(loss, clip(parameters, *self.clip_limit(self.gradient_clip)))
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
        self.training_module.optimizer_step(self.trainer.current_epoch, batch_idx, weights)

    def _decide(self, steps: int) -> None:
        """Decide and eliminate what is clear after ``steps`` steps, and end the search where nothing is left."""
        settings = self.settings
        if settings.stop_margin is not None:
            self.new_decisions = self.choices.decide(settings.stop_margin, steps, on=settings.stop_on)
        fallen = []
        if settings.eliminate_margin is not None:
            fallen = self.choices.eliminate(settings.eliminate_margin, on=settings.stop_on)
        if self.new_decisions or fallen:
            freeze_pruned(self.training_module)
        if settings.stop_when_decided and all(choice.decided for choice in self.choices):
            self.trainer.should_stop = True

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

    # --- optimisers -------------------------------------------------------------------------------------------

    def configure_architecture_optimizers(self) -> optim.Optimizer:
        return optim.Adam([choice.alpha for choice in self.choices], lr=self.settings.arch_lr)

    def postprocess_weight_optimizers(self, optimizers: list[optim.Optimizer]) -> list[optim.Optimizer]:
        """Remove alpha from the evaluator's optimiser, which was given all parameters of the supernet."""
        alphas = {choice.alpha for choice in self.choices}
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["params"] = [parameter for parameter in group["params"] if parameter not in alphas]
            optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
        return optimizers

    def _lightning_optimizers(self) -> list[Any]:
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def _weight_optimizer(self) -> Any:
        return next(o for o in self._lightning_optimizers() if not getattr(o, "is_arch_optimizer", False))

    def _alpha_optimizer(self) -> optim.Optimizer:
        return next(o for o in self._lightning_optimizers() if getattr(o, "is_arch_optimizer", False)).optimizer

    # --- the history ------------------------------------------------------------------------------------------

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

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.history is not None:
            self.history.flush()
        if self._expected_cost is not None:
            checkpoint["largest_cost"] = self._expected_cost.largest
        checkpoint["search_seed"] = self.choices.seed
        self.training_module.on_save_checkpoint(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        seed = checkpoint.get("search_seed", self.choices.seed)  # earlier versions wrote none
        if seed != self.choices.seed:
            raise InputError(
                f"seed: {self.choices.seed}: the checkpoint is of a search with seed {seed}: resume with that"
            )
        if self._expected_cost is not None:
            self._expected_cost.largest = checkpoint.get("largest_cost", 0.0)
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
