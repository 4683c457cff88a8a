"""Cells: blocks that are edges of a directed graph, labelled ``"<cell> <source>-><node>"``, or without a cell's name.

Nodes are numbered as in DARTS (Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019): the inputs of the
cell first, then its nodes. An edge holds an operation, or :data:`ABSENT`; so two cells are equal whatever the order in
which their edges were listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ABSENT = "absent"
"""The choice of an edge that a cell does not have."""
BOTH = " + "
"""Between the operations of an edge that a cell has twice."""
_EDGE = re.compile(r"(?:(?P<cell>.*\S) )?(?P<source>\d{1,4})->(?P<node>\d{1,4})")


@dataclass(frozen=True, order=True)
class Edge:
    """An edge of a cell: ``cell`` is "" where there is only one."""

    cell: str
    node: int
    source: int

    def __str__(self) -> str:
        return f"{self.cell} {self.source}->{self.node}".lstrip()

    @classmethod
    def of(cls, block: str) -> Edge | None:
        """The edge that a block's label names, or None.

        >>> Edge.of("normal 0->2")
        Edge(cell='normal', node=2, source=0)
        >>> Edge.of("semseg/depth") is None
        True
        """
        match = _EDGE.fullmatch(block)
        return None if match is None else cls(match["cell"] or "", int(match["node"]), int(match["source"]))


def edges_of(blocks: Sequence[str]) -> dict[str, Edge] | None:
    """Block -> edge, where all ``blocks`` are edges of cells; else None."""
    edges = {block: edge for block in blocks if (edge := Edge.of(block)) is not None and edge.source < edge.node}
    return edges if len(edges) == len(blocks) > 1 else None


def choices_of(cell: str, inputs: int, picks: Mapping[int, Iterable[tuple[int, str]]]) -> dict[str, str]:
    """Block -> choice of a cell with ``inputs`` inputs whose nodes, by number, have ``picks`` of (source, operation).

    >>> choices_of("normal", 1, {1: [(0, "conv")], 2: [(1, "skip")]})
    {'normal 0->1': 'conv', 'normal 0->2': 'absent', 'normal 1->2': 'skip'}
    """
    chosen = {}
    for node in range(inputs, max(picks) + 1):
        listed = list(picks.get(node, ()))
        for source in range(node):
            operations = sorted(operation for at, operation in listed if at == source)
            chosen[str(Edge(cell, node, source))] = BOTH.join(operations) or ABSENT
    return chosen


def edge_candidates(choices: Mapping[str, str], operations: Iterable[str]) -> dict[str, list[str]]:
    """What each edge of ``choices`` could hold: ``operations``, those that occur, and being absent.

    The edges of the first node, which takes all of its sources, cannot be absent.

    >>> edge_candidates({"0->2": "skip", "1->2": "conv", "0->3": "absent"}, ["pool"])
    {'0->2': ['pool', 'conv', 'skip'], '1->2': ['pool', 'conv', 'skip'], '0->3': ['pool', 'conv', 'skip', 'absent']}
    """
    known = list(dict.fromkeys([*operations, *sorted(set(choices.values()) - {ABSENT})]))
    edges = {block: edge for block in choices if (edge := Edge.of(block)) is not None}
    first = {(edge.cell, edge.node) for edge in edges.values()}
    first -= {(edge.cell, edge.node) for block, edge in edges.items() if choices[block] == ABSENT}
    least = min(edge.node for edge in edges.values())
    return {
        block: known if (edge.cell, edge.node) in first and edge.node == least else [*known, ABSENT]
        for block, edge in edges.items()
    }
