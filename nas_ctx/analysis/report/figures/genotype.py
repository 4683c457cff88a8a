"""One genotype as a picture: a grid of targets and sources, or a list of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nas_ctx.analysis.grid import Grid, grid_of
from nas_ctx.analysis.report.figures.canvas import Canvas, fitted, settings, widest, width_of
from nas_ctx.analysis.report.figures.votes import draw_heads
from nas_ctx.analysis.report.palette import EDGE, MUTED, RULE, ink_on


@dataclass(frozen=True)
class GenotypeWords:
    """What to draw of a genotype: the words of each block's choice, a note on it, a colour for each choice, and a line
    about all of them."""

    texts: Mapping[str, str]
    notes: Mapping[str, str]
    fills: Mapping[str, str]
    summary: str


def genotype_figure(words: GenotypeWords, title: str) -> Canvas:
    """The drawing, with ``title`` above it."""
    grid = grid_of(list(words.texts))
    with settings():
        return _list(words, title) if grid is None else _grid(words, grid, title)


def _grid(words: GenotypeWords, grid: Grid, title: str) -> Canvas:
    wide, high, top = max(104.0, min(150.0, widest(list(words.fills), 13, bold=True) + 14)), 52.0, 66.0
    side = widest(["target", *grid.targets], 13, bold=True) + 24
    summary = ("below each choice: its final probability; " if words.notes else "") + words.summary
    width = max(side + wide * len(grid.sources), width_of(title, 13, bold=True), width_of(summary, 11.5)) + 8
    canvas = Canvas(width, top + high * len(grid.targets) + 36, title)
    canvas.text(2, 16, title, size=13, bold=True)
    canvas.text(side, 38, "gathers context from source", size=11.5, colour=MUTED)
    canvas.text(side - 12, top - 8, "target", size=11.5, anchor="right", colour=MUTED)
    draw_heads(canvas, grid, (side, top), (wide, high))
    for row, target in enumerate(grid.targets):
        for column, source in enumerate(grid.sources):
            box = (side + column * wide + 1, top + row * high + 1, wide - 2, high - 2)
            if f"{target}/{source}" in words.texts:
                _cell(canvas, box, words, f"{target}/{source}")
            else:
                canvas.box(*box, "none", edge=RULE, dashed=True, tip="no such block")
    canvas.text(2, canvas.height - 10, summary, size=11.5, colour=MUTED)
    return canvas


def _list(words: GenotypeWords, title: str) -> Canvas:
    high, side, wide = 26.0, widest(list(words.texts), 12.5) + 16, widest(list(words.fills), 13, bold=True) + 28
    width = max(side + wide, width_of(title, 13, bold=True), width_of(words.summary, 11.5)) + 8
    canvas = Canvas(width, 30 + high * len(words.texts) + 30, title)
    canvas.text(2, 16, title, size=13, bold=True)
    for row, block in enumerate(words.texts):
        y = 30 + row * high
        canvas.text(side - 12, y + 18, block, size=12.5, anchor="right")
        _cell(canvas, (side, y + 1, wide, high - 2), words, block)
    canvas.text(2, canvas.height - 8, words.summary, size=11.5, colour=MUTED)
    return canvas


def _cell(canvas: Canvas, box: tuple[float, float, float, float], words: GenotypeWords, block: str) -> None:
    x, y, wide, high = box
    text, note = words.texts[block], words.notes.get(block, "")
    fill = words.fills[text]
    canvas.box(x, y, wide, high, fill, edge=EDGE, tip=f"{block}: {text} {note}".rstrip())
    lines = [text, note] if note and high > 30 else [text]
    first = y + high / 2 + (5 if len(lines) == 1 else -2)
    for i, line in enumerate(lines):
        size, bold = 13 - 2 * i, i == 0
        line = fitted(line, wide - 8, size, bold=bold)
        canvas.text(x + wide / 2, first + 15 * i, line, size=size, anchor="center", colour=ink_on(fill), bold=bold)
