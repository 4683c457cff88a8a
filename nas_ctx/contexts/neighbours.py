"""A context of the source's pixels that are nearest in feature space, wherever they lie in the image."""

from __future__ import annotations

import torch
from torch import Tensor

from nas_ctx.contexts.base import PixelContext
from nas_ctx.contexts.kernels.precision import upcast, without_autocast

BAND = 1 << 24
"""Similarities that are computed at a time."""

FLOOR = 1e-6
"""Added to the weight of every pixel, near or not; the largest weight is at most 1. Where all pixels are equally near,
all count equally, and no rounding decides which of them count."""


class NearestContext(PixelContext):
    """Attention to the ``count`` source pixels of the largest q.k, see :func:`nearest_attention`.

    >>> from nas_ctx.contexts import ContextInput
    >>> features, regions = torch.rand(2, 8, 4, 5), torch.rand(2, 3, 4, 5)
    >>> NearestContext(8, 4, count=3)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 4, 5])
    """

    reads_regions = ()

    def __init__(self, in_channels: int, channels: int, *, affine: bool = True, count: int = 9) -> None:
        super().__init__(in_channels, channels, affine=affine)
        self.count = count

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return nearest_attention(query, key, value, self.count)


def nearest_attention(query: Tensor, key: Tensor, value: Tensor, count: int) -> Tensor:
    """Each target pixel attends to the ``count`` pixels of the largest similarity s = q.k / sqrt(d).

    As in KVT (Wang et al. 2022), but a weight is proportional to exp(s) - exp(s'), where s' is the similarity of the
    first pixel that is left out: so weights fade to zero where a pixel would be exchanged, and rounding, which decides
    between two that are almost equally near, decides little. Where no pixel is left out, it is a softmax.

    Args:
        query: (B, d, h, w).
        key, value: (B, d, H, W) and (B, c, H, W).
        count: how many; all where there are fewer.

    Returns:
        (B, c, h, w). Which pixels are nearest has no gradient. Memory grows with ``count`` times pixels.

    >>> q, kv = torch.rand(1, 4, 2, 3), torch.ones(1, 4, 5, 5)
    >>> bool((nearest_attention(q, kv, kv, 7) - 1).abs().max() < 1e-6)
    True
    """
    with without_autocast(query):
        q, k, v = (upcast(x).flatten(2).mT for x in (query, key, value))  # (B, positions, channels)
        batch, positions, depth = k.shape
        with torch.no_grad():
            rows = max(1, BAND // (batch * positions))
            nearest = [(band @ k.mT).topk(min(count + 1, positions)).indices for band in q.split(rows, 1)]
        index = torch.cat(nearest, 1) + torch.arange(batch, device=q.device)[:, None, None] * positions
        scores = torch.einsum("bnd,bnmd->bnm", q, k.flatten(0, 1)[index]) * depth**-0.5
        weights = (scores - scores[:, :, :1]).exp()
        floor = FLOOR if positions > count else 0.0
        if positions > count:
            weights, index = weights[:, :, :-1] - weights[:, :, -1:], index[:, :, :-1]
        context = torch.einsum("bnm,bnmc->bnc", weights, v.flatten(0, 1)[index]) + floor * v.sum(1, keepdim=True)
        context = (context / (weights.sum(2, keepdim=True) + floor * positions)).mT
    return context.unflatten(2, query.shape[2:]).to(query.dtype)
