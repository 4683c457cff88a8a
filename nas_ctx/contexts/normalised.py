"""A 1x1 convolution, training batch norm and activation as one operation that keeps only its input and output.

Batch norm normalises z = W x by its mean and variance over images and pixels. Both follow from the mean m and the
covariance S of x: the mean of z is W m, its variance diag(W S Wᵀ). So the norm folds into the product,

    y = activation(W' x + t),   W' = diag(gamma / sqrt(var + eps)) W,   t = beta - W' m,

z itself is never needed, and m and S are computed once for all products that read x. With g the gradient of the
activation's argument and M the number of images times pixels, the backward pass needs g xᵀ and W'ᵀ g; what remains are
products of small matrices (see :meth:`_NormalisedProduct.backward`). Against three separate operations this saves
the memory of z and of the normalised z, and most of the passes over them.

Everything here is batched over groups: x is (B, G, C, P), and W is (G, n, C), one matrix per group.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_ctx.contexts.attention import wide

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
        x = wide(x)
        count = x.shape[0] * x.shape[3]
        mean = x.sum((0, 3)) / count
        second = (x @ x.mT).sum(0) / count
        return cls(mean, second - mean.unsqueeze(2) * mean.unsqueeze(1))


def normalised_product(
    x: Tensor, weight: Tensor, scale: Tensor, shift: Tensor, moments: Moments, eps: float, activation: type[nn.Module]
) -> tuple[Tensor, Tensor, Tensor]:
    """activation(batch_norm(weight @ x)) with the statistics of this batch, and those statistics.

    Args:
        x: (B, G, C, P), any floating dtype.
        weight: (G, n, C); ``scale`` and ``shift``: (G, n), the affine parameters of the norm.
        moments: of ``x``.
        eps: of the norm.
        activation: one of :data:`ACTIVATIONS`.

    Returns:
        y (B, G, n, P) in the dtype of x, and the mean and the biased variance of ``weight @ x``, (G, n), which carry no
        gradient.

    >>> x, weight = torch.rand(2, 1, 3, 5), torch.rand(1, 4, 3)
    >>> y, *_ = normalised_product(x, weight, torch.ones(1, 4), torch.zeros(1, 4), Moments.of(x), 1e-5, nn.ReLU)
    >>> plain = F.batch_norm(F.conv1d(x[:, 0], weight[0, :, :, None]), None, None, training=True).relu()
    >>> torch.allclose(y[:, 0], plain, atol=1e-4)
    True
    """
    with torch.autocast(x.device.type, enabled=False):
        return _NormalisedProduct.apply(
            x, wide(weight), wide(scale), wide(shift), moments.mean, moments.covariance, eps, activation
        )


def affine_product(x: Tensor, weight: Tensor, shift: Tensor, activation: type[nn.Module]) -> Tensor:
    """activation(weight @ x + shift), for norms that use their running statistics. Shapes as above."""
    with torch.autocast(x.device.type, enabled=False):
        return _activate(_affine(x, weight, shift), activation)


def _affine(x: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
    batch, groups, _, pixels = x.shape
    rows = weight.shape[1]
    product = torch.baddbmm(
        shift.to(x.dtype).expand(batch, groups, rows).reshape(-1, rows, 1),
        weight.to(x.dtype).expand(batch, *weight.shape).flatten(0, 1),
        x.flatten(0, 1),
    )
    return product.view(batch, groups, rows, pixels)


def _activate(argument: Tensor, activation: type[nn.Module]) -> Tensor:
    return F.softplus(argument) if activation is nn.Softplus else argument.relu_()


def _activation_gradient(gradient: Tensor, output: Tensor, activation: type[nn.Module]) -> Tensor:
    if activation is nn.Softplus:  # d softplus(a) = sigmoid(a) = 1 - exp(-softplus(a))
        return gradient * output.neg().expm1_().neg_()
    return torch.ops.aten.threshold_backward(gradient, output, 0)


class _NormalisedProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        scale: Tensor,
        shift: Tensor,
        mean: Tensor,
        covariance: Tensor,
        eps: float,
        activation: type[nn.Module],
    ) -> tuple[Tensor, Tensor, Tensor]:
        variance = ((weight @ covariance) * weight).sum(2).clamp_min_(0)
        rate = (variance + eps).rsqrt()
        folded = (scale * rate).unsqueeze(2) * weight
        y = _activate(_affine(x, folded, shift - _times(folded, mean)), activation)
        ctx.save_for_backward(x, y, weight, scale, rate, mean, covariance)
        ctx.activation = activation
        centre = _times(weight, mean)
        ctx.mark_non_differentiable(centre, variance)
        return y, centre, variance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, y, weight, scale, rate, mean, covariance = ctx.saved_tensors
        count = x.shape[0] * x.shape[3]
        g = _activation_gradient(gradient, y, ctx.activation)
        d_shift = wide(g).sum((0, 3))
        # g (x - m)ᵀ, of which d_scale is the diagonal against the normalised z = rate W (x - m).
        outer = wide(g @ x.mT).sum(0) - d_shift.unsqueeze(2) * mean.unsqueeze(1)
        d_scale = rate * (outer * weight).sum(2)
        # d z = scale rate (g - d_shift / M - normalised z d_scale / M); its products with xᵀ and with Wᵀ follow.
        d_weight = (scale * rate).unsqueeze(2) * (outer - (d_scale * rate).unsqueeze(2) * (weight @ covariance))
        d_x = None
        if ctx.needs_input_grad[0]:
            folded = (scale * rate).unsqueeze(2) * weight
            spread = folded.mT @ ((rate * d_scale / count).unsqueeze(2) * weight)
            constant = _times(spread, mean) - _times(folded.mT, d_shift) / count
            d_x = _affine(x, -spread, constant)
            back = folded.mT.to(g.dtype).expand(g.shape[0], -1, -1, -1).flatten(0, 1)
            d_x.flatten(0, 1).baddbmm_(back, g.flatten(0, 1))
        return d_x, d_weight, d_scale, d_shift, None, None, None, None


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """(G, n, C) times (G, C) to (G, n)."""
    return (matrix @ vector.unsqueeze(2)).squeeze(2)
