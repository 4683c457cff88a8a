"""A context of regions that are learnt with the network, of any number, instead of those of a label space."""

from __future__ import annotations

from torch import Tensor, nn

from nas_ctx.contexts.attention import region_attention, region_map
from nas_ctx.contexts.base import AttentionContext, ContextInput


class LearntRegionsContext(AttentionContext):
    """Attention to ``count`` regions of the source, found by a 1x1 convolution of its features (A2-Nets, Chen 2018).

    >>> import torch
    >>> features, regions = torch.rand(2, 8, 4, 5), torch.rand(2, 3, 4, 5)
    >>> LearntRegionsContext(8, 4, count=6)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 4, 5])
    """

    reads_regions = ()

    def __init__(self, in_channels: int, channels: int, *, affine: bool = True, count: int = 16) -> None:
        super().__init__(in_channels, channels, affine=affine)
        self.regions = nn.Conv2d(in_channels, count, 1, bias=False)  # a softmax over pixels cancels a bias

    def memory(self, inputs: ContextInput) -> Tensor:
        return inputs.region_features(region_map(self.regions(inputs.source)), inputs.source)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return region_attention(query, key, value)
