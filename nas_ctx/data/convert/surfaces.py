"""Labels that NYUD-v2 does not come with: surface normals from depth, and boundaries from regions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.rooms.labels import outlines

RADIUS = 4
"""Of the window, in pixels, in which a plane is fitted."""
TOLERANCE = 0.05
"""How far the inverse depth of a neighbour on the same surface may differ, as a share."""
LEAST = 27
"""Neighbours that a fit needs: a third of the window, more than lie on one line of it."""
WIDEST_GAP = 10
"""The widest strip without a label between two regions, in pixels, that is taken for their common boundary."""


class Camera(NamedTuple):
    """A pinhole camera, in pixels: focal lengths, and the principal point counted from the first pixel's centre."""

    fx: float
    fy: float
    cx: float
    cy: float


def normals_from_depth(depth: NDArray[np.floating], camera: Camera) -> NDArray[np.float32]:
    """Unit normals (H, W, 3) of a depth map (H, W) in metres; the zero vector where there is too little depth (0).

    In the camera's frame, x to the right, y down, z forwards, towards the camera. The inverse depth of a plane is
    linear in the coordinates of the image, 1 / z = a u + b v + c with u = (x - cx) / fx and v = (y - cy) / fy, and its
    normal is -(a, b, c), scaled: it is fitted by least squares to the neighbours that can lie on the same surface.

    >>> flat = normals_from_depth(np.full((12, 16), 2.0), Camera(20, 20, 7.5, 5.5))
    >>> (flat[6, 8].round(6) + 0.0).tolist()
    [0.0, 0.0, -1.0]
    """
    known = depth > 0
    inverse = np.divide(1, depth, out=np.zeros(depth.shape, np.float32), where=known, casting="same_kind")
    moments, products = _moments(inverse)
    known &= moments[..., 0, 0] >= LEAST
    plane = np.zeros((*depth.shape, 3))  # of 1 / z about the pixel: value, slope to the right, slope downwards
    plane[known] = np.linalg.solve(moments[known], products[known][..., None])[..., 0]
    value, across, down = inverse + plane[..., 0], plane[..., 1] * camera.fx, plane[..., 2] * camera.fy
    y, x = np.ogrid[: depth.shape[0], : depth.shape[1]]
    offset = value - across * (x - camera.cx) / camera.fx - down * (y - camera.cy) / camera.fy
    normals = -np.stack([across, down, offset], axis=2)
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    return np.where(known[..., None], normals / np.where(length > 0, length, 1), 0).astype(np.float32)


def _moments(inverse: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The normal equations of each pixel's plane: (H, W, 3, 3) and (H, W, 3), in the order 1, x, y."""
    height, width = inverse.shape
    padded = np.pad(inverse, RADIUS)
    span = np.arange(-RADIUS, RADIUS + 1)
    moments, products = np.zeros((3, 3, height, width), np.float32), np.zeros((3, height, width), np.float32)
    for y in span:  # a row of the window at a time
        rows = padded[RADIUS + y : RADIUS + y + height]
        near = np.stack([rows[:, RADIUS + x : RADIUS + x + width] for x in span])
        change = near - inverse
        same = ((near > 0) & (np.abs(change) < TOLERANCE * inverse)).astype(np.float32)
        places = np.stack([np.ones_like(span), span, np.full_like(span, y)]).astype(np.float32)
        moments += np.tensordot(places[:, None] * places, same, axes=1)
        products += np.tensordot(places, same * change, axes=1)
    return moments.transpose(2, 3, 0, 1), products.transpose(1, 2, 0)


def boundaries(regions: NDArray[np.integer], depth: NDArray[np.floating]) -> NDArray[np.uint8]:
    """1 where a region (H, W; 0 has no label) ends: of two neighbours in different regions, the nearer pixel.

    Strips without a label of up to 10 pixels, which annotators leave between regions, are first divided between them.

    >>> boundaries(np.array([[1, 1, 0, 2, 2]] * 4), np.array([[2.0, 2, 2, 3, 3]] * 4))[0].tolist()
    [0, 0, 1, 0, 0]
    """
    from scipy import ndimage

    empty = regions == 0
    gaps = empty & ~ndimage.binary_opening(empty, iterations=WIDEST_GAP // 2)
    nearest: Any = ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True)
    return outlines(regions[tuple(nearest)], depth)
