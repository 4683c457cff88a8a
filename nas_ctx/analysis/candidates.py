"""How many candidates each block had to choose from, and where that is known from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas_ctx.analysis.choice_table import ChoiceTable
from nas_ctx.analysis.grid import grid_of
from nas_ctx.analysis.io.runs import Run
from nas_ctx.genotype import CONTEXT_NAMES


@dataclass(frozen=True)
class CandidateCounts:
    """The number of candidates of each block, and in words what says so."""

    counts: tuple[int, ...]
    known_from: str


def candidates_of(runs: Sequence[Run], table: ChoiceTable) -> CandidateCounts:
    """From the histories of ``runs``; else those of the five contexts if the choices are such; else what occurs."""
    histories = [run.history for run in runs if run.history is not None]
    if histories and all(block in histories[0].choices for block in table.blocks):
        counts = (max(len(history.choices.get(block, ())) for history in histories) for block in table.blocks)
        return CandidateCounts(tuple(counts), "the histories")
    grid = grid_of(table.blocks)
    if grid is not None and set(table.texts) <= set(CONTEXT_NAMES):
        own = {index for (target, source), index in grid.positions.items() if target == source}
        counts = (4 if index in own else 5 for index in range(len(table.blocks)))
        return CandidateCounts(tuple(counts), "the five relational contexts")
    return CandidateCounts((table.common.n_labels,) * len(table.blocks), "the choices that occur")
