"""What the runs vote for: a grid of targets and sources, or a list of blocks."""

from __future__ import annotations

from nas_ctx.analysis.grid import Grid
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.figures.canvas import Canvas, fitted, widest, width_of
from nas_ctx.analysis.report.figures.legend import Legend, palette_of
from nas_ctx.analysis.report.palette import EDGE, INK, MUTED, RULE, ink_on, mixed, shaded
from nas_ctx.analysis.stats.votes import BlockVote

_SIZES = ((4, (142, 72, 13.0)), (5, (128, 68, 13.0)), (7, (104, 58, 12.0)), (9, (92, 52, 11.0)), (10**9, (66, 44, 9.5)))
"""At most so many sources -> width, height and size of letters of a cell."""
_STRIPE = 9.0


def vote_figure(record: Reliability) -> Canvas:
    """The votes as a grid where the blocks form one, else as a list."""
    return _list(record) if record.grid is None else _grid(record, record.grid)


def _grid(record: Reliability, grid: Grid) -> Canvas:
    """Targets in rows, sources in columns; colour = voted choice, shade = margin, ties striped."""
    wide, high, size = next(look for most, look in _SIZES if len(grid.sources) <= most)
    side = min(170.0, widest([*grid.targets, "target"], 13, bold=True) + 24)
    width = max(side + len(grid.sources) * wide + 2, side + width_of("gathers context from source", 11.5) + 2)
    notes = ["paler = smaller margin of the vote, striped = tie"]
    if any(vote.decided_by for vote in record.votes):
        notes.append("* = decided by the rule for ties")
    legend, top = Legend(record, width - side, notes), 46.0
    bottom = top + len(grid.targets) * high
    canvas = Canvas(width, bottom + 16 + legend.height, f"Voted choice of {len(record.blocks)} blocks")
    canvas.text(side, 14, "gathers context from source", size=11.5, colour=MUTED)
    canvas.text(side - 12, top - 8, "target", size=11.5, anchor="right", colour=MUTED)
    draw_heads(canvas, grid, (side, top), (wide, high))
    fills = palette_of(record)
    for row, target in enumerate(grid.targets):
        for column, source in enumerate(grid.sources):
            x, y = side + column * wide + 1, top + row * high + 1
            index = grid.positions.get((target, source))
            if index is None:
                canvas.box(x, y, wide - 2, high - 2, "none", edge=RULE, dashed=True, tip="no such block")
            else:
                _vote_cell(canvas, (x, y, wide - 2, high - 2), size, record, index, fills)
    legend.draw(canvas, side, bottom + 14)
    return canvas


def draw_heads(canvas: Canvas, grid: Grid, corner: tuple[float, float], cell: tuple[float, float]) -> None:
    """The names of the tasks around a grid whose cells begin at ``corner``."""
    (left, top), (wide, high) = corner, cell
    for column, source in enumerate(grid.sources):
        name = fitted(source, wide - 6, 13, bold=True)
        canvas.text(left + (column + 0.5) * wide, top - 8, name, size=13, anchor="center", bold=True, tip=source)
    for row, target in enumerate(grid.targets):
        name, y = fitted(target, left - 14, 13, bold=True), top + (row + 0.5) * high + 5
        canvas.text(left - 12, y, name, size=13, anchor="right", bold=True, tip=target)


def _vote_cell(
    canvas: Canvas, box: tuple[float, float, float, float], size: float, record: Reliability, index: int,
    fills: dict[str, str],
) -> None:  # fmt: skip
    x, y, wide, high = box
    vote, text, runs = record.votes[index], record.table.text, len(record.runs)
    counts = ", ".join(f"{text(label)}: {votes}" for label, votes in vote.counts)
    tip = f"{record.blocks[index]} – {counts} of {runs}"
    if vote.tied:
        rule = f"; decided by the rule '{vote.decided_by}'" if vote.decided_by else "; the tie stands"
        _stripes(canvas, box, [mixed(fills[text(winner)], 0.8) for winner in vote.winners[:5]], tip + rule)
        first = "tie" if vote.decided_by is None else f"{text(vote.choice)}*"
        second = " · ".join(text(winner) for winner in vote.winners)
        if width_of(second, size - 2) > wide - 16:
            second = f"{len(vote.winners)} with {vote.counts[0][1]} each"
        ink = "#000000"
    else:
        fill = shaded(fills[text(vote.choice)], vote.margin)
        canvas.box(*box, fill, edge=EDGE, tip=tip)
        first, second, ink = text(vote.choice), f"{vote.counts[0][1]} of {runs}", ink_on(fill)
    first, second = fitted(first, wide - 14, size, bold=True), fitted(second, wide - 14, size - 2)
    middle, centre = x + wide / 2, y + high / 2
    if vote.tied:
        half = max(width_of(first, size, bold=True), width_of(second, size - 2)) / 2 + 5
        canvas.box(middle - half, centre - size - 4, 2 * half, 2 * size + 9, "#ffffff", tip=tip)
    canvas.text(middle, centre - 2, first, size=size, anchor="center", colour=ink, bold=True)
    canvas.text(middle, centre + size, second, size=size - 2, anchor="center", colour=ink)


def _stripes(canvas: Canvas, box: tuple[float, float, float, float], fills: list[str], tip: str) -> None:
    """Upright stripes, in turn of the tied colours."""
    x, y, wide, high = box
    number = max(len(fills), round(wide / _STRIPE))
    for i in range(number):
        canvas.box(x + i * wide / number, y, wide / number, high, fills[i % len(fills)], tip=tip)


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
    if vote.tied and vote.decided_by is None:
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
