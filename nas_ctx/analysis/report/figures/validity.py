"""The figures of the validity report: verdicts on the grid, what exchanges cost, what retraining says."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nas_ctx.analysis.report.figures.canvas import Canvas, distinct, settings, short, widest, width_of
from nas_ctx.analysis.report.figures.cells import Cell, draw_grid, side_of
from nas_ctx.analysis.report.figures.charts import Whisker, points, whiskers
from nas_ctx.analysis.report.palette import EDGE, INK, MUTED, RULE, TRACK, colours, line_colour
from nas_ctx.analysis.validity.record import Validity
from nas_ctx.analysis.validity.verdicts import BlockVerdict, Verdict
from nas_ctx.analysis.wording import number

KIND_COLOURS = {
    Verdict.RELIABLE_MATTERS: "#1d5f58",
    Verdict.RELIABLE_IDLE: "#b5d6d0",
    Verdict.UNRELIABLE_MATTERS: "#e58a2e",
    Verdict.FLAT: "#ece4d4",
    Verdict.CANNOT_TELL: "#ffffff",
}
"""No colour of a choice; dark and light are told apart in grey, and only what asks for attention is warm."""
_SHORT = {Verdict.RELIABLE_MATTERS: "matters", Verdict.RELIABLE_IDLE: "does not matter"}
_NONE = "#8a949e"  # its own colour is that of a cell, too pale for a dot
_MOST_DRAWN = 64  # blocks of the figure of exchanges


def validity_figures(record: Validity) -> dict[str, Canvas]:
    """Name -> drawing; those for which nothing was measured are absent."""
    with settings():
        figures = {"exchange": _exchanges(record)}
        if record.reliability.grid is not None:
            figures["verdicts"] = _verdicts(record)
        known = [(block.block, block.probability, block.mean.mean) for block in record.blocks]
        known = [point for point in known if all(map(math.isfinite, point[1:]))]
        if known:
            names = ("mean final probability of the voted candidate", "a random other candidate costs (%)")
            figures["probability"] = points("What a random other costs against the final probability", known, names)
        effects = record.retraining.effects if record.retraining else ()
        rows = [
            Whisker(of.block, of.mean, of.low, of.high, f"{number(of.mean)} %  ({of.voted} against {of.others})")
            for of in effects
        ]
        if rows:
            ends = ("others are better", "the voted one is better")
            figures["retraining"] = whiskers("Effects of the blocks by retraining", rows, ends, difference=True)
        return figures


def _verdicts(record: Validity) -> Canvas:
    """The grid of targets and sources; the colour is the verdict."""
    grid = record.reliability.grid
    assert grid is not None
    side, top, wide, high = side_of(grid), 46.0, 150.0, 62.0
    bottom = top + len(grid.targets) * high
    kinds = [kind for kind, count in record.counts.items() if count]
    width = max(side + len(grid.sources) * wide, side + sum(width_of(kind.value) + 44 for kind in kinds)) + 2
    canvas = Canvas(width, bottom + 40, f"Verdicts on {len(record.blocks)} blocks")
    draw_grid(canvas, grid, {block.block: _cell(block) for block in record.blocks}, (side, top, wide, high), 12.5)
    x = side
    for kind in kinds:
        canvas.box(x, bottom + 16, 14, 14, KIND_COLOURS[kind], edge=EDGE)
        canvas.text(x + 20, bottom + 27.5, kind.value)
        x += width_of(kind.value) + 44
    return canvas


def _cell(block: BlockVerdict) -> Cell:
    tip = f"{block.block} – {block.voted}: {block.votes} of {block.runs} votes; {block.verdict.value}"
    words = f"{block.better} is better" if block.better else _SHORT.get(block.verdict, block.verdict.value)
    striped = [KIND_COLOURS[Verdict.UNRELIABLE_MATTERS]] if block.better else []
    fills = list(dict.fromkeys([KIND_COLOURS[block.verdict], *striped]))
    return Cell((f"{block.voted}  {block.votes}/{block.runs}", words), fills, tip)


def _exchanges(record: Validity) -> Canvas:
    """A row per exchange, block by block, on an axis that is linear within what is negligible, logarithmic beyond."""
    blocks = list(record.blocks[:_MOST_DRAWN])
    unit = record.settings["negligible"] or 1.0
    columns = 2 if len(blocks) > 4 else 1
    each = -(-len(blocks) // columns)
    pitch, gap, plot = 15.0, 13.0, 236.0
    others = list(dict.fromkeys(name for block in blocks for name in block.effects))
    names = dict(zip([b.block for b in blocks], distinct([b.block for b in blocks], 150, 12, bold=True), strict=True))
    side = widest([*names.values(), *(f"voted: {b.voted}" for b in blocks)], 12, bold=True) + 12
    labels, figures = widest(others, 11) + 12, 66.0
    column = side + labels + plot + figures
    heights = [pitch * max(len(block.effects), 2) + gap for block in blocks]
    parts = [range(first, min(first + each, len(blocks))) for first in range(0, len(blocks), each)]
    tall = max(sum(heights[i] for i in part) for part in parts)
    canvas = Canvas(columns * (column + 26) - 26, 26 + tall + 44, "What the exchange of each block's candidate costs")
    reach = max([unit * 3, *(abs(e.mean) * 1.6 for b in blocks for e in b.effects.values() if math.isfinite(e.mean))])
    scale = _Scale(unit, reach, plot)
    fills = dict(zip(record.reliability.table.texts, colours(record.reliability.table.texts), strict=True))
    fills |= {name: colour for name, colour in zip(others, colours(others), strict=True) if name not in fills}
    fills["none"] = _NONE
    for number_of, part in enumerate(parts):
        left = number_of * (column + 26)
        start = left + side + labels
        bottom = 26 + sum(heights[i] for i in part) - gap + 6
        _axis(canvas, scale, start, bottom)
        y = 26.0
        for i in part:
            canvas.text(left, y + 11, names[blocks[i].block], bold=True, tip=blocks[i].block)
            canvas.text(left, y + 27, f"voted: {blocks[i].voted}", size=11, colour=MUTED)
            _block(canvas, blocks[i], (start, y, plot, pitch), scale, fills)
            y += heights[i]
    return canvas


class _Scale:
    """From percent to a place on an axis of ``width``: asinh, with ``unit`` as the end of its linear part."""

    def __init__(self, unit: float, reach: float, width: float) -> None:
        self.unit, self.reach, self.width = unit, reach, width
        self.most = math.asinh(reach / unit)

    def at(self, value: float) -> float:
        share = math.asinh(min(max(value, -self.reach), self.reach) / self.unit) / self.most
        return self.width * (0.5 + 0.5 * share)

    def ticks(self) -> Iterator[float]:
        yield 0.0
        power = 1.0
        while self.unit * power <= self.reach:
            yield from (self.unit * power, -self.unit * power)
            power *= 10.0


def _axis(canvas: Canvas, scale: _Scale, start: float, bottom: float) -> None:
    """The ticks, and a band for what is negligible."""
    left, right = scale.at(-scale.unit), scale.at(scale.unit)
    canvas.box(start + left, 20, right - left, bottom - 20, TRACK)
    for tick in scale.ticks():
        x = start + scale.at(tick)
        canvas.line((x, x), (20, bottom), RULE if tick else MUTED, 1 if tick else 1.2)
        canvas.text(x, bottom + 15, short(tick), size=10.5, anchor="center", colour=MUTED)
    canvas.text(start + scale.width / 2, bottom + 31, "change in % of the score, worse to the right", size=10.5,
                anchor="center", colour=MUTED)  # fmt: skip


def _block(
    canvas: Canvas, block: BlockVerdict, box: tuple[float, float, float, float], scale: _Scale, fills: dict[str, str]
) -> None:
    """The exchanges of one block, each with its interval, simultaneous over them."""
    start, y, plot, pitch = box
    for name, of in block.effects.items():
        low, high = of.interval(tests=len(block.effects))
        middle = y + pitch / 2
        words = f"{number(of.mean)} %"
        tip = f"{block.block}: {block.voted} → {name} {words}, {number(low)} to {number(high)}"
        canvas.text(start - 8, middle + 4, name, size=11, anchor="right", colour=INK)
        ends = (start + scale.at(low), start + scale.at(high)) if math.isfinite(low) else (math.nan, math.nan)
        canvas.line(ends, (middle, middle), fills.get(name, line_colour(0)), 4, tip, opacity=0.55)
        canvas.dot(start + scale.at(of.mean), middle, fills.get(name, line_colour(0)), tip)
        canvas.text(start + plot + 8, middle + 4, words, size=11, colour=MUTED)
        y += pitch
