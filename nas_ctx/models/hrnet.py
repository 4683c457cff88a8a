"""HRNet as it was published: scales are fused by bilinear upsampling, and images of any size are taken as they are.

timm's enlarges by copying pixels, and only by whole factors. Weights are the same under the same names.
"""

from __future__ import annotations

import torch.nn.functional as F
from timm.models.hrnet import HighResolutionModule
from torch import Tensor, nn


def fuse_bilinearly(network: nn.Module) -> None:
    """Let the scales of a timm HRNet be fused as published (Wang et al., TPAMI 2020; mmsegmentation's HRNet).

    >>> import timm, torch
    >>> hrnet = timm.create_model("hrnet_w18_small", features_only=True).eval()
    >>> fuse_bilinearly(hrnet)
    >>> [tuple(x.shape[2:]) for x in hrnet(torch.zeros(1, 3, 70, 90))]
    [(35, 45), (18, 23), (9, 12), (5, 6), (3, 3)]
    """
    for module in network.modules():
        if type(module) is HighResolutionModule:
            module.__class__ = _Bilinear
            for part in module.modules():
                if isinstance(part, nn.Upsample):
                    part.mode, part.align_corners = "bilinear", False


class _Bilinear(HighResolutionModule):
    """The same module with another forward pass; its submodules stay."""

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        x = [branch(scale) for branch, scale in zip(self.branches, x, strict=True)]
        if self.num_branches == 1:
            return x
        # A scale of an odd size grows too large when it is enlarged by two.
        return [
            self.fuse_act(sum(_sized(part(y), own) for part, y in zip(parts, x, strict=True)))
            for parts, own in zip(self.fuse_layers, x, strict=True)
        ]


def _sized(x: Tensor, like: Tensor) -> Tensor:
    size = like.shape[2:]
    return x if x.shape[2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)
