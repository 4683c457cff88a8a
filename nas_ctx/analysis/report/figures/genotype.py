"""One genotype as a picture: a grid of targets and sources, or a list of blocks."""

from __future__ import annotations

from nas_ctx.analysis.grid import grid_of
from nas_ctx.analysis.report.figures.canvas import Canvas, settings, widest, width_of
from nas_ctx.analysis.report.figures.cells import Cell, draw_cell, draw_grid, side_of
from nas_ctx.analysis.report.genotype_words import GenotypeWords
from nas_ctx.analysis.report.palette import MUTED


def genotype_figure(words: GenotypeWords, title: str) -> Canvas:
    """The drawing, with ``title`` above it."""
    grid, blocks = grid_of(list(words.texts)), list(words.texts)
    wide, summary = max(100.0, widest(list(words.fills), 13, bold=True) + 20), words.summary
    side = widest(blocks, 12.5) + 16 if grid is None else side_of(grid)
    rows, columns, high, top = (len(blocks), 1, 26.0, 30.0) if grid is None else (*grid.shape, 52.0, 70.0)
    if words.notes and grid is not None:
        summary = f"below each choice: its final probability; {summary}"
    cells = {}
    for block, text in words.texts.items():
        note = words.notes.get(block, "")
        lines = [text, note] if note and grid is not None else [text]
        cells[block] = Cell(lines, [words.fills[text]], f"{block}: {text} {note}".rstrip())
    with settings():
        width = max(side + wide * columns, width_of(title, 13, bold=True), width_of(summary, 11.5)) + 8
        canvas = Canvas(width, top + high * rows + 34, title)
        canvas.text(2, 16, title, size=13, bold=True)
        canvas.text(2, canvas.height - 10, summary, size=11.5, colour=MUTED)
        if grid is not None:
            draw_grid(canvas, grid, cells, (side, top, wide, high), 13)
        for row, block in enumerate(blocks if grid is None else []):
            canvas.text(side - 12, top + row * high + 18, block, size=12.5, anchor="right")
            draw_cell(canvas, cells[block], (side, top + row * high + 1, wide, high - 2), 13)
    return canvas
