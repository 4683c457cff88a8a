"""What the runs vote for: a grid of targets and sources, cells as graphs, or a list of blocks."""

from __future__ import annotations

from nas_ctx.analysis.grid import Grid
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.figures.canvas import Canvas, distinct, fitted, widest, width_of
from nas_ctx.analysis.report.figures.cell_graphs import cells_figure, cells_of
from nas_ctx.analysis.report.figures.cells import HEAD, Cell, draw_grid, side_of
from nas_ctx.analysis.report.figures.legend import Legend, palette_of
from nas_ctx.analysis.report.palette import INK, MUTED, ink_on, mixed, shaded
from nas_ctx.analysis.stats.votes import BlockVote

_SIZES = ((4, (142, 72, 13.0)), (5, (128, 68, 13.0)), (7, (104, 58, 12.0)), (9, (92, 52, 11.0)), (10**9, (66, 44, 9.5)))
"""At most so many sources -> width, height and size of letters of a cell."""
_PAGE = 980.0  # how wide a page is
_LONG = 40  # blocks of a list that stands in two columns, its legend above them

_MOST_CELLS = 1600
_MOST_LISTED = 400


def vote_figure(record: Reliability) -> Canvas:
    """The votes as a grid where the blocks form one, as graphs where they are the edges of cells, else as a list."""
    cells = cells_of(record)
    if cells is not None:
        return cells_figure(record, cells)
    grid = record.grid
    return _list(record) if grid is None or len(record.blocks) > _MOST_CELLS else _grid(record, grid)


def _grid(record: Reliability, grid: Grid) -> Canvas:
    """Targets in rows, sources in columns; colour = voted choice, shade = margin, ties striped."""
    wide, high, size = next(look for most, look in _SIZES if len(grid.sources) <= most)
    side, top = side_of(grid), 46.0
    width = side + max(len(grid.sources) * wide, width_of(HEAD, 11.5)) + 2
    notes = ["paler = smaller margin of the vote, striped = tie"]
    if any(vote.decided_by for vote in record.votes):
        notes.append("* = decided by the rule for ties")
    legend, bottom = Legend(record, width - side, notes), top + len(grid.targets) * high
    canvas = Canvas(width, bottom + 16 + legend.height, f"Voted choice of {len(record.blocks)} blocks")
    fills = palette_of(record)
    cells = {block: _cell(record, index, fills, wide, size) for index, block in enumerate(record.blocks)}
    draw_grid(canvas, grid, cells, (side, top, wide, high), size)
    legend.draw(canvas, side, bottom + 14)
    return canvas


def _cell(record: Reliability, index: int, fills: dict[str, str], wide: float, size: float) -> Cell:
    vote, text, runs = record.votes[index], record.table.text, len(record.runs)
    counts = ", ".join(f"{text(label)}: {votes}" for label, votes in vote.counts)
    tip = f"{record.blocks[index]} – {counts} of {runs}"
    if not vote.tied:
        name = text(vote.choice)
        return Cell((name, f"{vote.counts[0][1]} of {runs}"), [shaded(fills[name], vote.margin)], tip)
    winners = [text(winner) for winner in vote.winners]
    each = f"{len(winners)} with {vote.counts[0][1]} each"
    second = next((words for words in (" · ".join(winners), each) if width_of(words, size - 2) <= wide - 16), "")
    second = second or f"{len(winners)} tied"
    first, rule = "tie", "the tie stands"
    if vote.decided_by:
        first, rule = f"{text(vote.choice)}*", f"decided by the rule '{vote.decided_by}'"
    return Cell((first, second), [mixed(fills[name], 0.8) for name in winners[:5]], f"{tip}; {rule}")


def _list(record: Reliability) -> Canvas:
    """Blocks that form no grid: a row each, its votes as a stacked bar and the winner in words.

    Many stand in two columns, and of very many the first.
    """
    shown = record.blocks[:_MOST_LISTED]
    more = f"; the first {len(shown)} of {len(record.blocks)} blocks" if len(shown) < len(record.blocks) else ""
    blocks = len(shown)
    long = blocks > _LONG
    columns, gap, pitch, size = (2, 30.0, 18.0, 11.0) if long else (1, 0.0, 24.0, 12.5)
    most = 150.0 if long else 240.0  # for names, and for winners
    names = distinct(shown, most - 12, size)
    side = widest(names, size) + 14
    words = [_winner(record, vote, most - 26, size) for vote in record.votes[:blocks]]
    name = max(widest(words, size, bold=True), width_of("voted", 11.5)) + 26
    bar = max(170.0, (_PAGE - gap) / 2 - side - name) if long else 330.0
    column = side + bar + name
    width, rows = columns * (column + gap) - gap, -(-blocks // columns)
    legend = Legend(record, width - side)
    top = 22 + (legend.height + 8 if long else 0.0)
    canvas = Canvas(
        width, top + pitch * rows + (4 if long else 12 + legend.height), f"Votes on {len(record.blocks)} blocks"
    )
    fills = palette_of(record)
    for i, (block, vote) in enumerate(zip(shown, record.votes, strict=False)):
        left, y = i // rows * (column + gap), top + pitch * (i % rows)
        base = y + pitch / 2 + size * 0.35 - 1
        if i % rows == 0:
            canvas.text(left + side, top - 8, f"share of the {len(record.runs)} runs{more}", size=11.5, colour=MUTED)
            canvas.text(left + side + bar + 12, top - 8, "voted", size=11.5, colour=MUTED)
        canvas.text(left + side - 10, base, names[i], size=size, anchor="right", tip=block)
        _bar(canvas, (left + side, y + 1.5, bar, pitch - 4), record, i, fills)
        canvas.text(left + side + bar + 12, base, words[i], size=size, bold=not vote.tied, colour=INK, tip=block)
    legend.draw(canvas, side, 2 if long else top + pitch * rows + 10)
    return canvas


def _winner(record: Reliability, vote: BlockVote, width: float, size: float) -> str:
    if vote.open:
        words = "tie: " + " · ".join(record.table.text(winner) for winner in vote.winners)
        return words if width_of(words, size) <= width else f"tie of {len(vote.winners)}"
    rule = f" (by {vote.decided_by})" if vote.decided_by else ""
    return fitted(record.table.text(vote.choice), width - width_of(rule, size, bold=True), size, bold=True) + rule


def _bar(
    canvas: Canvas, box: tuple[float, float, float, float], record: Reliability, index: int, fills: dict[str, str]
) -> None:
    """The votes of one block as parts of a bar, with the names of those that have room for them."""
    x, y, wide, high = box
    for label, votes in record.votes[index].counts:
        name, share = record.table.text(label), votes / len(record.runs)
        fill, width = fills[name], wide * share
        tip = f"{record.blocks[index]} – {name}: {votes} of {len(record.runs)}"
        canvas.box(x, y, max(width - 1, 0.5), high, fill, tip=tip)
        if width > 30 and high > 13:
            inside = fitted(name, width - 8, 10.5)
            if inside == name or len(inside) > 5:  # less of a name says nothing
                canvas.text(x + width / 2, y + high / 2 + 4, inside, size=10.5, anchor="center", colour=ink_on(fill))
        x += width
