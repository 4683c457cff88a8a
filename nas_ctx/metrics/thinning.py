"""Thinning of binary maps to lines one pixel wide, visiting only pixels whose neighbourhood has changed.

The conditions G1-G3 are those of Guo and Hall (CACM 32, 1989) as in Lam, Lee and Suen (PAMI 14, 1992), which MATLAB's
``bwmorph(..., 'thin', Inf)`` and ``skimage.morphology.thin`` follow too; the result is the latter's, pixel for pixel.
Both process the whole image in every iteration; a boundary metric thins a hundred maps per image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The thinned map of a bool map (H, W).

    >>> bar = np.zeros((5, 7), bool)
    >>> bar[1:4, 1:6] = True
    >>> thin(bar).astype(int)[2]
    array([0, 0, 1, 1, 1, 0, 0])
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    width = padded.shape[1]
    image = padded.reshape(-1)
    # East first, then counterclockwise, as the conditions number the neighbours x1..x8.
    around = np.array([1, 1 - width, -width, -width - 1, -1, width - 1, width, width + 1], np.intp)
    near = np.append(around, 0)
    stamp = np.zeros(len(image), np.intp)

    inside = padded[1:-1, :-2] & padded[1:-1, 2:] & padded[:-2, 1:-1] & padded[2:, 1:-1]
    border = np.pad(mask & ~inside.astype(bool), 1)
    # A pixel can only become removable in a half round when a neighbour went since the last one of its kind, that is
    # in the latest two halves. To begin with, every pixel of a border counts as changed.
    candidates = latest = np.flatnonzero(border)
    half = 0
    while len(candidates):
        candidates = candidates[image[candidates] == 1]
        gone = candidates[REMOVABLE[half][image[candidates[:, None] + around] @ BITS]]
        image[gone] = 0
        changed = np.concatenate([latest, gone])
        candidates, latest, half = once((changed[:, None] + near).ravel(), stamp), gone, 1 - half
    return padded[1:-1, 1:-1].astype(bool)


def once(indices: Indices, stamp: Indices) -> Indices:
    """Each of the indices once, in no order; ``stamp`` is a scratch array that all of them point into."""
    places = np.arange(len(indices))
    stamp[indices] = places
    return indices[stamp[indices] == places]


BITS = 1 << np.arange(8, dtype=np.uint8)


def removable(half: int) -> NDArray[np.bool_]:
    """For each of the 256 surroundings, whether a pixel goes in this half (0 or 1) of a round."""
    codes = np.arange(256)[:, None]
    x = ((codes >> np.arange(8)) & 1).astype(bool)  # columns 0..7 are x1..x8
    odd, even, next_odd = x[:, 0::2], x[:, 1::2], np.roll(x[:, 0::2], -1, axis=1)
    one_crossing = (~odd & (even | next_odd)).sum(1) == 1
    neighbours = np.minimum((odd | even).sum(1), (even | next_odd).sum(1))
    turned = np.roll(x, -4 * half, axis=1)  # the second half looks from the other side
    side = (turned[:, 1] | turned[:, 2] | ~turned[:, 7]) & turned[:, 0]
    return one_crossing & (neighbours >= 2) & (neighbours <= 3) & ~side


REMOVABLE = (removable(0), removable(1))
