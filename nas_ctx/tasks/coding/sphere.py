"""Codewords: points on the unit sphere."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

CHUNK = 1 << 13
"""Directions per chunk, so that a table of directions by triangles fits the processor's cache."""


def fibonacci_sphere(count: int) -> Tensor:
    """``count`` points spread evenly over the unit sphere, float32 (count, 3); the same ones every time.

    Points on a spiral whose turns are the golden angle apart and whose heights are evenly spaced.

    >>> fibonacci_sphere(40).norm(dim=1).sub(1).abs().max() < 1e-6
    tensor(True)
    """
    place = torch.arange(count, dtype=torch.float64)
    height = 1 - (2 * place + 1) / count
    around = place * math.pi * (3 - math.sqrt(5))
    radius = (1 - height**2).sqrt()
    return torch.stack([radius * around.cos(), radius * around.sin(), height], 1).float()


def nearest_codeword(directions: Tensor, codewords: Tensor) -> Tensor:
    """The codeword (K, 3) nearest to every unit vector (N, 3): int64 (N,).

    >>> nearest_codeword(torch.tensor([[0.6, 0.8, 0.0]]), torch.eye(3))
    tensor([1])
    """
    codewords = codewords.to(directions)
    return in_chunks(lambda part: (part @ codewords.T).argmax(1), directions)


def in_chunks(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """``function`` of the rows, :data:`CHUNK` at a time."""
    return torch.cat([function(part) for part in rows.split(CHUNK)])
