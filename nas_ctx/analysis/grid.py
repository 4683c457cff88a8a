"""The grid: blocks labelled ``"<target>/<source>"``, and the agreement of its rows and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nas_ctx.analysis.stats.agreement import fleiss_parts, percentage_parts
from nas_ctx.analysis.stats.ratings import RatingMatrix, Ratings, rating_matrix
from nas_ctx.analysis.stats.weights import once


@dataclass(frozen=True)
class Grid:
    """Targets (rows) and sources (columns) in order of first appearance, and where each block stands."""

    targets: tuple[str, ...]
    sources: tuple[str, ...]
    positions: dict[tuple[str, str], int]  # (target, source) -> index of the block

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self.targets), len(self.sources)


def grid_of(blocks: Sequence[str]) -> Grid | None:
    """The grid that ``blocks`` form, or None when a label is not ``"<target>/<source>"``; gaps are allowed.

    Some task must be both a target and a source: labels such as ``layer1/op`` name no tasks.

    >>> grid_of(["depth/depth", "depth/edge", "edge/depth"]).targets
    ('depth', 'edge')
    >>> grid_of(["layer1", "layer2"]) is None, grid_of(["layer1/op", "layer2/op"]) is None
    (True, True)
    """
    positions = {}
    for index, block in enumerate(blocks):
        target, slash, source = block.partition("/")
        if not slash or not target or not source or "/" in source:
            return None
        positions[target, source] = index
    if len(positions) != len(blocks):
        return None
    targets = tuple(dict.fromkeys(target for target, _ in positions))
    sources = tuple(dict.fromkeys(source for _, source in positions))
    if not set(targets) & set(sources):
        return None
    if set(targets) == set(sources):
        sources = targets
    return Grid(targets, sources, positions)


@dataclass(frozen=True)
class TaskAgreement:
    """How far runs agree on one row ("target") or column ("source") of the grid."""

    role: str
    task: str
    n_blocks: int
    percentage: float
    chance: float
    fleiss: float


def task_agreements(ratings: Ratings | RatingMatrix, grid: Grid) -> list[TaskAgreement]:
    """Percentage agreement with its chance level, and Fleiss' kappa, of each row and column of ``grid``.

    Few blocks make a row, so these are coarse; a row of one block has a percentage but no chance level.
    """
    blocks = rating_matrix(ratings, least_blocks=1)
    agreements = []
    for role, tasks, side in (("target", grid.targets, 0), ("source", grid.sources, 1)):
        for task in tasks:
            chosen = [index for key, index in grid.positions.items() if key[side] == task]
            part = blocks.of_blocks(chosen)
            percentage, fleiss = percentage_parts(part, once(part)), fleiss_parts(part, once(part))
            values = [float(value[0]) for value in (percentage.value, percentage.chance, fleiss.value)]
            if len(chosen) < 2:
                values[1:] = [math.nan, math.nan]
            agreements.append(TaskAgreement(role, task, len(chosen), *values))
    return agreements
