"""Stacks of 1x1 convolution, batch norm and activation as one operation that stores only its input and output.

Batch norm normalises z = W x by its mean and variance over images and pixels. Both follow from the mean m and the
covariance S of x: the mean of z is W m, its variance diag(W S Wᵀ). So the norm folds into the product,

    y = activation(W' x + t),   W' = diag(gamma / sqrt(var + eps)) W,   t = beta - W' m,

z itself is never needed, and m and S are computed once for all products that read x. With g the gradient of the
activation's argument, the backward pass needs g xᵀ and W'ᵀ g; the rest are products of small matrices (see
:func:`_backward`). Compared with separate operations this saves the memory of z and of the normalised z, and most
passes over them. The maps between two layers of a stack are recomputed in the backward pass, from the folded weights,
by one product.

Everything is batched over groups: x is (B, G, C, P), and W is (G, n, C), one matrix per group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_ctx.contexts.kernels.precision import backward_pass, upcast, without_autocast

ACTIVATIONS = (nn.ReLU, nn.Softplus)
"""Activations whose derivative follows from their output."""


class Moments(NamedTuple):
    """Mean (G, C) and covariance (G, C, C) of x (B, G, C, P) over images and pixels, in float32 at least."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, x: Tensor) -> Moments:
        """
        >>> moments = Moments.of(torch.arange(4.0).view(1, 1, 1, 4))
        >>> moments.mean.item(), moments.covariance.item()
        (1.5, 1.25)
        """
        x = upcast(x)
        count = x.shape[0] * x.shape[3]
        mean = x.sum((0, 3)) / count
        x = x - mean.unsqueeze(2)  # first: a difference of squares loses the digits that large means have in common
        return cls(mean, (x @ x.mT).sum(0) / count)


class Layer(NamedTuple):
    """The parameters of one layer for each of G stacks: weight (G, n, C); scale and shift of the norm, (G, n)."""

    weight: Tensor
    scale: Tensor
    shift: Tensor
    eps: float
    activation: type[nn.Module]

    def reading(self, groups: int) -> Layer:
        """The same parameters as ``groups`` groups: one group where all stacks read one map."""
        weight, scale, shift = (x.reshape(groups, -1, *x.shape[2:]) for x in self[:3])
        return self._replace(weight=weight, scale=scale, shift=shift)


class Statistics(NamedTuple):
    """Mean and biased variance of a layer's convolution over the batch, (G, n); they carry no gradient."""

    mean: Tensor
    variance: Tensor


def normalised_stacks(x: Tensor, layers: Sequence[Layer], moments: Moments) -> tuple[Tensor, list[Statistics]]:
    """G stacks of layers, with the statistics of this batch, and those statistics.

    Args:
        x: (B, 1, C, P), one map that all read, or (B, G, C, P), a map for each; any floating dtype.
        layers: the layers, the first one first; activations from :data:`ACTIVATIONS`.
        moments: of ``x``.

    Returns:
        y (B, G, n, P) in the dtype of x, and the statistics of each layer.

    >>> x, weight = torch.rand(2, 1, 3, 5), torch.rand(1, 4, 3)
    >>> layer = Layer(weight, torch.ones(1, 4), torch.zeros(1, 4), 1e-5, nn.ReLU)
    >>> y, _ = normalised_stacks(x, [layer], Moments.of(x))
    >>> plain = F.batch_norm(F.conv1d(x[:, 0], weight[0, :, :, None]), None, None, training=True).relu()
    >>> torch.allclose(y[:, 0], plain, atol=1e-4)
    True
    """
    constants = [(layer.eps, layer.activation) for layer in layers]
    parameters = [upcast(tensor) for layer in layers for tensor in layer[:3]]
    with without_autocast(x):
        y, *statistics = _NormalisedStacks.apply(x, *moments, constants, *parameters)
    return y, [Statistics(*pair) for pair in zip(statistics[::2], statistics[1::2], strict=True)]


def affine_layer(x: Tensor, layer: Layer, statistics: Statistics) -> Tensor:
    """One layer whose norm uses given statistics, as in evaluation: (B, G, C, P) to (B, G, n, P)."""
    layer = layer.reading(x.shape[1])
    rate = layer.scale * (statistics.variance.view_as(layer.scale) + layer.eps).rsqrt()
    with without_autocast(x):
        argument = _affine(
            x, layer.weight * rate.unsqueeze(2), layer.shift - rate * statistics.mean.view_as(layer.shift)
        )
        return _activate(argument, layer.activation)


class _Folded(NamedTuple):
    """A layer as its product, and what the backward pass needs besides: moments of its input, 1 / sqrt(var + eps)."""

    weight: Tensor
    scale: Tensor
    shift: Tensor
    mean: Tensor
    covariance: Tensor
    rate: Tensor

    @classmethod
    def of(cls, layer: Layer, moments: Moments) -> tuple[_Folded, Statistics]:
        variance = ((layer.weight @ moments.covariance) * layer.weight).sum(2).clamp_min_(0)
        folded = cls(*layer[:3], *moments, (variance + layer.eps).rsqrt())
        return folded, Statistics(_times(layer.weight, moments.mean), variance)

    @property
    def product(self) -> Tensor:
        return (self.scale * self.rate).unsqueeze(2) * self.weight

    def __call__(self, x: Tensor, activation: type[nn.Module]) -> Tensor:
        product = self.product
        return _activate(_affine(x, product, self.shift - _times(product, self.mean)), activation)


class _NormalisedStacks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        mean: Tensor,
        covariance: Tensor,
        constants: list[tuple[float, type[nn.Module]]],
        *parameters: Tensor,
    ) -> tuple[Tensor, ...]:
        moments: Moments | None = Moments(mean, covariance)
        stacks = parameters[0].shape[0]
        kept: list[Tensor] = []
        statistics: list[Tensor] = []
        y = x
        for depth, (eps, activation) in enumerate(constants):
            weight, scale, shift = parameters[3 * depth : 3 * depth + 3]
            layer = Layer(weight, scale, shift, eps, activation).reading(y.shape[1])
            folded, measured = _Folded.of(layer, moments or Moments.of(y))
            y = _per_stack(folded(y, activation), stacks)
            moments = None
            kept += folded
            statistics += (value.view(stacks, -1) for value in measured)
        ctx.save_for_backward(x, y, *kept)
        ctx.activations = [activation for _, activation in constants]
        ctx.mark_non_differentiable(*statistics)
        return y, *statistics

    @staticmethod
    @backward_pass
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, y, *kept = ctx.saved_tensors
        width = len(_Folded._fields)
        layers = [_Folded(*kept[first : first + width]) for first in range(0, len(kept), width)]
        stacks = y.shape[1]
        maps = [x]
        for layer, activation in zip(layers[:-1], ctx.activations, strict=False):
            maps.append(_per_stack(layer(maps[-1], activation), stacks))
        maps.append(y)
        gradients: list[Tensor] = []
        for depth in reversed(range(len(layers))):
            output, argument = maps.pop(), maps[-1]
            groups = argument.shape[1]
            g = _activation_gradient(gradient, output, ctx.activations[depth]).reshape(
                x.shape[0], groups, -1, x.shape[3]
            )
            del output
            wanted = depth > 0 or ctx.needs_input_grad[0]
            d_x, d_parameters = _backward(g, argument, layers[depth], wanted)
            gradients = [parameter.view(stacks, -1, *parameter.shape[2:]) for parameter in d_parameters] + gradients
            if d_x is not None:
                gradient = d_x
        return gradient if ctx.needs_input_grad[0] else None, None, None, None, *gradients


def _backward(g: Tensor, x: Tensor, layer: _Folded, wanted: bool) -> tuple[Tensor | None, tuple[Tensor, ...]]:
    """From the gradient of the activation's argument to those of x (where wanted), weight, scale and shift.

    With M positions and z' the normalised z = W x: the gradient of z is scale rate (g - d_shift / M - z' d_scale / M).
    Its products with xᵀ and with Wᵀ need z' only in products with x, which are W S and S-like small matrices.
    """
    count = x.shape[0] * x.shape[3]
    d_shift = upcast(g).sum((0, 3))
    outer = upcast(g @ x.mT).sum(0) - d_shift.unsqueeze(2) * layer.mean.unsqueeze(1)  # g (x - m)ᵀ
    d_scale = layer.rate * (outer * layer.weight).sum(2)
    slope = (layer.rate * d_scale).unsqueeze(2)
    d_weight = (layer.scale * layer.rate).unsqueeze(2) * (outer - slope * (layer.weight @ layer.covariance))
    if not wanted:
        return None, (d_weight, d_scale, d_shift)
    back = layer.product.mT
    spread = back @ (slope * layer.weight) / count
    d_x = _affine(x, -spread, _times(spread, layer.mean) - _times(back, d_shift) / count)
    d_x.flatten(0, 1).baddbmm_(_repeated(back.to(g.dtype), g.shape[0]), g.flatten(0, 1))
    return d_x, (d_weight, d_scale, d_shift)


def _affine(x: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
    """weight @ x + shift, in the dtype of x: (B, G, C, P), (G, n, C), (G, n) to (B, G, n, P)."""
    weight, shift = weight.to(x.dtype), shift.to(x.dtype).unsqueeze(2)
    product = torch.baddbmm(_repeated(shift, x.shape[0]), _repeated(weight, x.shape[0]), x.flatten(0, 1))
    return product.unflatten(0, x.shape[:2])


def _activate(argument: Tensor, activation: type[nn.Module]) -> Tensor:
    return F.softplus(argument) if activation is nn.Softplus else argument.relu_()


def _activation_gradient(gradient: Tensor, output: Tensor, activation: type[nn.Module]) -> Tensor:
    if activation is nn.Softplus:  # d softplus(a) = sigmoid(a) = 1 - exp(-softplus(a))
        return gradient * output.neg().expm1_().neg_()
    return torch.ops.aten.threshold_backward(gradient, output, 0)


def _per_stack(y: Tensor, stacks: int) -> Tensor:
    """Rows of one wide product, (B, 1, stacks n, P), as (B, stacks, n, P)."""
    return y.view(y.shape[0], stacks, -1, y.shape[3])


def _repeated(matrices: Tensor, batch: int) -> Tensor:
    """(G, ...) to (batch G, ...): one matrix per image and group."""
    return matrices.expand(batch, *matrices.shape).flatten(0, 1)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """(G, n, C) times (G, C) to (G, n)."""
    return (matrix @ vector.unsqueeze(2)).squeeze(2)
