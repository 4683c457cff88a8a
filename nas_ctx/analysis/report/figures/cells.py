"""Cells with words in them, and the grid of targets and sources that they form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas_ctx.analysis.grid import Grid
from nas_ctx.analysis.report.figures.canvas import Canvas, fitted, widest, width_of
from nas_ctx.analysis.report.palette import EDGE, MUTED, RULE, ink_on

Box = tuple[float, float, float, float]
"""Left, top, width, height."""
HEAD = "gathers context from source"
_STRIPE = 9.0


@dataclass(frozen=True)
class Cell:
    """One or two lines of words on one colour, or on a label above upright stripes of several; ``tip`` says more."""

    lines: Sequence[str]
    fills: Sequence[str]
    tip: str


def side_of(grid: Grid) -> float:
    """How much room the names of the targets take."""
    return min(170.0, widest([*grid.targets, "target"], 13, bold=True) + 24)


def draw_grid(canvas: Canvas, grid: Grid, cells: Mapping[str, Cell], box: Box, size: float) -> None:
    """Draw ``cells``, by block, in a grid whose first cell is ``box``, with the names of the tasks around it."""
    left, top, wide, high = box
    canvas.text(left, top - 32, HEAD, size=11.5, colour=MUTED)
    canvas.text(left - 12, top - 8, "target", size=11.5, anchor="right", colour=MUTED)
    for column, source in enumerate(grid.sources):
        name = fitted(source, wide - 6, 13, bold=True)
        canvas.text(left + (column + 0.5) * wide, top - 8, name, size=13, anchor="center", bold=True, tip=source)
    for row, target in enumerate(grid.targets):
        name, y = fitted(target, left - 14, 13, bold=True), top + row * high
        canvas.text(left - 12, y + high / 2 + 5, name, size=13, anchor="right", bold=True, tip=target)
        for column, source in enumerate(grid.sources):
            place = (left + column * wide + 1, y + 1, wide - 2, high - 2)
            if f"{target}/{source}" in cells:
                draw_cell(canvas, cells[f"{target}/{source}"], place, size)
            else:
                canvas.box(*place, "none", edge=RULE, dashed=True, tip="no such block")


def draw_cell(canvas: Canvas, cell: Cell, box: Box, size: float) -> None:
    """Draw one cell, its first line bold and of the given ``size``, its second two points smaller."""
    x, y, wide, high = box
    middle, centre = x + wide / 2, y + high / 2
    sizes = [size, size - 2][: len(cell.lines)]
    lines = [fitted(words, wide - 14, s, bold=s == size) for words, s in zip(cell.lines, sizes, strict=True)]
    if len(cell.fills) == 1:
        canvas.box(*box, cell.fills[0], edge=EDGE, tip=cell.tip)
    else:
        number = max(len(cell.fills), round(wide / _STRIPE))
        for i in range(number):
            fill = cell.fills[i % len(cell.fills)]
            canvas.box(x + i * wide / number, y, wide / number, high, fill, tip=cell.tip)
        half = max(width_of(words, s, bold=s == size) for words, s in zip(lines, sizes, strict=True)) / 2 + 5
        canvas.box(middle - half, centre - size - 4, 2 * half, 2 * size + 9, "#ffffff", tip=cell.tip)
    ink = ink_on(cell.fills[0]) if len(cell.fills) == 1 else "#000000"
    base = centre - 2 if len(lines) == 2 else centre + 5
    for words, s, down in zip(lines, sizes, (0, size + 2), strict=False):
        canvas.text(middle, base + down, words, size=s, anchor="center", colour=ink, bold=s == size)
