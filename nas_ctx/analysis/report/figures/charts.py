"""Charts with axes: intervals, curves and points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from nas_ctx.analysis.report.figures.canvas import MOST_CELLS, Canvas, fitted, short, ticks, widest
from nas_ctx.analysis.report.palette import CHANCE, MUTED, RULE, line_colour
from nas_ctx.analysis.stats.ratings import Floats


@dataclass(frozen=True)
class Whisker:
    """A value with an interval, nan where there is none; ``chance`` is a tick, ``words`` are written at the right."""

    name: str
    value: float
    low: float
    high: float
    words: str
    chance: float = math.nan
    colour: str = line_colour(0)


def whiskers(
    label: str, rows: Sequence[Whisker], ends: tuple[str, str], *, difference: bool = False, wide: float = 350
) -> Canvas:
    """Values and intervals under each other on one axis; ``ends`` are the words under 0 and 1.

    With ``difference`` the axis is even about 0 and ``ends`` are the words under its two ends.
    """
    known = [v for row in rows for v in (row.value, row.low, row.high) if not math.isnan(v)]
    reach = 1.1 * max([0.1, *map(abs, known)])
    low, high = (-reach, reach) if difference else (min(-0.05, *(value - 0.02 for value in known), -0.05), 1.02)
    side, words = widest([row.name for row in rows], 13) + 16, widest([row.words for row in rows])
    pitch, top = 34, 20
    bottom = top + pitch * len(rows)
    canvas = Canvas(side + wide + 18 + words + 2, bottom + 40, label)

    def at(value: float) -> float:
        return side + wide * (value - low) / (high - low)

    for tick in ticks((low, high), round(wide / 60)):
        x = at(tick)
        canvas.line((x, x), (top - 6, bottom), RULE if tick else MUTED, 1 if tick else 1.2)
        canvas.text(x, bottom + 16, short(tick), size=11, anchor="center", colour=MUTED)
    for i, row in enumerate(rows):
        y = top + pitch * (i + 0.5)
        canvas.text(side - 14, y + 4, row.name, size=13, anchor="right")
        canvas.text(side + wide + 18, y + 4, row.words, colour=MUTED)
        canvas.line((at(row.low), at(row.high)), (y, y), row.colour, 7, f"{row.name} {row.words}", opacity=0.45)
        if not math.isnan(row.chance):
            x = at(row.chance)
            canvas.line((x, x), (y - 10, y + 10), CHANCE, 2, f"chance {row.chance:.3f}")
            canvas.text(x, y - 12, "" if i else "chance", size=10, anchor="center", colour=CHANCE)
        canvas.dot(at(row.value), y, row.colour, f"{row.name} {row.value:.4f}")
    places = (at(low) + 60, at(high) - 60) if difference else (at(0), at(1))
    for x, end in zip(places, ends, strict=True):
        canvas.text(x, bottom + 33, end, size=10.5, anchor="center", colour=MUTED)
    return canvas


@dataclass(frozen=True)
class Curve:
    """Values ``y`` at ``x`` as a line, ``dashed`` or solid, with points or not; ``name`` is written at the right."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    points: bool = False
    dashed: bool = False


def curves(
    label: str, drawn: Sequence[Curve], names: tuple[str, str], *, width: float, percent: bool = False
) -> Canvas:
    """Curves over the axes called ``names``, shares with ``percent``; up to 15 are named, uppermost first."""
    values = [value for curve in drawn for value in curve.y if not math.isnan(value)] or [0.0]
    across = [x for curve in drawn for x in curve.x] or [0.0]
    xlim = (min(across), max(across) + (max(across) == min(across)))
    ylim = (0.0, 1.0) if percent else (min(0.0, *values, 0.0), max(values) * 1.05 or 1.0)
    room = min(150.0, widest([curve.name for curve in drawn], 11.5) + 14)
    canvas = Canvas(width, 280, label)
    axes = canvas.plot((56, 30, width - 58 - room, 206), names, xlim, ylim, percent=percent)
    for curve in drawn:
        style: dict[str, Any] = {"linestyle": (0, (4, 3)), "linewidth": 1.5} if curve.dashed else {"linewidth": 2}
        canvas.add(Line2D(curve.x, curve.y, color=curve.colour, **style), axes=axes)
        for x, y in zip(curve.x, curve.y, strict=True) if curve.points else ():
            canvas.dot(x, y, curve.colour, f"{x:g}: {100 * y:.1f} %" if percent else f"{x:g}: {y:.3g}", axes)
    named = sorted((curve for curve in drawn if curve.name), key=lambda curve: -curve.y[-1])
    for i, curve in enumerate(named if len(named) <= 15 else []):
        name = fitted(curve.name, room - 8, 11.5)
        canvas.text(width - room + 6, 40 + 14 * i, name, size=11.5, colour=curve.colour, tip=curve.name)
    return canvas


def points(
    label: str, rows: Sequence[tuple[str, float, float]], names: tuple[str, str], below: Sequence[float] = ()
) -> Canvas:
    """Named points (name, x, y) over the axes called ``names``; ``below`` are values of y alone, ticks at the left."""
    canvas = Canvas(560, 284, label)
    xlim, ylim = (_padded(values) for values in ([x for _, x, _ in rows], [*(y for *_, y in rows), *below]))
    axes = canvas.plot((64, 30, 400, 210), names, xlim, ylim)
    for value in below:
        tick = Line2D((0, 0.035), (value, value), color=CHANCE, linewidth=2, transform=axes.get_yaxis_transform())
        canvas.add(tick, f"random {value:g}", axes)
    if len(rows) > MOST_CELLS:  # one shape for all
        known = np.array([(x, y) for _, x, y in rows])
        canvas.add(Line2D(*known.T, color=line_colour(0), linestyle="none", marker="."), f"{len(rows)} runs", axes)
        return canvas
    for i, (name, x, y) in enumerate(rows):
        canvas.dot(x, y, line_colour(0), f"{name}: {x:.3f}, {y:g}", axes)
        if len(rows) <= 12:
            left, top = canvas.axes.transData.inverted().transform(axes.transData.transform((x, y)))
            canvas.text(left + 8, top + (4 if i % 2 else -4), fitted(name, 542 - left, 11), size=11, colour=MUTED)
    return canvas


def _padded(values: Sequence[float]) -> tuple[float, float]:
    """The range of ``values`` with an eighth of it on both sides."""
    pad = 0.12 * (max(values) - min(values)) or 0.05
    return min(values) - pad, max(values) + pad


def stacked(
    canvas: Canvas, box: tuple[float, float, float, float], xs: Floats, shares: Floats, fills: Sequence[str]
) -> None:
    """Shares (n_xs, n_choices), which sum to one, stacked as areas in a box (left, top, width, height)."""
    left, top, wide, high = box
    across = left + wide * (xs - xs[0]) / ((xs[-1] - xs[0]) or 1)
    edges = top + high * (1 - np.minimum(np.cumsum(shares, axis=1), 1.0))
    lower = np.full(len(xs), top + high)
    for fill, upper in zip(fills, edges.T, strict=True):
        if np.ptp(lower - upper) > 1e-3 or lower[0] - upper[0] > 1e-3:
            outline = np.column_stack([np.concatenate([across, across[::-1]]), np.concatenate([upper, lower[::-1]])])
            canvas.polygon(outline, fill)
        lower = upper
