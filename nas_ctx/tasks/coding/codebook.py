"""Codebooks of surface normals: learned from data, saved and loaded."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nas_ctx.errors import InputError
from nas_ctx.files import atomic_write, read_npy
from nas_ctx.tasks.coding.sphere import nearest_codeword


def learn_codebook(normals: Tensor, count: int, seed: int = 0, rounds: int = 50) -> Tensor:
    """``count`` codewords for the unit vectors (N, 3) by spherical k-means: float32 (count, 3).

    The means are scaled back to unit length after each round (Zeisl, Pollefeys et al., ECCV 2014 take k-means; on the
    sphere a mean has to be brought back to it).

    Raises:
        InputError: fewer different normals than codewords.

    >>> around = F.normalize(torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    >>> learn_codebook(around, 12).shape
    torch.Size([12, 3])
    """
    normals = F.normalize(normals.double(), dim=1)
    different = torch.unique((normals * 1e4).round(), dim=0)
    if len(different) < count:
        raise InputError(f"only {len(different)} different normals for {count} codewords")
    return spherical_k_means(normals, count, seed, rounds).float()


def spherical_k_means(points: Tensor, count: int, seed: int, rounds: int) -> Tensor:
    """Means of unit length of ``count`` groups of the unit vectors (N, 3), float64; the same ones for a seed."""
    means = spread_start(points, count, seed)
    for _ in range(rounds):
        group = nearest_codeword(points, means)
        sums = torch.zeros_like(means).index_add_(0, group, points)
        new = torch.where(sums.norm(dim=1, keepdim=True) > 1e-9, F.normalize(sums, dim=1), means)
        if torch.allclose(new, means, atol=1e-7):
            break
        means = new
    return means


def spread_start(points: Tensor, count: int, seed: int) -> Tensor:
    """k-means++: each start is drawn with probability proportional to its squared distance from those before it."""
    generator = torch.Generator().manual_seed(seed)
    chosen = points[torch.randint(len(points), (1,), generator=generator)]
    distance = (points - chosen).square().sum(1)
    while len(chosen) < count:
        # Drawn from the cumulated sum, since torch.multinomial takes at most 2^24 candidates.
        mark = torch.rand(1, generator=generator, dtype=torch.float64) * distance.sum()
        place = torch.searchsorted(distance.cumsum(0), mark).clamp(max=len(points) - 1)
        chosen = torch.cat([chosen, points[place]])
        distance = torch.minimum(distance, (points - chosen[-1]).square().sum(1))
    return chosen


def save_codebook(path: str | os.PathLike[str], codewords: Tensor) -> None:
    """Write a codebook as an ``.npy`` file of float32 (K, 3)."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.save(file, codewords.float().numpy())


def load_codebook(path: str | os.PathLike[str], count: int) -> Tensor:
    """Read the ``count`` codewords of an ``.npy`` file: float32 (count, 3).

    Raises:
        InputError: a missing or unreadable file, another shape, or vectors that are not of unit length.
    """
    if not os.path.exists(path):
        learn = f"`nas-ctx data codebook DATA --out {path}` learns one"
        raise InputError(f"codebook {path}: not a readable .npy file (no such file; {learn})")
    try:
        codewords = read_npy(path, 3 * count)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"codebook {path}: not a readable .npy file ({error})") from None
    if codewords.shape != (count, 3):
        raise InputError(f"codebook {path}: shape {codewords.shape}, expected ({count}, 3)")
    if codewords.dtype.kind != "f" or not (np.abs(np.linalg.norm(codewords, axis=1) - 1) < 1e-3).all():
        raise InputError(f"codebook {path}: expected vectors of unit length")
    return F.normalize(torch.from_numpy(codewords.astype(np.float32)), dim=1)
