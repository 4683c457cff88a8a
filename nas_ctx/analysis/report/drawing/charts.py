"""Charts with axes: intervals, curves, bars and points, as scenes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nas_ctx.analysis.report.drawing.scene import (
    INK,
    MUTED,
    PAPER,
    RULE,
    Circle,
    Line,
    Point,
    Polygon,
    Rect,
    Scene,
    Text,
)
from nas_ctx.analysis.report.palette import line_colour, mixed


@dataclass(frozen=True)
class Frame:
    """A plot area in a scene and the ranges of its axes; ``at(x, y)`` is where a value lies."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> Point:
        across = (x - self.x[0]) / (self.x[1] - self.x[0] or 1)
        up = (y - self.y[0]) / (self.y[1] - self.y[0] or 1)
        return self.left + across * self.width, self.top + (1 - up) * self.height

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def right(self) -> float:
        return self.left + self.width


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most about ``most``.

    >>> nice_ticks(0, 1), nice_ticks(2, 23)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [5.0, 10.0, 15.0, 20.0])
    """
    span = high - low
    if not span > 0:
        return [low]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis: "0.2", "40k".

    >>> short(0.2), short(40000), short(-3.0)
    ('0.2', '40k', '−3')
    """
    text = f"{value / 1000:g}k" if abs(value) >= 10_000 and value % 100 == 0 else f"{value:g}"
    return text.replace("-", "−")


def axes(scene: Scene, frame: Frame, x_name: str, y_name: str, *, percent: bool = False, whole_x: bool = False) -> None:
    """Light horizontal rules, ticks and names."""
    for tick in nice_ticks(*frame.y, most=5):
        _, y = frame.at(frame.x[0], tick)
        label = f"{100 * tick:g} %" if percent else short(tick)
        scene.add(
            Line([(frame.left, y), (frame.right, y)], stroke=RULE),
            Text(frame.left - 7, y + 4, label, size=11, anchor="end", fill=MUTED),
        )
    for tick in nice_ticks(*frame.x, most=8):
        if whole_x and tick % 1:
            continue
        x, _ = frame.at(tick, frame.y[0])
        scene.add(
            Line([(x, frame.bottom), (x, frame.bottom + 4)], stroke=MUTED),
            Text(x, frame.bottom + 17, short(tick), size=11, anchor="middle", fill=MUTED),
        )
    scene.add(
        Line([(frame.left, frame.bottom), (frame.right, frame.bottom)], stroke=MUTED),
        Text(frame.right, frame.bottom + 34, x_name, size=11.5, anchor="end", fill=MUTED),
        Text(frame.left - 44, frame.top - 12, y_name, size=11.5, fill=MUTED),
    )


@dataclass(frozen=True)
class Curve:
    """Points joined by a line, solid or ``dashed``, the points ``marked`` or not; ``name`` stands at its end."""

    name: str
    points: Sequence[Point]
    colour: str
    marked: bool = False
    dashed: bool = False
    thickness: float = 2.0


def curves(
    label: str,
    drawn: Sequence[Curve],
    x_name: str,
    y_name: str,
    *,
    y: tuple[float, float] | None = None,
    percent: bool = False,
    whole_x: bool = False,
    width: float = 520,
    height: float = 280,
    name_width: float = 120,
) -> Scene:
    """Curves over one axis, named at their ends where ``name_width`` leaves room."""
    points = [point for curve in drawn for point in curve.points if not math.isnan(point[1])]
    xs, ys = [p[0] for p in points] or [0.0], [p[1] for p in points] or [0.0]
    low, high = y or (min(0.0, *ys, 0.0), max(ys) * 1.05 or 1.0)
    frame = Frame(56, 30, width - 56 - name_width, height - 74, (min(xs), max(xs)), (low, high))
    scene = Scene(width, height, label)
    axes(scene, frame, x_name, y_name, percent=percent, whole_x=whole_x)
    ends: list[tuple[float, Curve]] = []
    for curve in drawn:
        seen = [(x, v) for x, v in curve.points if not math.isnan(v)]
        if not seen:
            continue
        thickness = 1.5 if curve.dashed else curve.thickness
        scene.add(Line([frame.at(*p) for p in seen], stroke=curve.colour, thickness=thickness, dashed=curve.dashed))
        if curve.marked:
            for at, value in seen:
                said = f"{at:g}: {100 * value:.1f} %" if percent else f"{at:g}: {value:.3g}"
                scene.add(Circle(*frame.at(at, value), 3.8, curve.colour, PAPER, 1.2, said))
        ends.append((frame.at(*seen[-1])[1], curve))
    _name_ends(scene, frame, ends)
    return scene


def _name_ends(scene: Scene, frame: Frame, ends: list[tuple[float, Curve]], gap: float = 14) -> None:
    """Names at the right, pushed apart where curves end close together; a pack too large to name stays nameless."""
    named = sorted(((y, c) for y, c in ends if c.name), key=lambda end: end[0])
    if len(named) * gap > frame.height + 20:
        return
    y = -math.inf
    placed: list[tuple[float, Curve]] = []
    for end, curve in named:
        y = max(end, y + gap)
        placed.append((y, curve))
    overflow = max(0.0, (placed[-1][0] if placed else 0) - frame.bottom)
    for place, curve in placed:
        scene.add(
            Text(frame.right + 8, place - overflow + 4, curve.name, size=11.5, fill=mixed(curve.colour, 0.85, INK))
        )


@dataclass(frozen=True)
class Whisker:
    """A value with an interval; ``chance`` is a tick, ``said`` stands at the right."""

    name: str
    value: float
    low: float
    high: float
    said: str
    chance: float = math.nan
    colour: str = "#0060a8"


def whiskers(
    label: str,
    rows: Sequence[Whisker],
    *,
    ends: tuple[str, str] = ("kappa: chance", "full agreement"),
    both: bool = False,
    width: float = 650,
    name_width: float = 158,
) -> Scene:
    """Values and intervals under each other on one axis that shows 0 and 1; with ``both`` it is even about 0.

    ``ends`` are the words under 0 and 1, or with ``both`` under the two ends of the axis.
    """
    known = [v for row in rows for v in (row.value, row.low, row.high) if not math.isnan(v)]
    if both:
        reach = max([0.1, *map(abs, known)]) * 1.1
        shown = (-reach, reach)
    else:
        shown = (min(-0.05, *(value - 0.02 for value in known), -0.05), 1.02)
    frame = Frame(name_width, 18, width - name_width - 150, 34.0 * len(rows), shown, (0, 1))
    scene = Scene(width, frame.height + 58, label)
    for tick in nice_ticks(*frame.x, most=7):
        x, _ = frame.at(tick, 0)
        zero = tick == 0
        scene.add(
            Line([(x, frame.top - 6), (x, frame.bottom)], stroke=MUTED if zero else RULE, thickness=1.2 if zero else 1),
            Text(x, frame.bottom + 16, short(tick), size=11, anchor="middle", fill=MUTED),
        )
    for i, row in enumerate(rows):
        y = frame.top + 34 * (i + 0.5)
        scene.add(Text(name_width - 14, y + 4, row.name, size=13, anchor="end"))
        scene.add(Text(width - 138, y + 4, row.said, size=12, fill=MUTED))
        if not math.isnan(row.low):
            a, b = frame.at(row.low, 0)[0], frame.at(row.high, 0)[0]
            scene.add(
                Line([(a, y), (b, y)], stroke=mixed(row.colour, 0.55), thickness=7, title=row.said),
            )
        if not math.isnan(row.chance):
            x, _ = frame.at(row.chance, 0)
            scene.add(
                Line([(x, y - 10), (x, y + 10)], stroke="#b3261e", thickness=2, title=f"chance {row.chance:.3f}"),
                Text(x, y - 12, "chance", size=10, anchor="middle", fill="#b3261e"),
            )
        if not math.isnan(row.value):
            x, _ = frame.at(row.value, 0)
            scene.add(Circle(x, y, 5.5, row.colour, PAPER, 1.5, f"{row.name} {row.value:.4f}"))
    places = (frame.left + 50, frame.right - 50) if both else (frame.at(0, 0)[0], frame.at(1, 0)[0])
    for x, words in zip(places, ends, strict=True):
        scene.add(Text(x, frame.bottom + 32, words, size=10.5, anchor="middle", fill=MUTED))
    return scene


def bars(label: str, rows: Sequence[tuple[str, float, float]], *, colour: str, width: float = 400) -> Scene:
    """Rows (name, share, chance share) as horizontal bars with a tick where chance lies."""
    pitch = 28.0
    scene = Scene(width, pitch * len(rows) + 30, label)
    left, room = 120.0, width - 120 - 60
    for i, (name, share, chance) in enumerate(rows):
        y = pitch * i + 4
        scene.add(Text(left - 10, y + 14, clipped(name, 17), size=12.5, anchor="end", title=name))
        scene.add(Rect(left, y, room, 19, fill="#eef1f4"))
        if not math.isnan(share):
            scene.add(Rect(left, y, room * share, 19, fill=colour, title=f"{name}: {100 * share:.1f} %"))
            scene.add(Text(left + room + 8, y + 14, f"{100 * share:.0f} %", size=12.5))
        if not math.isnan(chance):
            x = left + room * chance
            scene.add(
                Line([(x, y - 3), (x, y + 22)], stroke="#b3261e", thickness=2, title=f"chance {100 * chance:.1f} %")
            )
    scene.add(
        Line([(left, scene.height - 13), (left, scene.height - 3)], stroke="#b3261e", thickness=2),
        Text(left + 7, scene.height - 4, "what chance would give", size=11, fill=MUTED),
    )
    return scene


def points(
    label: str, rows: Sequence[tuple[str, float, float]], x_name: str, y_name: str, *, below: Sequence[float] = ()
) -> Scene:
    """Named points (name, x, y), x a share; ``below`` are values of y without x, drawn as ticks along the left."""
    xs, ys = [x for _, x, _ in rows], [y for *_, y in rows] + list(below)
    pad_x, pad_y = (max(xs) - min(xs)) * 0.12 or 0.05, (max(ys) - min(ys)) * 0.12 or 0.05
    frame = Frame(64, 30, 390, 210, (min(xs) - pad_x, max(xs) + pad_x), (min(ys) - pad_y, max(ys) + pad_y))
    scene = Scene(520, 286, label)
    axes(scene, frame, x_name, y_name)
    for value in below:
        _, y = frame.at(frame.x[0], value)
        scene.add(
            Line([(frame.left, y), (frame.left + 14, y)], stroke="#b3261e", thickness=2, title=f"random {value:g}")
        )
    for i, (name, x, y) in enumerate(rows):
        at = frame.at(x, y)
        scene.add(Circle(*at, 5, line_colour(0), PAPER, 1.2, f"{name}: {x:.3f}, {y:g}"))
        if len(rows) <= 12:
            scene.add(Text(at[0] + 8, at[1] + (4 if i % 2 else -4), clipped(name, 14), size=11, fill=MUTED))
    return scene


def areas(
    scene: Scene, frame: Frame, xs: Sequence[float], shares: Sequence[Sequence[float]], fills: Sequence[str]
) -> None:
    """Stacked shares (n_xs, n_choices), which sum to one, as areas in a frame of height 0..1."""
    below = [0.0] * len(xs)
    for choice, fill in enumerate(fills):
        above = [b + row[choice] for b, row in zip(below, shares, strict=True)]
        upper = [frame.at(x, min(v, 1.0)) for x, v in zip(xs, above, strict=True)]
        lower = [frame.at(x, min(v, 1.0)) for x, v in zip(xs, below, strict=True)]
        if max(a - b for a, b in zip(above, below, strict=True)) > 1e-4:
            scene.add(Polygon([*upper, *reversed(lower)], fill))
        below = above


def clipped(text: str, most: int) -> str:
    """``text``, cut to ``most`` characters with an ellipsis.

    >>> clipped("human_parts", 8), clipped("edge", 8)
    ('human_p…', 'edge')
    """
    return text if len(text) <= most else text[: most - 1] + "…"
