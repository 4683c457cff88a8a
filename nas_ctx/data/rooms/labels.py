"""Labels derived from the item that each pixel shows: semantic classes, outlines and saliency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.rooms.scene import PERSON, UNLABELLED
from nas_ctx.data.rooms.textures import Floats

_NEVER_SALIENT = {"wall", "floor", "ceiling", "rug", "window", "picture", UNLABELLED}


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

    A line is one pixel wide and belongs to the thing in front, also in a mirrored image. Where both pixels are equally
    near, both are marked.

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


def salient_item(items: NDArray[np.int32], names: tuple[str, ...]) -> int:
    """The salient item of ``items`` (H, W): the largest person, else the largest thing near the centre.

    Walls, floor, ceiling and flat things on them are never salient; -1 where nothing else is visible.

    >>> salient_item(np.array([[0, 3], [0, 3]]), ("wall", "floor", "ceiling", "ball"))
    3
    """
    height, width = items.shape
    down = np.linspace(-1, 1, height)[:, None]
    across = np.linspace(-1, 1, width)[None, :]
    weight = np.exp(-(down**2 + across**2)) + 1e-3
    strength = np.bincount(items.ravel(), weights=np.broadcast_to(weight, items.shape).ravel(), minlength=len(names))
    for item, name in enumerate(names):
        if name in _NEVER_SALIENT:
            strength[item] = 0
        elif name == PERSON and strength[item] > 0:
            strength[item] += items.size  # more than anything else can have
    best = int(strength.argmax())
    return best if strength[best] > 0 else -1
