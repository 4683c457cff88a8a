"""Labels that follow from which item each pixel shows: semantic classes and the outlines of things."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.rooms.geometry import Floats


def class_map(items: NDArray[np.int32], names: tuple[str, ...], values: dict[str, int]) -> NDArray[np.uint8]:
    """``items`` (H, W) with every item replaced by the value of its class, 0 where the class has none.

    >>> class_map(np.array([[0, 1], [2, 1]]), ("wall", "lamp", "cup"), {"wall": 1, "lamp": 9}).tolist()
    [[1, 9], [0, 9]]
    """
    table = np.array([values.get(name, 0) for name in names], dtype=np.uint8)
    classes: NDArray[np.uint8] = table[items]
    return classes


def outlines(items: NDArray[np.int32], depth: Floats) -> NDArray[np.uint8]:
    """1 where a thing ends: of two neighbours (4-connected) that show different items, the nearer pixel.

    So a line is one pixel wide and belongs to the thing in front, whichever way the picture is mirrored. Where both
    are equally near, both are marked.

    >>> outlines(np.array([[0, 0, 1, 1]]), np.array([[5.0, 5.0, 2.0, 2.0]])).tolist()
    [[0, 0, 1, 0]]
    """
    edge = np.zeros(items.shape, dtype=np.uint8)
    for axis in (0, 1):
        one = tuple(slice(None, -1) if a == axis else slice(None) for a in (0, 1))
        two = tuple(slice(1, None) if a == axis else slice(None) for a in (0, 1))
        differ = items[one] != items[two]
        edge[one] |= differ & (depth[one] <= depth[two])
        edge[two] |= differ & (depth[two] <= depth[one])
    return edge
