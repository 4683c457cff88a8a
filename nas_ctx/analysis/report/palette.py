"""Colours that colour-blind readers can tell apart, and that differ in lightness when printed in grey.

The base is the set of Okabe and Ito ("Color universal design", 2008). What a colour means is always also written.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nas_ctx.analysis.stats.ratings import Floats

_CONTEXTS = {
    "none": "#d9dde2",
    "global": "#004f96",
    "local": "#f0a500",
    "t-label": "#008f6b",
    "s-label": "#cf78ab",
}
_OTHERS = ("#004f96", "#f0a500", "#008f6b", "#cf78ab", "#d55e00", "#6cc3f0", "#5b3a8c", "#efe35a", "#4d4d4d")
_LINES = ("#0060a8", "#d55e00", "#007a5a", "#b0528a", "#8a6d00", "#3b3b3b", "#2f8fc4", "#5b3a8c")
_WEAKEST = 0.38  # how much of a choice's colour is left at margin 0


def colours(texts: Sequence[str]) -> list[str]:
    """A colour for each choice: the contexts' own where all are contexts, else ten that differ well and then more.

    >>> colours(["none", "s-label"])
    ['#d9dde2', '#cf78ab']
    """
    if set(texts) <= set(_CONTEXTS):
        return [_CONTEXTS[text] for text in texts]
    made = []
    for i in range(len(texts)):
        if texts[i] == "none":
            made.append(_CONTEXTS["none"])
        elif len(made) < len(_OTHERS):
            made.append(_OTHERS[len(made)])
        else:  # spread over the colour circle by the golden angle, lightness alternating
            rgb = colorsys.hls_to_rgb((i * 0.381966) % 1.0, 0.35 + 0.15 * (i % 3), 0.55)
            made.append("#" + "".join(f"{round(255 * channel):02x}" for channel in rgb))
    return made


def line_colour(index: int) -> str:
    return _LINES[index % len(_LINES)]


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mixed(colour: str, share: float, ground: str = "#ffffff") -> str:
    """``share`` of ``colour``, the rest ``ground``.

    >>> mixed("#000000", 0.5)
    '#808080'
    """
    parts = (round(share * a + (1 - share) * b + 1e-9) for a, b in zip(rgb(colour), rgb(ground), strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def shaded(colour: str, margin: float) -> str:
    """The colour of a choice at a voting ``margin`` of 0 to 1: paler where the vote was less clear."""
    return mixed(colour, _WEAKEST + (1 - _WEAKEST) * margin)


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on ``colour`` (contrast as in WCAG 2).

    >>> ink_on("#0060a8"), ink_on("#f0a500")
    ('#ffffff', '#000000')
    """
    return "#ffffff" if contrast(colour, "#ffffff") > contrast(colour, "#000000") else "#000000"


def contrast(a: str, b: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.1, relative luminance)."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [c / 255 for c in rgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


_RAMP = np.array([[0.0, 247, 249, 251], [0.35, 188, 212, 230], [0.7, 74, 134, 186], [1.0, 8, 48, 107]])


def ramp(values: Floats) -> npt.NDArray[np.uint8]:
    """Shares (...) of 0 to 1 as blues (..., 3) from near white to dark; nan is a mid grey."""
    filled = np.nan_to_num(np.clip(values, 0, 1))
    channels = [np.interp(filled, _RAMP[:, 0], _RAMP[:, c]) for c in (1, 2, 3)]
    made = np.stack(channels, axis=-1).round().astype(np.uint8)
    made[np.isnan(values)] = (225, 225, 225)
    return made


def hex_of(pixel: npt.NDArray[np.uint8]) -> str:
    return "#" + "".join(f"{int(channel):02x}" for channel in pixel)
