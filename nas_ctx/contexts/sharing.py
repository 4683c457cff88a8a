"""Computations that the blocks of a grid have in common are done once.

Many contexts project the same feature map, and many gather source features in the same regions. What they can share,
the mean and covariance of a map and its region features, is kept here for one forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from nas_ctx.contexts.attention import region_features
from nas_ctx.contexts.kernels.normalised_stack import ACTIVATIONS, Centred, normalised_stack
from nas_ctx.contexts.projection import Projection

SMALL = 4096
"""Images times positions up to which the modules themselves project a map: they take fewer operations, which count
there, and more memory, which does not."""


class Shared:
    """The results of one forward pass that several contexts read."""

    def __init__(self) -> None:
        # Keyed by identity; the arguments are kept, so that no other tensor can get the same identity.
        self._results: dict[tuple[object, ...], tuple[Any, tuple[Tensor, ...]]] = {}

    def _once(self, function: Callable[..., Any], *arguments: Tensor, graph: bool = True) -> Any:
        """``function(*arguments)``, computed once. With ``graph``, results with and without one are kept apart."""
        key = (function, graph and torch.is_grad_enabled(), *map(id, arguments))
        if key not in self._results:
            self._results[key] = (function(*arguments), arguments)
        return self._results[key][0]

    def region_features(self, regions: Tensor, source: Tensor) -> Tensor:
        """:func:`nas_ctx.contexts.attention.region_features`, once per pair of arguments.

        The s-label context of a source is the same for all targets: its features are computed once per source.
        """
        return self._once(region_features, regions, source)

    def project(self, stack: nn.Module, features: Tensor) -> Tensor:
        """``stack(features)``; by :func:`normalised_stack` where that is the same and pays."""
        if features.numel() <= SMALL * features.shape[1] or not _as_made(stack):
            return stack(features)
        y = normalised_stack(features.flatten(2), list(stack), self._once(_centred, features, graph=False))
        return y.unflatten(2, features.shape[2:])


def _centred(features: Tensor) -> Centred:
    return Centred.of(features.flatten(2))


def _as_made(stack: nn.Module) -> TypeGuard[Projection]:
    """Whether a stack is a :class:`Projection` in training, none of whose parts was exchanged."""
    return isinstance(stack, Projection) and all(
        type(layer.conv) is nn.Conv2d
        and type(layer.norm) is nn.BatchNorm2d
        and layer.norm.training
        and type(layer.activation) in ACTIVATIONS
        for layer in stack
    )
