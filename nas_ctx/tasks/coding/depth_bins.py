"""Depth in logarithmic bins, since an error of ten centimetres matters less far away (supplement D)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nas_ctx.labels import IGNORE


class DepthBins:
    """``count`` bins of equal width in log(depth) between ``minimum`` and ``maximum`` metres.

    >>> bins = DepthBins(40, 0.7, 10.0)
    >>> bins.encode(torch.tensor([0.1, 0.7, 9.99, 50.0, 255.0])).tolist()
    [0, 0, 39, 39, 255]
    """

    def __init__(self, count: int, minimum: float, maximum: float) -> None:
        self.count, self.minimum, self.maximum = count, minimum, maximum
        self.width = math.log(maximum / minimum) / count
        """Width of a bin in log(metres); a depth within range lies within a factor exp(width / 2) of its bin's mean."""
        self.log_means = math.log(minimum) + (torch.arange(count) + 0.5) * self.width
        """The mean of each bin in log space, float32 (count,)."""

    def encode(self, depth: Tensor) -> Tensor:
        """The bin of every depth in metres, int64 of the same shape; out of range goes to the end bins, 255 stays."""
        valid = depth != IGNORE
        log_depth = torch.where(valid, depth, self.minimum).clamp(min=self.minimum / 2).log()
        bins = ((log_depth - math.log(self.minimum)) / self.width).floor().long().clamp(0, self.count - 1)
        return torch.where(valid, bins, IGNORE)

    def decode(self, probabilities: Tensor) -> Tensor:
        """Soft-weighted sum: exp of the mean of the bins' log depths, weighted by (B, count, H, W).

        Gives metres, (B, 1, H, W).

        >>> DepthBins(2, 1.0, 16.0).decode(torch.tensor([0.5, 0.5]).view(1, 2, 1, 1)).item()
        4.0
        """
        means = self.log_means.to(probabilities)
        return torch.einsum("bkhw,k->bhw", probabilities, means).exp().unsqueeze(1)
