"""What the blocks of a grid have in common is computed once.

Many contexts project the same feature map, and many gather source features in the same regions. The grid asks every
active context which projections it will need, and :class:`Shared` runs those of one feature map as a few wide products.
Each context then finds its own result here instead of computing it. Parameters stay where they are: the wide weights
are put together at every step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nas_ctx.contexts.attention import region_features
from nas_ctx.contexts.normalised import ACTIVATIONS, Moments, affine_product, normalised_product


class Shared:
    """The results of one forward pass that several contexts read, or that were computed together."""

    def __init__(self) -> None:
        # Keyed by identity; the tensors are kept, so that no other one can get the same identity meanwhile.
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
        """``stack(features)``, from what :meth:`prepare` computed where it did."""
        found = self._projected.pop((stack, id(features)), None)
        return stack(features) if found is None else found[0]

    def prepare(self, requests: Iterable[tuple[nn.Module, Tensor]]) -> None:
        """Compute the projections (stack, feature map) that are about to be asked for."""
        by_map: dict[int, tuple[Tensor, list[nn.Module]]] = {}
        for stack, features in requests:
            by_map.setdefault(id(features), (features, []))[1].append(stack)
        for features, stacks in by_map.values():
            for stack, projected in project_together(features, stacks).items():
                self._projected[stack, id(features)] = (projected, features)


class _Plan(NamedTuple):
    """What two layers must have in common to be computed by one product."""

    in_channels: int
    out_channels: int
    eps: float
    training: bool
    activation: type[nn.Module]


def project_together(features: Tensor, stacks: Sequence[nn.Module]) -> dict[nn.Module, Tensor]:
    """Apply stacks of 1x1 Conv-BN-activation layers to one feature map, those of equal structure at once.

    The result equals ``{stack: stack(features)}``, running statistics and gradients included. Stacks of any other
    structure are left out of it, as are those with hooks, which expect to be called as modules.

    Args:
        features: (B, C, h, w).
        stacks: modules that take it, see :func:`nas_ctx.contexts.projection.projection`.

    >>> from nas_ctx.contexts.projection import projection
    >>> stacks = [projection(6, 3, layers=layers) for layers in (1, 2, 1)]
    >>> list(project_together(torch.rand(2, 6, 4, 5), stacks)[stacks[1]].shape)
    [2, 3, 4, 5]
    """
    together: dict[tuple[_Plan, ...], list[Any]] = defaultdict(list)
    for stack in stacks:
        plans = _plans(stack)
        if plans:
            together[plans].append(stack)
    x = features.flatten(2).unsqueeze(1)
    moments = Moments.of(x) if any(plans[0].training for plans in together) else None
    result: dict[nn.Module, Tensor] = {}
    for plans, alike in together.items():
        y = x
        for depth, plan in enumerate(plans):
            layers = [stack[depth] for stack in alike]
            y = _layers_at_once(y, layers, plan, moments if depth == 0 else None)
        result.update(zip(alike, y.unflatten(3, features.shape[2:]).unbind(1), strict=True))
    return result


def _layers_at_once(x: Tensor, layers: Sequence[Any], plan: _Plan, moments: Moments | None) -> Tensor:
    """Layers side by side: x (B, 1 or n, C, P), read by all or each by its own, to (B, n, c, P)."""
    norms = [layer.norm for layer in layers]
    weight = torch.stack([layer.conv.weight.flatten(1) for layer in layers])
    one = weight.new_ones(plan.out_channels)
    zero = one.new_zeros(plan.out_channels)
    scale = torch.stack([norm.weight if norm.affine else one for norm in norms])
    shift = torch.stack([norm.bias if norm.affine else zero for norm in norms])
    groups = x.shape[1]  # one map for all layers: one product; a map for each: as many products in a batch

    def grouped(parameter: Tensor) -> Tensor:
        return parameter.reshape(groups, -1, *parameter.shape[2:])

    if plan.training:
        y, mean, variance = normalised_product(
            x, grouped(weight), grouped(scale), grouped(shift), moments or Moments.of(x), plan.eps, plan.activation
        )
        _update_running_statistics(norms, mean.view_as(scale), variance.view_as(scale), x.shape[0] * x.shape[3])
    else:
        rate = (torch.stack([norm.running_var for norm in norms]) + plan.eps).rsqrt() * scale
        offset = shift - rate * torch.stack([norm.running_mean for norm in norms])
        y = affine_product(x, grouped(weight * rate.unsqueeze(2)), grouped(offset), plan.activation)
    return y.reshape(x.shape[0], len(layers), -1, x.shape[3])


@torch.no_grad()
def _update_running_statistics(norms: Sequence[Any], mean: Tensor, variance: Tensor, count: int) -> None:
    """What each norm would have done to its running statistics: the variance unbiased, mixed in by its momentum."""
    for norm, m, v in zip(norms, mean, variance * (count / (count - 1)), strict=True):
        if norm.track_running_stats:
            norm.running_mean.lerp_(m.to(norm.running_mean.dtype), norm.momentum)
            norm.running_var.lerp_(v.to(norm.running_var.dtype), norm.momentum)
            norm.num_batches_tracked.add_(1)


def _plans(stack: nn.Module) -> tuple[_Plan, ...]:
    """The plan of every layer of the stack; nothing where it is not made of plain 1x1 Conv-BN-activation layers."""
    if type(stack) is not nn.Sequential or watched(stack):
        return ()
    plans = tuple(_plan(layer) for layer in stack)
    return tuple(plan for plan in plans if plan) if all(plans) else ()


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
        and norm.momentum is not None
        and type(activation) in ACTIVATIONS
    )
    if not plain:
        return None
    training = norm.training or norm.running_mean is None
    return _Plan(conv.in_channels, conv.out_channels, norm.eps, training, type(activation))


def watched(module: nn.Module) -> bool:
    """Whether somebody hooked into the calls of the module or of a part of it, and would miss them."""
    return any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
