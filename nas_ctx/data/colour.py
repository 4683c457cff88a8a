"""Colour jitter: functions of one image, float32 (H, W, 3) RGB 0..255, that return a new one in the same range."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def brightness(image: Picture, delta: float) -> Picture:
    """Add ``delta`` to all values."""
    return np.clip(image + np.float32(delta), 0, 255)


def contrast(image: Picture, factor: float) -> Picture:
    """Multiply all values by ``factor``."""
    return np.clip(image * np.float32(factor), 0, 255)


def saturation(image: Picture, factor: float) -> Picture:
    """Multiply the saturation of HSV by ``factor``, at most to 1; hue and value stay.

    A colour's distance from its own largest channel is proportional to its saturation, so no conversion is needed.
    """
    high = image.max(2, keepdims=True)
    low = image.min(2, keepdims=True)
    most = high / np.maximum(high - low, np.float32(1e-6))
    return high - (high - image) * np.minimum(np.float32(factor), most)


def hue(image: Picture, degrees: float) -> Picture:
    """Turn the hue of HSV by ``degrees``; saturation and value stay."""
    red, green, blue = np.moveaxis(image, 2, 0)
    high = np.maximum(np.maximum(red, green), blue)
    chroma = high - np.minimum(np.minimum(red, green), blue)
    safe = np.maximum(chroma, np.float32(1e-6))
    sixth = np.where(
        high == red,
        (green - blue) / safe,
        np.where(high == green, (blue - red) / safe + np.float32(2), (red - green) / safe + np.float32(4)),
    )
    sixth += np.float32(degrees / 60)
    out = np.empty_like(image)
    for channel, shift in enumerate((5, 3, 1)):
        k = sixth + np.float32(shift)
        k -= np.float32(6) * np.floor(k * np.float32(1 / 6))
        out[:, :, channel] = high - chroma * np.clip(np.minimum(k, 4 - k), 0, 1)
    return out


def jitter(image: Picture, rng: Generator) -> Picture:
    """Brightness ±32, contrast and saturation 0.5 to 1.5, hue ±36 degrees, each with probability 1/2.

    Contrast comes before or after saturation and hue, with equal chance. (The published code turns the hue by up to 18
    of OpenCV's steps, which are of two degrees.)
    """
    early = rng.random() < 0.5
    chosen = rng.random(4) < 0.5
    delta, gain, strength, turn = rng.uniform([-32, 0.5, 0.5, -36], [32, 1.5, 1.5, 36])
    if chosen[0]:
        image = brightness(image, delta)
    if chosen[1] and early:
        image = contrast(image, gain)
    if chosen[2]:
        image = saturation(image, strength)
    if chosen[3]:
        image = hue(image, turn)
    if chosen[1] and not early:
        image = contrast(image, gain)
    return image
