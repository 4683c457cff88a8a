"""What stands in the supernet where the space has a choice: layers that mix their active candidates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from nni.nas.nn.pytorch import InputChoice, LayerChoice
from nni.nas.oneshot.pytorch.supermodule._expression_utils import weighted_sum
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from torch import Tensor, nn

from nas_ctx.search.choice import Choice
from nas_ctx.search.space import Unsearchable


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


class Mixed(BaseSuperNetModule):
    """What the mixed modules share: the choices that they follow, kept in ``architecture``, and NNI's exports."""

    architecture: nn.Module

    @property
    def choices(self) -> list[Choice]:
        """The choices that decide what this module evaluates."""
        return [module for module in self.architecture.modules() if isinstance(module, Choice)]

    def fallen(self) -> list[str]:
        """Names of the submodules that will never run again, in this module."""
        return []

    def resample(self, memo: dict[str, Any]) -> dict[str, Any]:
        return {}  # the choices of a space are sampled together, see `Choices.sample`

    def export(self, memo: dict[str, Any]) -> dict[str, Any]:
        return samples(self.choices, memo)

    def export_probs(self, memo: dict[str, Any]) -> dict[str, Any]:
        return probabilities(self.choices, memo)


def samples(choices: Iterable[Choice], memo: Mapping[str, Any]) -> dict[str, Any]:
    """label -> what was chosen, for NNI; labels in ``memo`` were exported by another module."""
    return {choice.label: choice.sample for choice in choices if choice.label not in memo}


def probabilities(choices: Iterable[Choice], memo: Mapping[str, Any]) -> dict[str, Any]:
    """label -> value -> softmax(alpha), for NNI."""
    return {
        choice.label: dict(zip(choice.values, choice.alpha.detach().softmax(-1).tolist(), strict=True))
        for choice in choices
        if choice.label not in memo
    }


class MixedLayer(Mixed, LayerChoice):
    """A layer choice in the supernet. It evaluates the active candidates only, and sums them by their weights.

    Candidates may take any positional and keyword arguments. A candidate with the attribute ``produces_zeros`` is
    not evaluated where another one is: it would add nothing.
    """

    architecture: Choice

    def __init__(self, layer: LayerChoice, choice: Choice) -> None:
        super().__init__(layer.candidates, label=layer.label)
        self.architecture = choice

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's mutation hook: takes exactly :class:`LayerChoice`, leaves the rest to other hooks."""
        return cls(module, memo[str(module.label)]) if type(module) is LayerChoice else None

    @property
    def active_candidates(self) -> list[nn.Module]:
        """The candidates that the next forward pass evaluates."""
        return [module for module, _ in self._active()]

    def fallen(self) -> list[str]:
        possible = self.architecture.possible
        return [str(name) for index, name in enumerate(self.names) if index not in possible]

    def _active(self) -> list[tuple[nn.Module, Tensor | None]]:
        active = [(self[self.names[index]], weight) for index, weight in self.architecture.active()]
        adding = [pair for pair in active if not getattr(pair[0], "produces_zeros", False)]
        return adding or active[:1]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        active = self._active()
        return mix([module(*args, **kwargs) for module, _ in active], [weight for _, weight in active])


class MixedInput(Mixed, InputChoice):
    """A choice of one input in the supernet: the weighted sum of the active candidates."""

    architecture: Choice

    def __init__(self, inputs: InputChoice, choice: Choice) -> None:
        super().__init__(inputs.n_candidates, n_chosen=1, reduction=inputs.reduction, label=inputs.label)
        self.architecture = choice

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's mutation hook: takes exactly :class:`InputChoice`; only one chosen input can become one-hot."""
        if type(module) is not InputChoice:
            return None
        if module.n_chosen != 1:
            raise Unsearchable.choice(str(module.label), name, f"n_chosen must be 1, got {module.n_chosen}")
        return cls(module, memo[str(module.label)])

    def forward(self, candidate_inputs: list[Any]) -> Any:
        active = self.architecture.active()
        mixed = mix([candidate_inputs[index] for index, _ in active], [weight for _, weight in active])
        return [mixed] if self.reduction == "none" else mixed
