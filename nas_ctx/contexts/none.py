"""No context: zeros, at no cost."""

from __future__ import annotations

from torch import Tensor, nn

from nas_ctx.contexts.base import ContextInput, register_context


@register_context("none")
class NoContext(nn.Module):
    """The target gathers nothing from the source. No parameters; one stored zero, whatever the size.

    >>> import torch
    >>> features = torch.zeros(1, 8, 2, 3)
    >>> NoContext(8, 4)(ContextInput(features, features, features, features)).shape
    torch.Size([1, 4, 2, 3])
    """

    produces_zeros = True
    """Supernet layers and the grid skip modules with this attribute."""

    reads_regions = ()

    def __init__(self, in_channels: int, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, inputs: ContextInput) -> Tensor:
        """Zeros, (B, channels, h, w)."""
        target = inputs.target
        return target.new_zeros(1).expand(target.shape[0], self.channels, *target.shape[2:])
