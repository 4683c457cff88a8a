"""Rendering of labels and predictions: arrays in, uint8 (H, W, 3) out."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_ctx.labels import IGNORE

Picture = NDArray[np.uint8]

NEUTRAL = (198, 198, 198)
"""Light grey, for ignored pixels; the palette of classes avoids greys."""

CALM = (70, 82, 104)
"""Slate, of class 0: background or wall, most of a picture."""

DARK, WHITE = np.array([24, 28, 44.0]), np.array([255, 255, 255.0])


@lru_cache(maxsize=8)
def palette(count: int) -> Picture:
    """``count`` colours: :data:`CALM`, then each as far as possible from the previous ones and from grey, in CIELAB.

    uint8 (count, 3); the first colours are the same whatever ``count`` is.

    >>> bool((palette(8) == palette(41)[:8]).all()), len(np.unique(palette(41), axis=0))
    (True, 41)
    """
    from skimage.color import rgb2lab

    levels = np.linspace(0.1, 0.98, 18)
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    lab = rgb2lab(candidates[None])[0]
    # Neither garish, nor grey, nor too dark to tell apart.
    lightness, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    good = (lightness > 30) & (lightness < 90) & (chroma > 18) & (chroma < 72)
    candidates, lab = candidates[good], lab[good]
    # Start from the colour of ignored pixels, which appears beside the classes, and from that of class 0.
    given = rgb2lab(np.array([[NEUTRAL, CALM]]) / 255.0)[0]
    distance = np.linalg.norm(lab[:, None] - given, axis=2).min(1)
    chosen = np.empty(count - 1, np.intp)
    for place in range(count - 1):
        chosen[place] = distance.argmax()
        distance = np.minimum(distance, np.linalg.norm(lab - lab[chosen[place]], axis=1))
    return np.concatenate([np.array([CALM], np.uint8), (candidates[chosen] * 255).round().astype(np.uint8)])


def draw_classes(values: NDArray[Any], classes: int) -> Picture:
    """A class map (H, W) in the colours of :func:`palette`, 255 in light grey."""
    colours = np.full((IGNORE + 1, 3), NEUTRAL, np.uint8)
    colours[:classes] = palette(classes)
    return colours[values.astype(np.uint8)]


def class_picture(values: NDArray[Any], classes: int) -> Image.Image:
    """A class map (H, W) as a picture of mode P: the numbers themselves, shown in the colours of :func:`palette`.

    >>> np.asarray(class_picture(np.array([[0, 3]]), 9)).tolist()
    [[0, 3]]
    """
    picture = Image.fromarray(values.astype(np.uint8))
    picture.putpalette(palette(classes).tobytes())
    return picture


def share_picture(share: NDArray[Any]) -> Image.Image:
    """Probabilities (H, W) as a grey picture of 8 bits: 255 is 1."""
    return Image.fromarray((np.clip(share, 0, 1) * 255).round().astype(np.uint8))


@lru_cache(maxsize=1)
def depth_colours() -> Picture:
    """The 256 colours of matplotlib's reversed magma: near is bright. Perceptually even, and readable in grey."""
    from matplotlib import colormaps

    return (colormaps["magma_r"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def draw_depth(metres: NDArray[Any], nearest: float, farthest: float) -> Picture:
    """Depth (H, W) on a logarithmic scale between fixed ends, so that images are comparable; 255 in light grey."""
    share = np.log(np.clip(metres, nearest, farthest) / nearest) / np.log(farthest / nearest)
    picture = depth_colours()[(share * 255).round().astype(np.intp)]
    return with_neutral(picture, metres == IGNORE)


def draw_normals(vectors: NDArray[Any]) -> Picture:
    """Unit vectors (H, W, 3) as (n + 1) / 2 * 255 in red, green, blue; 255s in light grey."""
    picture = ((np.clip(vectors, -1, 1) + 1) / 2 * 255).round().astype(np.uint8)
    return with_neutral(picture, (vectors == IGNORE).any(axis=-1))


def draw_share(share: NDArray[Any]) -> Picture:
    """Probabilities or {0, 1} (H, W) from dark to white, as in :func:`share_picture`; 255 in light grey."""
    amount = np.clip(share, 0, 1).astype(np.float64)[..., None]
    return with_neutral((DARK + amount * (WHITE - DARK)).round().astype(np.uint8), share == IGNORE)


def with_neutral(picture: Picture, ignored: NDArray[np.bool_]) -> Picture:
    """The image with :data:`NEUTRAL` where ``ignored``."""
    return np.where(ignored[..., None], np.array(NEUTRAL, np.uint8), picture)
