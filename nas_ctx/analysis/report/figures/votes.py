"""What the runs vote for: a grid of targets and sources, or a list of blocks."""

from __future__ import annotations

from nas_ctx.analysis.grid import Grid
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.figures.canvas import Canvas, fitted, widest, width_of
from nas_ctx.analysis.report.figures.cells import HEAD, Cell, draw_grid, side_of
from nas_ctx.analysis.report.figures.legend import Legend, palette_of
from nas_ctx.analysis.report.palette import INK, MUTED, ink_on, mixed, shaded
from nas_ctx.analysis.stats.votes import BlockVote

_SIZES = ((4, (142, 72, 13.0)), (5, (128, 68, 13.0)), (7, (104, 58, 12.0)), (9, (92, 52, 11.0)), (10**9, (66, 44, 9.5)))
"""At most so many sources -> width, height and size of letters of a cell."""


def vote_figure(record: Reliability) -> Canvas:
    """The votes as a grid where the blocks form one, else as a list."""
    return _list(record) if record.grid is None else _grid(record, record.grid)


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
    second = " · ".join(winners)
    if width_of(second, size - 2) > wide - 16:
        second = f"{len(winners)} with {vote.counts[0][1]} each"
    first, rule = "tie", "the tie stands"
    if vote.decided_by:
        first, rule = f"{text(vote.choice)}*", f"decided by the rule '{vote.decided_by}'"
    return Cell((first, second), [mixed(fills[name], 0.8) for name in winners[:5]], f"{tip}; {rule}")


def _list(record: Reliability) -> Canvas:
    """Blocks that form no grid: a row each, its votes as a stacked bar and the winner in words."""
    pitch, size = (24.0, 12.5) if len(record.blocks) <= 80 else (15.0, 10.0)
    side, bar = min(240.0, widest(record.blocks, size) + 14), 330.0
    words = [_winner(record, vote) for vote in record.votes]
    name = min(240.0, widest(words, size, bold=True) + 14)
    legend = Legend(record, bar + name)
    bottom = 22 + pitch * len(record.blocks)
    canvas = Canvas(side + bar + name, bottom + 12 + legend.height, f"Votes on {len(record.blocks)} blocks")
    canvas.text(side, 14, f"share of the {len(record.runs)} runs", size=11.5, colour=MUTED)
    canvas.text(side + bar + 12, 14, "voted", size=11.5, colour=MUTED)
    fills = palette_of(record)
    for i, (block, vote) in enumerate(zip(record.blocks, record.votes, strict=True)):
        y = 22 + pitch * i
        base = y + pitch / 2 + size * 0.35 - 1
        canvas.text(side - 10, base, fitted(block, side - 12, size), size=size, anchor="right", tip=block)
        _bar(canvas, (side, y + 1.5, bar, pitch - 4), record, i, fills)
        voted = fitted(words[i], name - 14, size, bold=not vote.tied)
        canvas.text(side + bar + 12, base, voted, size=size, bold=not vote.tied, colour=INK, tip=words[i])
    legend.draw(canvas, side, bottom + 10)
    return canvas


def _winner(record: Reliability, vote: BlockVote) -> str:
    if vote.open:
        return "tie: " + " · ".join(record.table.text(winner) for winner in vote.winners)
    return record.table.text(vote.choice) + (f" (by {vote.decided_by})" if vote.decided_by else "")


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
        if width > 30 and high > 15:
            inside = fitted(name, width - 10, 10.5)
            canvas.text(x + width / 2, y + high / 2 + 4, inside, size=10.5, anchor="center", colour=ink_on(fill))
        x += width
