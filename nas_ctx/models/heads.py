"""The two ends of the grid: task heads, auxiliary heads, and the fusion of a target's contexts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from nas_ctx.contexts.projection import conv_norm
from nas_ctx.plugins import Registry, called_with

MakeHead = Callable[[int, int], nn.Module]
"""(in_channels, channels) to a module from the backbone's features (B, in_channels, h, w) to (B, channels, h, w)."""

HEADS: Registry[MakeHead] = Registry(
    "head", group="nas_ctx.heads", validator=called_with("in_channels", "channels", base=nn.Module), base=nn.Module
)
register_head = HEADS.register


@register_head("conv")
def task_head(in_channels: int, channels: int) -> nn.Sequential:
    """The 3x3 Conv-BN-ReLU that makes a task's features from the backbone's."""
    return conv_norm(in_channels, channels, kernel=3, activation=nn.ReLU)


def logits_layer(channels: int, outputs: int) -> nn.Conv2d:
    """The 1x1 convolution that reads predictions off features; its weights start as N(0, 0.01), its bias at zero.

    >>> bool(logits_layer(8, 3).bias.any())
    False
    """
    layer = nn.Conv2d(channels, outputs, 1)
    nn.init.normal_(layer.weight, std=0.01)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class AuxiliaryHead(nn.Module):
    """Predicts the label regions of a task from features, where its gradient stops (supplement, section A).

    >>> features = torch.rand(2, 8, 4, 5, requires_grad=True)
    >>> AuxiliaryHead(8, regions=3)(features).sum().backward()
    >>> features.grad is None
    True
    """

    def __init__(self, channels: int, regions: int) -> None:
        super().__init__()
        self.hidden = conv_norm(channels, channels, activation=nn.ReLU)
        self.logits = logits_layer(channels, regions)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, h, w) to logits (B, regions, h, w)."""
        return self.logits(self.hidden(features.detach()))


class Fusion(nn.Module):
    """Adds what the context blocks found to a target's own features.

    The last batch norm before the concatenation starts with scale and shift zero: at first the row is blind to its
    contexts and learns to use them.

    A block of no channels is *none* for good: no weights belong to it. Where all blocks are, the fusion is its second
    stage, 1x1 Conv-BN-ReLU, on the target's features alone. That is what the whole fusion computes in a search whose
    blocks give zeros: the first stage makes one constant per channel of them, the second stage's convolution adds
    another, ``c``, to what it makes of the features, and its batch norm takes ``c`` off with the mean. Weights carried
    over agree in evaluation when the running mean is carried over less ``c``.

    Args:
        channels: of the target's features.
        block_channels: of each block's output; 0 for a block that is *none*.
        dropout: after the fusion, of whole channels.

    >>> fusion = Fusion(8, [4, 4], dropout=0.0)
    >>> fusion(torch.rand(2, 8, 4, 5), [torch.rand(2, 4, 4, 5), torch.rand(2, 4, 4, 5)]).shape
    torch.Size([2, 8, 4, 5])
    """

    def __init__(self, channels: int, block_channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.block_channels = list(block_channels)
        self.contexts: nn.Sequential | None = None
        if any(self.block_channels):
            self.contexts = conv_norm(sum(self.block_channels), channels, activation=None)
            norm = self.contexts.get_submodule("norm")
            assert isinstance(norm, nn.BatchNorm2d)
            nn.init.zeros_(norm.weight)
            nn.init.zeros_(norm.bias)
        self.both = conv_norm(channels if self.contexts is None else 2 * channels, channels, activation=nn.ReLU)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, features: Tensor, contexts: Sequence[Tensor]) -> Tensor:
        """Features (B, channels, h, w) and one context map per block to the fused features, (B, channels, h, w)."""
        if self.contexts is not None:
            maps = [x for x, width in zip(contexts, self.block_channels, strict=True) if width]
            features = torch.cat([features, self.contexts(torch.cat(maps, 1))], 1)
        return self.dropout(self.both(features))
