"""Computations that the blocks of a grid have in common are done once.

Many contexts project the same feature map, and many gather source features in the same regions. The grid asks every
active context which projections it will need, and :class:`Shared` computes those of one feature map as a few large
matrix products. Each context then takes its result from here. Parameters stay in their modules: the matrices are
stacked at every step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nas_ctx.contexts.attention import region_features
from nas_ctx.contexts.kernels.normalised import ACTIVATIONS, Layer, Moments, Statistics, affine_layer, normalised_stacks

Request = tuple[nn.Module, Tensor]
"""A stack of layers and the feature map it is to be applied to."""

SMALL = 256
"""Maps of at most so many positions, such as region features, are copied once per stack that reads them: the stacks of
many maps then run as one batch, which saves more time in small operations than the copies cost."""


class Shared:
    """The results of one forward pass that several contexts read, or that were computed together."""

    def __init__(self) -> None:
        # Keyed by identity; the tensors are kept, so that no other tensor can get the same identity.
        self._moments: dict[int, tuple[Moments, Tensor]] = {}
        self._region_features: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor]] = {}
        self._projected: dict[tuple[nn.Module, int], tuple[Tensor, Tensor]] = {}

    def region_features(self, regions: Tensor, source: Tensor) -> Tensor:
        """:func:`nas_ctx.contexts.attention.region_features`, once per pair of arguments.

        The s-label context of a source is the same for all targets: its features are computed once per source.
        """
        key = (id(regions), id(source))
        if key not in self._region_features:
            self._region_features[key] = (region_features(regions, source), regions, source)
        return self._region_features[key][0]

    def project(self, stack: nn.Module, features: Tensor) -> Tensor:
        """``stack(features)``, computed here unless :meth:`prepare` has."""
        prepared = self._projected.pop((stack, id(features)), None)
        return stack(features) if prepared is None else prepared[0]

    def _moments_of(self, features: Tensor) -> Moments:
        if id(features) not in self._moments:
            self._moments[id(features)] = (Moments.of(_alone(features)), features)
        return self._moments[id(features)][0]

    def prepare(self, requests: Iterable[Request]) -> None:
        """Compute the projections (stack, feature map) that :meth:`project` will be called for."""
        groups: dict[object, list[Request]] = defaultdict(list)
        for stack, features in requests:
            groups[features.shape if _is_small(features) else id(features)].append((stack, features))
        for group in groups.values():
            features = group[0][1]
            outputs = project_together(group, partial(self._moments_of, features))
            self._projected.update({(stack, id(x)): (outputs[stack], x) for stack, x in group if stack in outputs})


class _Plan(NamedTuple):
    """What two layers must have in common to be computed by one product."""

    in_channels: int
    out_channels: int
    eps: float
    training: bool
    activation: type[nn.Module]


def project_together(
    requests: Sequence[Request], moments: Callable[[], Moments] | None = None
) -> dict[nn.Module, Tensor]:
    """Apply stacks of 1x1 Conv-BN-activation layers to feature maps of one shape, those of equal structure at once.

    The result equals ``{stack: stack(features)}``, running statistics and gradients included. It omits stacks of any
    other structure, and all stacks if there is only one position to normalise over, which batch norm refuses. The hooks
    of a stack's layers are not called.

    Args:
        requests: (stack, features) pairs; features (B, C, h, w), the same tensor for all, or small ones, since then
            they are copied once per stack. For stacks see :func:`nas_ctx.contexts.projection.projection`.
        moments: returns those of the common feature map, if they are computed elsewhere.

    >>> from nas_ctx.contexts.projection import projection
    >>> features, stacks = torch.rand(2, 6, 4, 5), [projection(6, 3, layers=layers) for layers in (1, 2, 1)]
    >>> list(project_together([(stack, features) for stack in stacks])[stacks[1]].shape)
    [2, 3, 4, 5]
    """
    together: dict[tuple[_Plan, ...], list[tuple[Any, Tensor]]] = defaultdict(list)
    for stack, features in requests:
        plans = _plans(stack) if len(features) * features[0, 0].numel() > 1 else ()
        if plans:
            together[plans].append((stack, features))
    one_map = len({id(features) for _, features in requests}) == 1
    result: dict[nn.Module, Tensor] = {}
    for plans, alike in together.items():
        stacks, maps = zip(*alike, strict=True)
        x = _alone(maps[0]) if one_map else torch.stack(maps, 1).flatten(3)
        columns = [[stack[depth] for stack in stacks] for depth in range(len(plans))]
        layers = [_side_by_side(column, plan) for column, plan in zip(columns, plans, strict=True)]
        if plans[0].training:
            y, statistics = normalised_stacks(x, layers, moments() if moments and one_map else Moments.of(x))
            for column, measured in zip(columns, statistics, strict=True):
                _update_running_statistics([layer.norm for layer in column], measured, x.shape[0] * x.shape[3])
        else:
            y = x
            for column, layer in zip(columns, layers, strict=True):
                y = affine_layer(y, layer, _running_statistics(column)).view(len(x), len(stacks), -1, x.shape[3])
        result.update(zip(stacks, y.unflatten(3, maps[0].shape[2:]).unbind(1), strict=True))
    return result


def _is_small(features: Tensor) -> bool:
    return features[0, 0].numel() <= SMALL


def _alone(features: Tensor) -> Tensor:
    """One map for all stacks, (B, 1, C, P)."""
    return features.flatten(2).unsqueeze(1)


def _side_by_side(layers: Sequence[Any], plan: _Plan) -> Layer:
    """The parameters of one layer of every stack, stacked."""
    norms = [layer.norm for layer in layers]
    weight = torch.stack([layer.conv.weight.flatten(1) for layer in layers])
    one = weight.new_ones(plan.out_channels)
    scale = torch.stack([norm.weight if norm.affine else one for norm in norms])
    shift = torch.stack([norm.bias if norm.affine else torch.zeros_like(one) for norm in norms])
    return Layer(weight, scale, shift, plan.eps, plan.activation)


def _running_statistics(layers: Sequence[Any]) -> Statistics:
    means, variances = ([getattr(layer.norm, f"running_{kind}") for layer in layers] for kind in ("mean", "var"))
    return Statistics(torch.stack(means), torch.stack(variances))


@torch.no_grad()
def _update_running_statistics(norms: Sequence[Any], measured: Statistics, count: int) -> None:
    """Update running statistics as each norm would have: with the unbiased variance, by its momentum."""
    unbiased = measured.variance * (count / (count - 1))
    for norm, mean, variance in zip(norms, measured.mean, unbiased, strict=True):
        if norm.track_running_stats:
            norm.num_batches_tracked.add_(1)
            momentum = 1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
            norm.running_var.lerp_(variance.to(norm.running_var.dtype), momentum)


def _plans(stack: nn.Module) -> tuple[_Plan, ...]:
    """The plan of every layer of the stack; empty unless it is made of plain 1x1 Conv-BN-activation layers."""
    if type(stack) is not nn.Sequential:
        return ()
    plans = tuple(_plan(layer) for layer in stack)
    alike = all(plans) and len({plan.training for plan in plans if plan}) == 1
    return tuple(plan for plan in plans if plan) if alike else ()


def _plan(layer: Any) -> _Plan | None:
    parts = dict(layer.named_children())
    if list(parts) != ["conv", "norm", "activation"]:
        return None
    conv, norm, activation = parts.values()
    plain = (
        type(conv) is nn.Conv2d
        and (conv.kernel_size, conv.stride, conv.padding) == ((1, 1), (1, 1), (0, 0))
        and conv.groups == 1
        and conv.bias is None
        and type(norm) is nn.BatchNorm2d
        and type(activation) in ACTIVATIONS
    )
    if not plain:
        return None
    training = norm.training or norm.running_mean is None
    return _Plan(conv.in_channels, conv.out_channels, norm.eps, training, type(activation))


def watched(module: nn.Module) -> bool:
    """Whether the module or a submodule has forward hooks, which a computation in its place would not call."""
    return any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
