"""NNI's layer and input choices as mixed layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nni.nas.nn.pytorch import InputChoice, LayerChoice
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule

from nas_ctx.search.choice import Choice
from nas_ctx.search.supernet.layer import Mixed, MixedInput, MixedLayer


class SupernetModule(Mixed, BaseSuperNetModule):
    """A mixed layer that NNI takes for a module of its supernets. The search samples and exports all choices at once
    (:class:`~nas_ctx.search.Choices`), so that NNI's methods for a single module are not needed."""


class MixedLayerChoice(MixedLayer, SupernetModule, LayerChoice):
    """:class:`~nas_ctx.search.supernet.layer.MixedLayer` in the place of a layer choice, with the same candidates."""

    def __init__(self, layer: LayerChoice, choice: Choice) -> None:
        LayerChoice.__init__(self, layer.candidates, label=layer.label)
        self.follow(choice)


class MixedInputChoice(MixedInput, SupernetModule, InputChoice):
    """:class:`~nas_ctx.search.supernet.layer.MixedInput` in the place of an input choice of one input."""

    def __init__(self, inputs: InputChoice, choice: Choice) -> None:
        InputChoice.__init__(self, inputs.n_candidates, n_chosen=1, reduction=inputs.reduction, label=inputs.label)
        self.architecture = choice

    def forward(self, candidate_inputs: Sequence[Any]) -> Any:
        mixed = super().forward(candidate_inputs)
        return [mixed] if self.reduction == "none" else mixed
