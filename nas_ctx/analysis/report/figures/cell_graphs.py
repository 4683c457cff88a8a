"""Cells as graphs: nodes from left to right, and an arc for each edge, thick by its votes, coloured by its choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.cells import ABSENT, Edge, edges_of
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.figures.canvas import Canvas, fitted, width_of
from nas_ctx.analysis.report.figures.legend import Legend, palette_of
from nas_ctx.analysis.report.palette import EDGE, INK, MUTED, TRACK
from nas_ctx.analysis.stats.votes import BlockVote

_NODE = (34.0, 24.0)
_STEP = 132.0  # from node to node: the label of an arc has so much room
_RISE = 44.0  # of an arc for each node that it goes on
_NO_EDGE = (ABSENT, "none")
_MOST_NODES, _MOST_CELLS = 8, 4  # of what can still be read


@dataclass(frozen=True)
class _Arc:
    """An edge as drawn: how many runs have it, what they vote for, and in words."""

    edge: Edge
    runs: int
    colour: str
    label: str
    tip: str


def cells_of(record: Reliability) -> dict[str, dict[str, Edge]] | None:
    """Cell -> its blocks as edges, where all blocks are edges of cells that are small enough to be drawn; else None."""
    edges = edges_of(record.blocks)
    cells: dict[str, dict[str, Edge]] = {}
    for block, edge in (edges or {}).items():
        cells.setdefault(edge.cell, {})[block] = edge
    small = all(max(edge.node for edge in cell.values()) < _MOST_NODES for cell in cells.values())
    return cells if cells and small and len(cells) <= _MOST_CELLS else None


def cells_figure(record: Reliability, cells: Mapping[str, Mapping[str, Edge]]) -> Canvas:
    """The votes on the edges of each cell; edges that no run has are left out, and so is the name of what has lost."""
    arcs = {name: [_arc(record, block, edge) for block, edge in cell.items()] for name, cell in cells.items()}
    nodes = {name: 1 + max(edge.node for edge in cell.values()) for name, cell in cells.items()}
    spans = {
        name: max([arc.edge.node - arc.edge.source for arc in of if arc.runs], default=1) for name, of in arcs.items()
    }
    heights = {name: 34 + _RISE * spans[name] + _NODE[1] + 26 for name in cells}
    width = 60 + _STEP * (max(nodes.values()) - 1) + 60
    legend = Legend(record, width - 8, ["an arc goes from a node to one at its right; thicker = in more runs"])
    total = sum(heights.values())
    canvas = Canvas(width, total + legend.height, f"Votes on the edges of {len(cells)} cells")
    top = 0.0
    for name in cells:
        _draw(canvas, name, arcs[name], nodes[name], (top, top + heights[name] - 26 - _NODE[1] / 2), len(record.runs))
        top += heights[name]
    legend.draw(canvas, 4, total)
    return canvas


def _draw(
    canvas: Canvas, name: str, arcs: list[_Arc], nodes: int, place: tuple[float, float], runs: int
) -> None:  # fmt: skip
    """One cell between ``place``: its upper end, and the height of its nodes. Weak arcs lie below strong ones."""
    top, base = place
    canvas.text(4, top + 16, name or "cell", size=13, bold=True)
    angles = np.linspace(0, np.pi, 41)
    ordered = sorted(arcs, key=lambda arc: (bool(arc.label), arc.runs))
    for arc in ordered:
        if arc.runs:
            ends = [60 + _STEP * at for at in (arc.edge.source, arc.edge.node)]
            middle, half = sum(ends) / 2, (ends[1] - ends[0]) / 2
            rise = _RISE * (arc.edge.node - arc.edge.source)
            xs, ys = middle - half * np.cos(angles), base - rise * np.sin(angles)
            thick = 1 + 5 * arc.runs / runs
            canvas.line(xs.tolist(), ys.tolist(), arc.colour, thick, arc.tip, 1 if arc.label else 0.6)
    for arc in ordered:
        if arc.label:
            x = 60 + _STEP * (arc.edge.source + arc.edge.node) / 2
            y = base - _RISE * (arc.edge.node - arc.edge.source)
            words = fitted(arc.label, _STEP - 14, 10.5)
            half = width_of(words, 10.5) / 2 + 4
            canvas.box(x - half, y - 8, 2 * half, 16, "#ffffff", edge=arc.colour, tip=arc.tip)
            canvas.text(x, y + 4, words, size=10.5, anchor="center", colour="#000000", tip=arc.tip)
    inputs = set(range(nodes)) - {arc.edge.node for arc in arcs}
    for node in range(nodes):
        x, wide, high = 60 + _STEP * node, *_NODE
        tip = f"node {node}: {'an input of the cell' if node in inputs else 'adds up its edges'}"
        fill = "#ffffff" if node in inputs else TRACK
        canvas.box(x - wide / 2, base - high / 2, wide, high, fill, edge=EDGE, dashed=node in inputs, tip=tip)
        ink = "#000000" if node in inputs else INK
        canvas.text(x, base + 4.5, str(node), size=12, anchor="center", bold=True, colour=ink, tip=tip)
        if node in inputs:
            canvas.text(x, base + high / 2 + 13, "input", size=10.5, anchor="center", colour=MUTED)


def _arc(record: Reliability, block: str, edge: Edge) -> _Arc:
    index, total = record.blocks.index(block), len(record.runs)
    vote, text = record.votes[index], record.table.text
    having = sum(votes for label, votes in vote.counts if text(label) not in _NO_EDGE)
    tip = f"{block} – {', '.join(f'{text(label)}: {votes}' for label, votes in vote.counts)} of {total}"
    words, colour = _winner(record, vote)
    return _Arc(edge, having, colour, words, tip)


def _winner(record: Reliability, vote: BlockVote) -> tuple[str, str]:
    """The label of an arc, "" where the vote is that there is none, and its colour."""
    text, fills = record.table.text, palette_of(record)
    if vote.open:
        winners = [text(winner) for winner in vote.winners]
        named = [name for name in winners if name not in _NO_EDGE]
        return "tie: " + " · ".join(winners), fills[(named or winners)[0]]
    name = text(vote.choice)
    if name in _NO_EDGE:
        return "", EDGE
    return f"{name} ({vote.counts[0][1]}{'*' if vote.decided_by else ''})", fills[name]
