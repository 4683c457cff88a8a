"""Charts with axes: intervals, curves, bars and points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.lines import Line2D

from nas_ctx.analysis.report.figures.canvas import Canvas, fitted, short, ticks, widest
from nas_ctx.analysis.report.figures.palette import CHANCE, MUTED, RULE, TRACK, line_colour
from nas_ctx.analysis.stats.ratings import Floats


@dataclass(frozen=True)
class Whisker:
    """A value with an interval, nan where there is none; ``chance`` is a tick, ``words`` stand at the right."""

    name: str
    value: float
    low: float
    high: float
    words: str
    chance: float = math.nan
    colour: str = line_colour(0)


def whiskers(label: str, rows: Sequence[Whisker], ends: tuple[str, str], *, difference: bool = False) -> Canvas:
    """Values and intervals under each other on one axis; ``ends`` are the words under 0 and 1.

    With ``difference`` the axis is even about 0 and ``ends`` are the words under its two ends.
    """
    known = [v for row in rows for v in (row.value, row.low, row.high) if not math.isnan(v)]
    reach = 1.1 * max([0.1, *map(abs, known)])
    low, high = (-reach, reach) if difference else (min(-0.05, *(value - 0.02 for value in known), -0.05), 1.02)
    side, words = widest([row.name for row in rows], 13) + 16, widest([row.words for row in rows])
    wide, pitch, top = 350, 34, 20
    bottom = top + pitch * len(rows)
    canvas = Canvas(side + wide + 18 + words + 2, bottom + 40, label)

    def at(value: float) -> float:
        return side + wide * (value - low) / (high - low)

    for tick in ticks((low, high), 6):
        x = at(tick)
        canvas.line((x, x), (top - 6, bottom), RULE if tick else MUTED, 1 if tick else 1.2)
        canvas.text(x, bottom + 16, short(tick), size=11, anchor="center", colour=MUTED)
    for i, row in enumerate(rows):
        y = top + pitch * (i + 0.5)
        canvas.text(side - 14, y + 4, row.name, size=13, anchor="right")
        canvas.text(side + wide + 18, y + 4, row.words, colour=MUTED)
        if not math.isnan(row.low):
            bar = Line2D((at(row.low), at(row.high)), (y, y), color=row.colour, linewidth=7, alpha=0.45)
            bar.set_solid_capstyle("butt")
            canvas.add(bar, f"{row.name} {row.words}")
        if not math.isnan(row.chance):
            x = at(row.chance)
            canvas.line((x, x), (y - 10, y + 10), CHANCE, 2, f"chance {row.chance:.3f}")
            canvas.text(x, y - 12, "chance", size=10, anchor="center", colour=CHANCE)
        if not math.isnan(row.value):
            canvas.dot(at(row.value), y, row.colour, f"{row.name} {row.value:.4f}")
    places = (at(low) + 60, at(high) - 60) if difference else (at(0), at(1))
    for x, end in zip(places, ends, strict=True):
        canvas.text(x, bottom + 33, end, size=10.5, anchor="center", colour=MUTED)
    return canvas


@dataclass(frozen=True)
class Curve:
    """Values ``y`` at ``x`` as a line, ``dashed`` or solid, with points or not; ``name`` stands at its end."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    points: bool = False
    dashed: bool = False
    thickness: float = 2.0


def curves(
    label: str, drawn: Sequence[Curve], names: tuple[str, str], *, width: float, percent: bool = False
) -> Canvas:
    """Curves over the axes called ``names``, each named at its end where there is room; shares with ``percent``."""
    values = [value for curve in drawn for value in curve.y if not math.isnan(value)] or [0.0]
    places = [x for curve in drawn for x in curve.x] or [0.0]
    ylim = (0.0, 1.0) if percent else (min(0.0, *values, 0.0), max(values) * 1.05 or 1.0)
    room, top, high = min(150.0, widest([curve.name for curve in drawn], 11.5) + 14), 30.0, 206.0
    canvas = Canvas(width, top + high + 44, label)
    xlim = (min(places), max(places)) if max(places) > min(places) else (min(places) - 0.5, min(places) + 0.5)
    axes = canvas.plot(56, top, width - 58 - room, high, *names, xlim=xlim, ylim=ylim, percent=percent)
    for curve in drawn:
        line = Line2D(curve.x, curve.y, color=curve.colour, linewidth=curve.thickness)
        if curve.dashed:
            line.set(linestyle=(0, (4, 3)), linewidth=1.5)
        canvas.add(line, axes=axes)
        for x, y in zip(curve.x, curve.y, strict=True) if curve.points else ():
            tip = f"{x:g}: {100 * y:.1f} %" if percent else f"{x:g}: {y:.3g}"
            canvas.dot(x, y, curve.colour, tip, axes)
    _name_ends(canvas, [curve for curve in drawn if curve.name], (top, high), ylim, width - room + 6)
    return canvas


def _name_ends(
    canvas: Canvas, named: Sequence[Curve], box: tuple[float, float], ylim: tuple[float, float], left: float
) -> None:
    """Names at the right, pushed apart where curves end close together; too many to name stay nameless."""
    (top, high), gap = box, 14.0
    if len(named) * gap > high + 20:
        return
    ends = []
    for curve in named:
        seen = [value for value in curve.y if not math.isnan(value)]
        if seen:
            ends.append((top + high * (1 - (seen[-1] - ylim[0]) / (ylim[1] - ylim[0])), curve))
    places: list[float] = []
    for end, _ in sorted(ends, key=lambda end: end[0]):
        places.append(max(end, places[-1] + gap) if places else end)
    overflow = max(0.0, places[-1] - (top + high)) if places else 0.0
    for y, (_, curve) in zip(places, sorted(ends, key=lambda end: end[0]), strict=True):
        name = fitted(curve.name, canvas.width - left - 2, 11.5)
        canvas.text(left, y - overflow + 4, name, size=11.5, colour=curve.colour, tip=curve.name)


def bars(label: str, rows: Sequence[tuple[str, float, float]]) -> Canvas:
    """Rows (name, share, chance share) as horizontal bars with a tick where chance lies."""
    pitch, side, room = 28.0, min(150.0, widest([name for name, *_ in rows], 12.5) + 12), 220.0
    canvas = Canvas(side + room + 56, pitch * len(rows) + 26, label)
    for i, (name, share, chance) in enumerate(rows):
        y = pitch * i + 4
        canvas.text(side - 10, y + 14, fitted(name, side - 12, 12.5), size=12.5, anchor="right", tip=name)
        canvas.box(side, y, room, 19, TRACK)
        if not math.isnan(share):
            canvas.box(side, y, room * share, 19, line_colour(0), tip=f"{name}: {100 * share:.1f} %")
            canvas.text(side + room + 8, y + 14, f"{100 * share:.0f} %", size=12.5)
        if not math.isnan(chance):
            x = side + room * chance
            canvas.line((x, x), (y - 3, y + 22), CHANCE, 2, f"chance {100 * chance:.1f} %")
    canvas.line((side, side), (canvas.height - 15, canvas.height - 4), CHANCE, 2)
    canvas.text(side + 7, canvas.height - 5, "what chance would give", size=11, colour=MUTED)
    return canvas


def points(
    label: str, rows: Sequence[tuple[str, float, float]], names: tuple[str, str], below: Sequence[float] = ()
) -> Canvas:
    """Named points (name, x, y) over the axes called ``names``; ``below`` are values of y alone, ticks at the left."""
    xs, ys = [x for _, x, _ in rows], [y for *_, y in rows] + list(below)
    pad_x, pad_y = 0.12 * (max(xs) - min(xs)) or 0.05, 0.12 * (max(ys) - min(ys)) or 0.05
    xlim, ylim = (min(xs) - pad_x, max(xs) + pad_x), (min(ys) - pad_y, max(ys) + pad_y)
    canvas = Canvas(560, 284, label)
    axes = canvas.plot(64, 30, 400, 210, *names, xlim=xlim, ylim=ylim)
    for value in below:
        tick = Line2D((0, 0.035), (value, value), color=CHANCE, linewidth=2, transform=axes.get_yaxis_transform())
        canvas.add(tick, f"random {value:g}", axes)
    for i, (name, x, y) in enumerate(rows):
        canvas.dot(x, y, line_colour(0), f"{name}: {x:.3f}, {y:g}", axes)
        if len(rows) <= 12:
            left = 64 + 400 * (x - xlim[0]) / (xlim[1] - xlim[0]) + 8
            top = 30 + 210 * (1 - (y - ylim[0]) / (ylim[1] - ylim[0])) + (4 if i % 2 else -4)
            canvas.text(left, top, fitted(name, 550 - left, 11), size=11, colour=MUTED)
    return canvas


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
