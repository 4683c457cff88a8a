"""A stack of 1x1 convolution, batch norm and activation as one operation that keeps only its input and its output.

Batch norm normalises z = W x by its mean and variance over images and pixels. Where x has mean 0, so has z, and its
variance is diag(W S Wᵀ), with the covariance S of x. So the norm folds into the product,

    y = activation(V x + shift),   V = diag(scale rate) W,   rate = 1 / sqrt(diag(W S Wᵀ) + eps),

and z is never made. The mean of x is subtracted first, once for all stacks that read x, and so is S computed. With g
the gradient of the activation's argument, z' the normalised z, and M images times pixels, that of z is

    scale rate (g - d_shift / M - z' d_scale / M),   d_shift = Σ g,   d_scale = Σ g z'.

In its products with xᵀ and Wᵀ, z' occurs only in products with x that S or W gives: g xᵀ and Vᵀ g are the only large
ones. The maps between two layers of a stack are computed again in the backward pass.
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


class Centred(NamedTuple):
    """A feature map (B, C, P) less its ``mean`` (C) over images and pixels, and its ``covariance`` (C, C).

    Nothing is differentiated by it: the gradient belongs to the feature map itself.

    >>> Centred.of(torch.arange(4.0).view(1, 1, 4))
    Centred(map=tensor([[[-1.5000, -0.5000,  0.5000,  1.5000]]]), mean=tensor([1.5000]), covariance=tensor([[1.2500]]))
    """

    map: Tensor
    mean: Tensor
    covariance: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, x: Tensor) -> Centred:
        with without_autocast(x):
            mean = upcast(x).mean((0, 2))
            centred = upcast(x) - mean.unsqueeze(1)
            covariance = (centred @ centred.mT).sum(0) / (x.shape[0] * x.shape[2])
        return cls(centred.to(x.dtype), mean, covariance)


def normalised_stack(x: Tensor, layers: Sequence[Any], centred: Centred) -> Tensor:
    """A stack of layers with the statistics of this batch; their running statistics follow.

    Args:
        x: (B, C, P), any floating dtype; more than one image or pixel.
        layers: modules with ``conv``, a 1x1 convolution without bias, ``norm``, a batch norm in training, and
            ``activation``, one of :data:`ACTIVATIONS`.
        centred: of ``x``.

    Returns:
        (B, n, P) in the dtype of ``x``. Exact, gradients too; double backward is not supported.

    >>> from nas_ctx.contexts.projection import projection
    >>> x, stack = torch.rand(2, 6, 20), projection(6, 3, layers=2)
    >>> torch.allclose(normalised_stack(x, stack, Centred.of(x)), stack(x.unsqueeze(3)).squeeze(3), atol=1e-5)
    True
    """
    parameters: list[Tensor] = []
    for layer in layers:
        weight, norm = layer.conv.weight.flatten(1), layer.norm
        scale, shift = (norm.weight, norm.bias) if norm.affine else (one := weight.new_ones(len(weight)), one * 0)
        parameters += map(upcast, (weight, scale, shift))
    constants = [(layer.norm.eps, type(layer.activation)) for layer in layers]
    with without_autocast(x):
        y, *statistics = _NormalisedStack.apply(x, *centred, constants, *parameters)
        for layer, mean, variance in zip(layers, statistics[::2], statistics[1::2], strict=True):
            _follow(layer.norm, mean, variance, x.shape[0] * x.shape[2])
    return y


@torch.no_grad()
def _follow(norm: Any, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move running statistics as the norm would: with the unbiased variance, by its momentum."""
    if not norm.track_running_stats:
        return
    norm.num_batches_tracked.add_(1)
    momentum = 1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
    norm.running_var.lerp_((variance * (count / (count - 1))).to(norm.running_var.dtype), momentum)


class _Layer(NamedTuple):
    """A layer folded into a product, and what its backward pass needs besides."""

    weight: Tensor
    shift: Tensor
    rate: Tensor
    gain: Tensor  # scale rate
    along: Tensor  # W S
    mean: Tensor  # of its input

    @property
    def folded(self) -> Tensor:
        return self.gain.unsqueeze(1) * self.weight

    def __call__(self, centred: Tensor, activation: type[nn.Module]) -> Tensor:
        argument = _affine(centred, self.folded, self.shift)
        return F.softplus(argument) if activation is nn.Softplus else argument.relu_()


class _NormalisedStack(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, centred: Tensor, mean: Tensor, covariance: Tensor, constants: Any, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        argument, y = Centred(centred, mean, covariance), x
        kept: list[Tensor] = []
        statistics: list[Tensor] = []
        for depth, (eps, activation) in enumerate(constants):
            weight, scale, shift = parameters[3 * depth : 3 * depth + 3]
            if depth > 0:
                argument = Centred.of(y)
            along = weight @ argument.covariance
            variance = (along * weight).sum(1).clamp_min_(0)
            rate = (variance + eps).rsqrt()
            layer = _Layer(weight, shift, rate, scale * rate, along, argument.mean)
            y = layer(argument.map, activation)
            kept += layer
            statistics += (weight @ argument.mean, variance)
        ctx.save_for_backward(centred, y, *kept)
        ctx.activations = [activation for _, activation in constants]
        ctx.mark_non_differentiable(*statistics)
        return y, *statistics

    @staticmethod
    @backward_pass
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        centred, y, *kept = ctx.saved_tensors
        width = len(_Layer._fields)
        layers = [_Layer(*kept[first : first + width]) for first in range(0, len(kept), width)]
        inputs: list[Tensor] = [centred]
        outputs: list[Tensor] = []
        for layer, following, activation in zip(layers, layers[1:], ctx.activations, strict=False):
            outputs.append(layer(inputs[-1], activation))
            inputs.append(outputs[-1] - following.mean.to(y.dtype).unsqueeze(1))
        outputs.append(y)
        gradients: list[Tensor] = []
        for depth in reversed(range(len(layers))):
            g = _activation_gradient(gradient, outputs.pop(), ctx.activations[depth])
            wanted = depth > 0 or ctx.needs_input_grad[0]
            d_x, parameters = _backward(g, inputs.pop(), layers[depth], wanted)
            gradients = [*parameters, *gradients]
            gradient = gradient if d_x is None else d_x
        return gradient if ctx.needs_input_grad[0] else None, None, None, None, None, *gradients


def _backward(g: Tensor, x: Tensor, layer: _Layer, wanted: bool) -> tuple[Tensor | None, tuple[Tensor, ...]]:
    """From the gradient of the activation's argument to those of x (where wanted), weight, scale and shift."""
    count = x.shape[0] * x.shape[2]
    d_shift = upcast(g).sum((0, 2))
    outer = upcast(g @ x.mT).sum(0)
    d_scale = layer.rate * (outer * layer.weight).sum(1)
    slope = (layer.rate * d_scale).unsqueeze(1)
    d_weight = layer.gain.unsqueeze(1) * (outer - slope * layer.along)
    if not wanted:
        return None, (d_weight, d_scale, d_shift)
    back = layer.folded.mT
    d_x = _affine(x, back @ (slope * layer.weight) / -count, back @ d_shift / -count)
    d_x.baddbmm_(back.to(g.dtype).expand(len(g), -1, -1), g)
    return d_x, (d_weight, d_scale, d_shift)


def _affine(x: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
    """weight @ x + shift, in the dtype of x: (B, C, P), (n, C), (n) to (B, n, P)."""
    shifts, weights = (matrix.to(x.dtype).expand(len(x), -1, -1) for matrix in (shift.unsqueeze(1), weight))
    return torch.baddbmm(shifts, weights, x)


def _activation_gradient(gradient: Tensor, output: Tensor, activation: type[nn.Module]) -> Tensor:
    if activation is nn.Softplus:  # d softplus(a) = sigmoid(a) = 1 - exp(-softplus(a))
        return gradient * output.neg().expm1_().neg_()
    return torch.ops.aten.threshold_backward(gradient, output, 0)
