"""A drawing surface in points, on one matplotlib figure: drawn once for the page, SVG, PDF and PNG.

Everything is measured with DejaVu Sans, which comes with matplotlib. The fonts that browsers put in its place are
narrower or equally wide, so nothing is cut off. Labels that come from files are never read as mathematics.
"""

from __future__ import annotations

import itertools
import math
import re
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator

from nas_ctx.analysis.report.palette import INK, MUTED, PAPER, RULE
from nas_ctx.escaping import visible

FONT = "DejaVu Sans"
_PIXELS = RendererAgg(1, 1, 72)
MOST_CELLS = 1600  # of a matrix in which each is a shape of its own
_SEPARATED = re.compile(r"[^./:\s]*$")  # the last part of a name
_UNPRINTABLE = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


@contextmanager
def settings(salt: str = "") -> Iterator[None]:
    """In this context matplotlib has its own defaults, whatever the user's are, and writes text into SVG as
    text; ids come from ``salt`` and what is drawn."""
    with matplotlib.rc_context(), warnings.catch_warnings(), np.errstate(all="ignore"):  # of values near the largest
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a browser has fonts for what DejaVu lacks
        matplotlib.rcdefaults()
        matplotlib.rcParams["svg.fonttype"] = "none"
        matplotlib.rcParams["svg.hashsalt"] = salt
        yield


class Canvas:
    """A figure of ``width`` x ``height`` points with y downwards; ``label`` says in words what it shows.

    ``tips`` are texts that a browser shows while the pointer is over a shape, by the id of the shape.
    """

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width, self.height, self.label = width, height, printable(label)
        self.tips: dict[str, str] = {}
        self.source = ""  # what matplotlib wrote as SVG, once it did
        self._drawn = 0
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self.figure.patch.set_visible(False)
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), autoscale_on=False)
        self.axes.set_axis_off()

    def add(self, artist: Artist, tip: str = "", axes: Axes | None = None) -> None:
        """Put ``artist`` on top of what is there."""
        artist.set_clip_on(False)
        self._drawn += 1
        artist.set_zorder(self._drawn)
        if tip:
            artist.set_gid(f"tip{len(self.tips)}")
            self.tips[f"tip{len(self.tips)}"] = printable(tip)
        (axes or self.axes).add_artist(artist)

    def text(
        self, x: float, y: float, words: str, *, size: float = 12, anchor: str = "left", colour: str = INK,
        bold: bool = False, turned: bool = False, tip: str = "",
    ) -> None:  # fmt: skip
        """``words`` with their baseline at ``y``; ``turned`` reads upwards."""
        self.add(
            Text(
                x, y, printable(words), fontproperties=_font(size, bold), ha=anchor, va="baseline", color=colour,
                rotation=90 if turned else 0, rotation_mode="anchor", parse_math=False,
            ),
            tip,
        )  # fmt: skip

    def texts(self) -> Iterator[Text]:
        """All that is written, the numbers at axes included; ticks that are not drawn are not made for it."""
        for axes in self.figure.axes:
            yield from axes.texts
            if axes.axison:
                yield from (*axes.get_xticklabels(), *axes.get_yticklabels())

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, *, edge: str = "none", dashed: bool = False,
        tip: str = "",
    ) -> None:  # fmt: skip
        """A rectangle."""
        look: dict[str, Any] = {"facecolor": fill, "edgecolor": edge, "linewidth": 0 if edge == "none" else 0.8}
        self.add(Rectangle((x, y), width, height, linestyle=(0, (4, 3)) if dashed else "-", **look), tip)

    def line(
        self, xs: Sequence[float], ys: Sequence[float], colour: str, width: float = 1, tip: str = "", opacity: float = 1
    ) -> None:
        """Points joined by a line; nothing where one is undefined (nan)."""
        if not any(map(math.isnan, (*xs, *ys))):
            style: dict[str, Any] = {"color": colour, "linewidth": width, "alpha": opacity if opacity < 1 else None}
            self.add(Line2D(xs, ys, solid_capstyle="butt", **style), tip)

    def polygon(self, points: npt.ArrayLike, fill: str) -> None:
        """The area within ``points`` (n, 2)."""
        self.add(Polygon(np.asarray(points), closed=True, facecolor=fill, linewidth=0))

    def dot(self, x: float, y: float, colour: str, tip: str, axes: Axes | None = None) -> None:
        """A point at the data coordinates of ``axes``; none where ``x`` or ``y`` is undefined (nan)."""
        if not math.isnan(x) and not math.isnan(y):
            look: dict[str, Any] = {"marker": "o", "markersize": 9, "markeredgecolor": PAPER, "markeredgewidth": 1.2}
            self.add(Line2D([x], [y], color=colour, linestyle="none", **look), tip, axes)

    def picture(self, x: float, y: float, width: float, height: float, pixels: npt.NDArray[np.uint8]) -> None:
        """The colours ``pixels`` (rows, columns, 3), enlarged to the box without smoothing."""
        limits = self.axes.get_xlim(), self.axes.get_ylim()
        image = self.axes.imshow(
            pixels, extent=(x, x + width, y + height, y), interpolation="none", aspect="auto", zorder=0.5
        )
        image.set_clip_on(False)
        self.axes.set(xlim=limits[0], ylim=limits[1])

    def cells(
        self, left: float, top: float, size: tuple[float, float], fills: Sequence[Sequence[str]],
        tip: Callable[[int, int], str],
    ) -> None:  # fmt: skip
        """A matrix of colours, each cell ``size`` (width, height): boxes with tips, or one picture where it is large.

        An empty fill leaves a cell out; ``tip(row, column)`` is the tip of a cell.
        """
        wide, high = size
        rows, columns = len(fills), len(fills[0])
        if rows * columns > MOST_CELLS or min(size) < 7:
            numbers: dict[str, int] = {}  # there are few colours, and a name takes long to look up
            codes = [numbers.setdefault(fill or "#ffffff", len(numbers)) for row in fills for fill in row]
            colours = (255 * to_rgba_array(list(numbers))[:, :3]).round().astype(np.uint8)
            self.picture(left, top, wide * columns, high * rows, colours[codes].reshape(rows, columns, 3))
            return
        for r, row in enumerate(fills):
            for c, fill in enumerate(row):
                if fill:
                    self.box(left + c * wide + 0.5, top + r * high + 0.5, wide - 1, high - 1, fill, tip=tip(r, c))

    def plot(
        self, box: tuple[float, float, float, float], names: tuple[str, str], xlim: tuple[float, float],
        ylim: tuple[float, float], *, percent: bool = False,
    ) -> Axes:  # fmt: skip
        """Axes with light rules and ``names``, their area at (left, top, width, height); y may be in ``percent``."""
        left, top, wide, high = box
        place = (left / self.width, 1 - (top + high) / self.height, wide / self.width, high / self.height)
        axes = self.figure.add_axes(place, xlim=xlim, ylim=ylim, autoscale_on=False, facecolor="none")
        axes.spines[["left", "top", "right"]].set_visible(False)
        axes.spines["bottom"].set_color(MUTED)
        axes.grid(axis="y", color=RULE, linewidth=1, clip_on=False)
        axes.set_axisbelow(True)
        across, up = ticks(xlim, 8, whole=xlim[1] - xlim[0] > 3), ticks(ylim, 5)
        axes.set_xticks(across, [short(value) for value in across])
        axes.set_yticks(up, [f"{100 * value:.4g} %" if percent else short(value) for value in up])
        axes.tick_params(axis="both", color=MUTED, labelcolor=MUTED, labelsize=11, labelfontfamily=FONT)
        axes.tick_params(axis="y", length=0, pad=7)
        self.text(left + wide, top + high + 34, names[0], size=11.5, anchor="right", colour=MUTED)
        self.text(max(2.0, left - 44), top - 12, names[1], size=11.5, colour=MUTED)
        return axes


@lru_cache(maxsize=64)
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")


@lru_cache(maxsize=4096)
def width_of(words: str, size: float = 12, bold: bool = False) -> float:
    """How wide ``words`` are, in points: with letters at whole pixels, as some browsers place them, or without."""
    measured = (printable(words), _font(size, bold))
    return 1.01 * max(
        _PIXELS.get_text_width_height_descent(*measured, ismath=False)[0],
        text_to_path.get_text_width_height_descent(*measured, ismath=False)[0],
    )


def widest(lines: Sequence[str], size: float = 12, bold: bool = False) -> float:
    """The width of the widest of some lines."""
    return max((width_of(words, size, bold) for words in lines), default=0.0)


def fitted(words: str, width: float, size: float = 12, bold: bool = False) -> str:
    """``words`` at most ``width`` wide, with an ellipsis in their middle: names often end in what differs."""
    words = printable(words)
    if width_of(words, size, bold) <= width:
        return words

    def cut(kept: int) -> str:
        return f"{words[: kept - kept // 2].rstrip()}…{words[len(words) - kept // 2 :].lstrip()}"

    too_many = bisect_left(range(1, len(words)), True, key=lambda kept: width_of(cut(kept), size, bold) > width)
    return cut(too_many)


def distinct(names: Sequence[str], width: float, size: float = 12, bold: bool = False) -> list[str]:
    """``names`` in at most ``width``, an ellipsis first for how all of them begin and end, if one is too wide."""
    whole = [printable(name) for name in names]
    if len(whole) > 1 and widest(whole, size, bold) > width:
        start = _beginning(whole)
        end = _beginning([name[len(start) :][::-1] for name in whole])
        whole = [f"{'…' * bool(start)}{name[len(start) : len(name) - len(end)]}{'…' * bool(end)}" for name in whole]
    return [fitted(name, width, size, bold) for name in whole]


def _beginning(names: Sequence[str]) -> str:
    """The parts, up to a separator, with which all of ``names`` begin."""
    first, last = min(names), max(names)  # what these two share all share
    shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return _SEPARATED.sub("", "".join(letter for letter, _ in shared))


def wrapped(words: str, width: float, size: float) -> list[str]:
    """``words`` in lines of at most ``width``."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def printable(words: str) -> str:
    """``words`` in one line, with controls as escapes, and without what XML cannot hold."""
    return _UNPRINTABLE.sub("\ufffd", visible(" ".join(words.split())))


def ticks(limits: tuple[float, float], most: int, *, whole: bool = False) -> list[float]:
    """Round numbers within ``limits``, about ``most``, whole ones only with ``whole``.

    >>> ticks((0, 1), 5), ticks((2, 23), 5, whole=True)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [5.0, 10.0, 15.0, 20.0])
    """
    values = np.asarray(MaxNLocator(most, integer=whole).tick_values(*limits), dtype=np.float64)
    slack = 1e-9 * (limits[1] - limits[0])
    within = values[(values >= limits[0] - slack) & (values <= limits[1] + slack)]
    return [round(value, 12) + 0.0 for value in within.tolist()]


def short(value: float) -> str:
    """A number for an axis.

    >>> short(0.2), short(40000), short(-3.0)
    ('0.2', '40k', '−3')
    """
    text = f"{value / 1000:g}k" if abs(value) >= 10_000 and value % 100 == 0 else f"{value:.6g}"
    return text.replace("-", "−")
