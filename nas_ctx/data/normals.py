"""Samples of a data set's surface normals, from which a codebook is learned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from nas_ctx.data.base import DenseDataset
from nas_ctx.errors import InputError


def sampled_normals(dataset: DenseDataset, count: int, seed: int, indices: Iterable[int] | None = None) -> Tensor:
    """About ``count`` valid normals, equally many from every image: float32 (N, 3) unit vectors.

    Args:
        dataset: whose tasks include normals.
        count: how many over the whole data set.
        seed: of the sampling.
        indices: images to read (all by default), possibly wrapped in a progress bar.

    Raises:
        InputError: no image has a valid normal.
    """
    each = -(-count // len(dataset))
    drawn = []
    for index in range(len(dataset)) if indices is None else indices:
        if (label := dataset.read(index)["normals"]) is None:
            continue
        normals = label.reshape(-1, 3)
        length = np.linalg.norm(normals, axis=1)
        valid = np.flatnonzero((length > 0) & np.isfinite(length))
        pixels = np.random.default_rng([seed, index]).permutation(valid)[:each]
        drawn.append(normals[pixels] / length[pixels, None])
    directions = np.concatenate(drawn or [np.empty((0, 3))]).astype(np.float32)
    if not len(directions):
        raise InputError(f"{dataset.root}: no image of the {dataset.split} split has a valid normal")
    return torch.from_numpy(directions)
