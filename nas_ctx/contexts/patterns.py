"""Contexts of the source's pixels in other patterns than a window: with gaps, or along the row and the column."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_ctx.contexts.base import PixelContext
from nas_ctx.contexts.kernels.local_attention import local_attention
from nas_ctx.contexts.kernels.precision import upcast, without_autocast


class DilatedContext(PixelContext):
    """softmax(q.k / sqrt(d)) over a square of ``window`` x ``window`` pixels that lie ``dilation`` pixels apart.

    It sees as far as a window of ``dilation * (window - 1) + 1`` at the price of one of ``window`` (DiNAT, Hassani and
    Shi 2022).

    >>> from nas_ctx.contexts import ContextInput
    >>> features, regions = torch.rand(2, 8, 4, 5), torch.rand(2, 3, 4, 5)
    >>> DilatedContext(8, 4, window=3, dilation=2)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 4, 5])
    """

    reads_regions = ()

    def __init__(
        self, in_channels: int, channels: int, *, affine: bool = True, window: int = 5, dilation: int = 2
    ) -> None:
        super().__init__(in_channels, channels, affine=affine)
        self.window, self.dilation = window, dilation

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return dilated_attention(query, key, value, self.window, self.dilation)


class AxialContext(PixelContext):
    """softmax(q.k / sqrt(d)) over the row and the column of the target pixel (criss-cross, Huang et al. 2019).

    >>> from nas_ctx.contexts import ContextInput
    >>> features, regions = torch.rand(2, 8, 4, 5), torch.rand(2, 3, 4, 5)
    >>> AxialContext(8, 4)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 4, 5])
    """

    reads_regions = ()

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return axial_attention(query, key, value)


def dilated_attention(query: Tensor, key: Tensor, value: Tensor, window: int, dilation: int) -> Tensor:
    """As ``local_attention``, with the pixels of the window ``dilation`` apart.

    Pixels whose rows and columns leave the same remainder by ``dilation`` see only each other: they are an image of
    their own, with a window without gaps.

    >>> q = torch.rand(1, 4, 5, 7)
    >>> bool(torch.equal(dilated_attention(q, q, q, 3, dilation=1), local_attention(q, q, q, 3)))
    True
    """
    height, width = query.shape[2:]

    def parted(x: Tensor) -> Tensor:
        # Zeros to full steps; outside of the image keys and values are zero anyway.
        x = F.pad(x, (0, -width % dilation, 0, -height % dilation))
        x = x.unflatten(3, (-1, dilation)).unflatten(2, (-1, dilation))
        return x.permute(0, 3, 5, 1, 2, 4).flatten(0, 2)

    context = local_attention(parted(query), parted(key), parted(value), window)
    together = context.unflatten(0, (-1, dilation, dilation)).permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3)
    return together[:, :, :height, :width]


def axial_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Each target pixel attends to its row and its column with softmax(q.k / sqrt(d)).

    Args:
        query: (B, d, h, w).
        key, value: (B, d, h, w) and (B, c, h, w).

    Returns:
        (B, c, h, w).

    >>> q, kv = torch.rand(1, 4, 2, 3), torch.ones(1, 4, 2, 3)
    >>> bool((axial_attention(q, kv, kv) - 1).abs().max() < 1e-6)
    True
    """
    height, width = query.shape[2:]
    with without_autocast(query):
        q, k, v = upcast(query) * query.shape[1] ** -0.5, upcast(key), upcast(value)
        row = torch.einsum("bdyx,bdyu->byxu", q, k)
        column = torch.einsum("bdyx,bdvx->byxv", q, k)
        # The pixel itself lies in both; it counts once.
        itself = torch.eye(height, dtype=torch.bool, device=q.device)[:, None]
        weights = torch.cat([row, column.masked_fill(itself, -torch.inf)], 3).softmax(3)
        row, column = weights.split([width, height], 3)
        context = torch.einsum("byxu,bcyu->bcyx", row, v) + torch.einsum("byxv,bcvx->bcyx", column, v)
    return context.to(query.dtype)
