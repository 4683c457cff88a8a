"""Contexts made of the source's pixels: all of them, or those in a window around the target pixel."""

from __future__ import annotations

from torch import Tensor, nn

from nas_ctx.contexts.attention import global_attention
from nas_ctx.contexts.base import PixelContext, register_context
from nas_ctx.contexts.kernels.local_attention import local_attention


@register_context("global")
class GlobalContext(PixelContext):
    """Similarity q.k without softmax, normalised by its sum over all pixels (paper, section 3.2.1).

    The similarity must be positive to be normalised so: queries and keys end in a softplus instead of a ReLU.

    >>> import torch
    >>> from nas_ctx.contexts import ContextInput
    >>> features, regions = torch.rand(2, 8, 4, 5), torch.rand(2, 3, 4, 5)
    >>> GlobalContext(8, 4)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 4, 5])
    """

    reads_regions = ()

    similarity_activation = nn.Softplus

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return global_attention(query, key, value)


@register_context("local")
class LocalContext(PixelContext):
    """softmax(q.k / sqrt(d)) over a square window around the target pixel (paper, section 3.2.2).

    >>> import torch
    >>> from nas_ctx.contexts import ContextInput
    >>> features, regions = torch.rand(2, 8, 4, 5), torch.rand(2, 3, 4, 5)
    >>> LocalContext(8, 4, window=5)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 4, 5])
    """

    reads_regions = ()

    def __init__(self, in_channels: int, channels: int, *, affine: bool = True, window: int = 9) -> None:
        super().__init__(in_channels, channels, affine=affine)
        self.window = window

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return local_attention(query, key, value, self.window)
