"""What stands in the supernet where the space has a choice: layers that mix their active candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from nni.nas.nn.pytorch import InputChoice, LayerChoice
from nni.nas.oneshot.pytorch.supermodule._expression_utils import weighted_sum
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from torch import Tensor, nn

from nas_ctx.search.choice import Choice


def mix(outputs: Sequence[Any], weights: Sequence[Tensor | None]) -> Any:
    """The weighted sum of ``outputs``: tensors, or tuples, lists and dictionaries of them, all of one structure."""
    if len(outputs) == 1:
        (output,), (weight,) = outputs, weights
        if weight is None:
            return output
        if isinstance(output, Tensor):
            return output * weight.to(output.dtype)
    if all(isinstance(output, Tensor) for output in outputs):
        total: Tensor = outputs[0] * weights[0].to(outputs[0].dtype)  # type: ignore[union-attr]
        for output, weight in zip(outputs[1:], weights[1:], strict=True):
            total = torch.addcmul(total, output, weight.to(output.dtype))  # type: ignore[union-attr]
        return total
    return weighted_sum(list(outputs), list(weights))


class _MixedChoice(BaseSuperNetModule):
    """What the mixed layers share: the choice, and its export under its label."""

    architecture: Choice

    def resample(self, memo: dict[str, Any]) -> dict[str, Any]:
        return {}  # the choices of a space are sampled together, see `Choices.sample`

    def export_probs(self, memo: dict[str, Any]) -> dict[str, Any]:
        choice = self.architecture
        if choice.label in memo:
            return {}
        return {choice.label: dict(zip(choice.values, choice.alpha.detach().softmax(-1).tolist(), strict=True))}


class MixedLayer(_MixedChoice, LayerChoice):
    """A layer choice in the supernet. It evaluates the active candidates only, and sums them by their weights.

    Candidates may take any positional and keyword arguments. A candidate with the attribute ``produces_zeros`` is
    not evaluated where another one is: it would add nothing.
    """

    def __init__(self, layer: LayerChoice, choice: Choice) -> None:
        super().__init__(layer.candidates, label=layer.label)
        self.architecture = choice

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's mutation hook: takes exactly :class:`LayerChoice`, leaves the rest to other hooks."""
        return cls(module, memo[str(module.label)]) if type(module) is LayerChoice else None

    def export(self, memo: dict[str, Any]) -> dict[str, Any]:
        return {} if self.label in memo else {self.label: self.architecture.best}

    @property
    def active_candidates(self) -> list[nn.Module]:
        """The candidates that the next forward pass evaluates."""
        return [module for module, _ in self._active()]

    @property
    def active_candidate(self) -> nn.Module | None:
        """The one candidate that will run (decided, or in evaluation mode), or ``None`` while several are mixed."""
        active = self.architecture.active()
        return self[self.names[active[0][0]]] if active[0][1] is None else None

    def fallen(self) -> list[str]:
        """Names of the candidates that will never run again, in this module."""
        if not self.architecture.decided:
            return []
        return [str(name) for name in self.names if name != self.architecture.best]

    def _active(self) -> list[tuple[nn.Module, Tensor | None]]:
        active = [(self[self.names[index]], weight) for index, weight in self.architecture.active()]
        adding = [pair for pair in active if not getattr(pair[0], "produces_zeros", False)]
        return adding or active[:1]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        active = self._active()
        return mix([module(*args, **kwargs) for module, _ in active], [weight for _, weight in active])


class MixedInput(_MixedChoice, InputChoice):
    """A choice of one input in the supernet: the weighted sum of the active candidates."""

    def __init__(self, inputs: InputChoice, choice: Choice) -> None:
        super().__init__(inputs.n_candidates, n_chosen=1, reduction=inputs.reduction, label=inputs.label)
        self.architecture = choice

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's mutation hook: takes exactly :class:`InputChoice`; only one chosen input can become one-hot."""
        if type(module) is not InputChoice:
            return None
        if module.n_chosen != 1:
            raise TypeError(f"InputChoice {module.label!r} ({name}): n_chosen must be 1, got {module.n_chosen}")
        return cls(module, memo[str(module.label)])

    def export(self, memo: dict[str, Any]) -> dict[str, Any]:
        return {} if self.label in memo else {self.label: [self.architecture.best]}

    def forward(self, candidate_inputs: list[Any]) -> Any:
        active = self.architecture.active()
        return mix([candidate_inputs[index] for index, _ in active], [weight for _, weight in active])
