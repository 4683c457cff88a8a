"""The runs beside each other: their choices in every block, and how far each two of them agree."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex

from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.figures.canvas import MOST_CELLS, Canvas, distinct, fitted, widest, width_of
from nas_ctx.analysis.report.figures.legend import Legend, palette_of
from nas_ctx.analysis.report.palette import MUTED, abbreviations, ink_on
from nas_ctx.analysis.stats.ratings import Floats
from nas_ctx.analysis.wording import number

_BLUES = LinearSegmentedColormap.from_list(
    "agreement", [(0.0, "#f7f9fb"), (0.35, "#bcd4e6"), (0.7, "#4a86ba"), (1.0, "#08306b")]
)
_UNDEFINED = "#e1e1e1"
_TALLEST = 5000  # of a matrix, in pixels
_LETTERED = 15  # the least width of a cell with a letter in it


def choice_figure(record: Reliability) -> Canvas:
    """Every run's choice in every block: runs in rows, blocks in columns."""
    codes, texts = record.table.common.codes, record.table.texts
    runs, blocks = codes.shape
    wide = max(3.0, min(30.0, 900 / blocks))
    high = 20.0 if runs <= 30 else min(max(2.5, 600 / runs), _TALLEST / runs)
    named = high >= 9
    side = min(190.0, widest([run.name for run in record.runs], 11.5) + 14) if named else 84.0
    size = min(11.0, wide * 0.85)
    names = distinct(record.blocks, 162.0, size) if wide >= 7 else []  # measured only where they are written
    top = widest(names, size) + 10 if names else 20.0
    lettered = wide >= _LETTERED and high >= 13
    letters = abbreviations(texts)
    legend = Legend(record, max(blocks * wide, 230), letters=letters if lettered else None)
    width, bottom = max(side + blocks * wide + 2, side + 232), top + runs * high
    canvas = Canvas(width, bottom + 14 + legend.height, f"Choices of {runs} runs in {blocks} blocks")
    if names:
        for b, block in enumerate(record.blocks):
            x = side + (b + 0.5) * wide + size * 0.35
            canvas.text(x, top - 6, names[b], size=size, turned=True, tip=block)
    else:
        canvas.text(side, 14, f"{blocks} blocks →", size=11.5, colour=MUTED)
    _names(canvas, record, (side, top), high, named)
    fills = palette_of(record)
    rows = [[texts[code] for code in row] for row in codes.tolist()]

    def tip(r: int, b: int) -> str:
        return f"{record.runs[r].name}, {record.blocks[b]}: {rows[r][b]}"

    canvas.cells(side, top, (wide, high), [[fills[text] for text in row] for row in rows], tip)
    if lettered and runs * blocks <= MOST_CELLS:
        for r, row in enumerate(rows):
            for b, text in enumerate(row):
                x, y, ink = side + (b + 0.5) * wide, top + (r + 0.5) * high + 4, ink_on(fills[text])
                canvas.text(x, y, letters[text], size=10.5, anchor="center", colour=ink)
    legend.draw(canvas, side, bottom + 12)
    return canvas


def _names(canvas: Canvas, record: Reliability, corner: tuple[float, float], high: float, named: bool) -> None:
    """The names of the runs at the left of a matrix, or how many there are."""
    left, top = corner
    if not named:
        canvas.text(left - 8, top + 12, f"{len(record.runs)} runs ↓", size=11.5, anchor="right", colour=MUTED)
        return
    size = min(11.5, 0.8 * high)
    for r, run in enumerate(record.runs):
        name, y = fitted(run.name, left - 10, size), top + (r + 0.5) * high + 0.35 * size
        canvas.text(left - 8, y, name, size=size, anchor="right", tip=run.name)


def agreement_figure(record: Reliability) -> Canvas:
    """Each two runs: percentage agreement below the diagonal, Cohen's kappa above it."""
    n, names = len(record.runs), [run.name for run in record.runs]
    cell = 62.0 if n <= 6 else 54.0 if n <= 8 else 44.0 if n <= 14 else max(2.5, 620 / n)
    named = cell >= 9
    longest = widest(names, 11.5) if named else 0.0
    upright = longest < cell - 4
    side = min(190.0, longest + 16) if named else 84.0
    top = 26.0 if upright or not named else min(150.0, longest + 14)
    key = ("below the diagonal: percentage agreement", "above: Cohen's kappa (grey where 0/0)")
    if len(record.blocks) < 2:
        key = ("percentage agreement", "")
    width = max(side + n * cell + 4, side + 134 + widest(key, 11.5))
    canvas = Canvas(width, top + n * cell + 56, f"Pairwise agreement of {n} runs")
    _names(canvas, record, (side, top), cell, named)
    for c, name in enumerate(names if named else []):
        size, x = min(11.5, 0.8 * cell), side + (c + 0.5) * cell
        if upright:
            canvas.text(x, top - 8, name, size=size, anchor="center")
        else:
            canvas.text(x + 0.35 * size, top - 8, fitted(name, top - 10, size), size=size, turned=True, tip=name)
    _pairs(canvas, record, (side, top), cell)
    y = top + n * cell + 14
    canvas.picture(side, y, 120, 12, _BLUES(np.linspace(0, 1, 100)[None], bytes=True)[:, :, :3])
    canvas.text(side, y + 26, "0", size=11, colour=MUTED)
    canvas.text(side + 120, y + 26, "1 or 100 %", size=11, anchor="right", colour=MUTED)
    for line, words in enumerate(key):
        canvas.text(side + 134, y + 8 + 17 * line, words, size=11.5, colour=MUTED)
    return canvas


def _pairs(canvas: Canvas, record: Reliability, corner: tuple[float, float], cell: float) -> None:
    """The cells of each two runs, with their numbers where there is room."""
    shares, kappas = record.pair_agreement, record.pair_kappa
    both = len(record.blocks) > 1  # a single block has no kappa
    lower = np.tri(len(shares), k=-1, dtype=bool)
    fills = _blues(np.where(lower, shares, kappas))
    for r, row in enumerate(fills):
        end = r + 1 if both else len(row)
        row[r:end] = [""] * (end - r)

    def kappa(r: int, c: int) -> str:
        return "0/0" if math.isnan(kappas[r, c]) else number(kappas[r, c])

    def tip(r: int, c: int) -> str:
        share = f"{record.runs[r].name} and {record.runs[c].name}: {100 * shares[r, c]:.1f} %"
        return f"{share}, kappa {kappa(r, c)}" if both else share

    canvas.cells(*corner, (cell, cell), fills, tip)
    for r, c in zip(*np.nonzero(np.not_equal(fills, "")), strict=True) if cell >= 36 else ():
        words = f"{100 * shares[r, c]:.0f} %" if r > c else kappa(r, c)
        size = 12 if width_of(words) < cell - 4 else 10.5
        x, y = corner[0] + (c + 0.5) * cell, corner[1] + (r + 0.5) * cell + 4
        canvas.text(x, y, words, size=size, anchor="center", colour=ink_on(fills[r][c]))


def _blues(shares: Floats) -> list[list[str]]:
    """A colour for each of a matrix of shares: of 0, 0.1, ... 100 %, and one for what is undefined (nan)."""
    colours = [*(to_hex(colour) for colour in _BLUES(np.linspace(0, 1, 1001))), _UNDEFINED]
    codes = np.where(np.isnan(shares), 1001, (1000 * np.clip(shares, 0, 1)).round()).astype(int)
    return [[colours[code] for code in row] for row in codes.tolist()]
