"""Small windows around every pixel: how similar its neighbours are, and weighted sums over them.

Unlike attention, the weights themselves are the result here, to be compared and mixed between tasks. Neighbours are
read by shifting the map, so nothing is copied per pixel and window.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor


def neighbours(x: Tensor, window: int) -> Iterator[Tensor]:
    """``x`` (B, C, h, w) shifted to each of the window² neighbours, row by row; zeros outside.

    >>> x = torch.tensor([[[[1.0, 2.0]]]])
    >>> [int(shifted[0, 0, 0, 0]) for shifted in neighbours(x, 3)]
    [0, 0, 0, 0, 1, 2, 0, 0, 0]
    """
    height, width = x.shape[2:]
    padded = F.pad(x, [window // 2] * 4)
    return (padded[..., i : i + height, j : j + width] for i in range(window) for j in range(window))


def window_weights(x: Tensor, window: int) -> Tensor:
    """softmax over the window of x_i.x_j / sqrt(C), outside the image 0: (B, C, h, w) to (B, window², h, w).

    >>> window_weights(torch.zeros(1, 4, 1, 2), 3)[0, :, 0, 0].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0]
    """
    scores = torch.cat([(x * other).sum(1, keepdim=True) for other in neighbours(x, window)], 1) * x.shape[1] ** -0.5
    outside = torch.cat([other == 0 for other in neighbours(torch.ones_like(x[:1, :1]), window)], 1)
    return scores.masked_fill(outside, -torch.inf).softmax(1)


def window_sum(weights: Tensor, x: Tensor) -> Tensor:
    """Each pixel's sum of its neighbours' features: weights (B, window², h, w) and x (B, C, h, w) to (B, C, h, w).

    >>> x = torch.rand(2, 3, 4, 5)
    >>> bool(torch.allclose(window_sum(window_weights(x, 3), torch.ones_like(x)), torch.ones_like(x)))
    True
    """
    window = round(weights.shape[1] ** 0.5)
    total = torch.zeros_like(x)
    for weight, other in zip(weights.split(1, 1), neighbours(x, window), strict=True):
        total = total + weight * other
    return total
