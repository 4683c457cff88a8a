"""Colours that colour-blind readers can tell apart, and that differ in lightness when printed in grey.

The base is the set of Okabe and Ito ("Color universal design", 2008). What a colour means is always also written.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from itertools import count, islice, product
from string import ascii_uppercase

from nas_ctx.analysis.cells import ABSENT
from nas_ctx.context_types import CONTEXT_COLOURS

_OTHERS = ("#004f96", "#f0a500", "#008f6b", "#cf78ab", "#d55e00", "#6cc3f0", "#5b3a8c", "#efe35a", "#4d4d4d")
INK, MUTED, RULE, PAPER, TRACK, CHANCE = "#1c2733", "#5a6673", "#d8dee5", "#fefefe", "#eef1f4", "#b3261e"
_LINES = ("#0060a8", "#d55d00", "#007a5a", "#b0528a", "#8a6d00", "#3b3b3b", "#2f8fc4", "#5b398c")
_DARK_LINES = ("#5cb0f2", "#ff8b3d", "#3cc29a", "#e389bd", "#d0ad35", "#c2c8cf", "#86cdf5", "#b195e8")
THEME: dict[str, tuple[str, str]] = {
    INK: ("ink", "#e6ebf0"),
    MUTED: ("muted", "#a3afba"),
    RULE: ("rule", "#303b46"),
    PAPER: ("paper", "#12171c"),
    TRACK: ("track", "#232c35"),
    CHANCE: ("chance", "#ff8f84"),
    **{light: (f"line-{i}", dark) for i, (light, dark) in enumerate(zip(_LINES, _DARK_LINES, strict=True))},
}
"""Colours that change on a dark page -> their name in the style sheet and what they are there. No choice has one."""
EDGE = "#bcc4cc"  # around cells, so that the palest still show
_WEAKEST = 0.38  # how much of a choice's colour is left at margin 0


def colours(texts: Sequence[str]) -> list[str]:
    """A colour for each choice: the contexts' own where all are contexts, else ten that differ well and then more.

    >>> colours(["none", "s-label"])
    ['#d9dde2', '#cf78ab']
    """
    if set(texts) <= set(CONTEXT_COLOURS):
        return [CONTEXT_COLOURS[text] for text in texts]
    palette: list[str] = []
    for i, text in enumerate(texts):
        if text in ("none", ABSENT):
            palette.append(CONTEXT_COLOURS["none"])
        elif len(palette) < len(_OTHERS):
            palette.append(_OTHERS[len(palette)])
        else:  # spread over the colour circle by the golden angle, lightness alternating
            rgb = colorsys.hls_to_rgb((i * 0.381966) % 1.0, 0.35 + 0.15 * (i % 3), 0.55)
            palette.append("#" + "".join(f"{round(255 * channel):02x}" for channel in rgb))
    return palette


def abbreviations(texts: Sequence[str], most: int = 2) -> dict[str, str]:
    """The shortest beginnings, at most ``most`` letters, that tell the choices apart; else A, B, C ...

    A digit with which a longer name begins would look like a count, so it abbreviates nothing.

    >>> abbreviations(["none", "global", "local"]), abbreviations(["none", "2 x 2"])
    ({'none': 'n', 'global': 'g', 'local': 'l'}, {'none': 'A', '2 x 2': 'B'})
    """
    for length in range(1, most + 1):
        short = [text[:length] for text in texts]
        distinct = all(part[:1].isalpha() or part == text for part, text in zip(short, texts, strict=True))
        if distinct and len(set(short)) == len(short):
            return dict(zip(texts, short, strict=True))
    letters = ("".join(some) for length in count(1) for some in product(ascii_uppercase, repeat=length))
    return dict(zip(texts, islice(letters, len(texts)), strict=True))


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
    """Black or white, whichever has more contrast to ``colour`` (WCAG 2.1, relative luminance).

    >>> ink_on("#0060a8"), ink_on("#f0a500")
    ('#ffffff', '#000000')
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (c / 255 for c in rgb(colour))]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if (luminance + 0.05) ** 2 < 0.05 * 1.05 else "#000000"
