"""A target's row of blocks with one candidate in the place of another, and its adaptation to that.

A block acts on its target through the fusion alone, so what comes before the blocks is computed once for all variants.
Right after an exchange the fusion expects another candidate's output: channels that were zero all along have weights
that never learnt, and any candidate but the chosen one would look worse. Therefore every variant, the unchanged one
too, learns for the same few steps on the same images: the candidate, the fusion and what reads predictions off it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nas_ctx.contexts import ContextInput
from nas_ctx.models import ContextGrid
from nas_ctx.models.grid import label


@dataclass
class Row:
    """The inputs of a target's fusion, and of the blocks before it, in one forward pass.

    Attributes:
        features: of the target, (B, C, h, w).
        contexts: the output of each block, (B, c, h, w), in the order of the grid's tasks.
        inputs: of each block.
    """

    features: Tensor = field(default_factory=lambda: torch.empty(0))
    contexts: list[Tensor] = field(default_factory=list)
    inputs: list[ContextInput] = field(default_factory=list)


@contextmanager
def row_inputs(grid: ContextGrid) -> Iterator[dict[str, Row]]:
    """Within it, the row of each target in the last forward pass of ``grid``."""
    rows: dict[str, Row] = {}

    def keep_input(target: str, _: nn.Module, inputs: tuple[ContextInput]) -> None:
        row = rows.setdefault(target, Row())
        if len(row.inputs) == len(grid.tasks):  # of an earlier pass
            row.inputs.clear()
        row.inputs.append(inputs[0]._replace(shared=None))

    def keep_row(target: str, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        row = rows.setdefault(target, Row())
        row.features, row.contexts = inputs[0], list(inputs[1])

    handles = [fusion.register_forward_pre_hook(partial(keep_row, target)) for target, fusion in grid.fusions.items()]
    for target in grid.tasks:
        for source in grid.tasks:
            block = grid.blocks[label(target, source)]
            handles.append(block.register_forward_pre_hook(partial(keep_input, target)))
    try:
        yield rows
    finally:
        for handle in handles:
            handle.remove()


class Variant(nn.Module):
    """Copies of a candidate, of its target's fusion and of what reads predictions off it; all of them learn.

    Args:
        place: of the block in its row.
    """

    def __init__(self, target: str, place: int, context: nn.Module, fusion: nn.Module, readout: nn.Module) -> None:
        super().__init__()
        self.target, self.place = target, place
        self.context, self.fusion, self.readout = copy.deepcopy((context, fusion, readout))
        self.requires_grad_(True)  # a decided search has frozen the candidates that it left out

    def forward(self, row: Row) -> Tensor:
        """What is read off the row with the candidate in its block, (B, channels, h, w)."""
        contexts = [*row.contexts]
        contexts[self.place] = self.context(row.inputs[self.place])
        return self.readout(self.fusion(row.features, contexts))


def variants_of(grid: ContextGrid, readouts: Mapping[str, nn.Module]) -> dict[str, dict[str, Variant]]:
    """Block -> candidate -> variant, for every block of a searched ``grid`` that is a choice.

    Args:
        readouts: target -> what follows its fusion.
    """
    found: dict[str, dict[str, Variant]] = {}
    for target in grid.tasks:
        for place, source in enumerate(grid.tasks):
            block: Any = grid.blocks[label(target, source)]
            parts = (grid.fusions[target], readouts[target])
            names: Sequence[str] = getattr(block, "names", ())
            if len(names) > 1:
                found[label(target, source)] = {
                    str(name): Variant(target, place, block[name], *parts) for name in names
                }
    return found


def adapt(
    variants: Mapping[str, Mapping[str, Variant]],
    batches: Iterator[tuple[Mapping[str, Row], Any]],
    loss: Callable[[str, Tensor, Any], Tensor],
    optimizer: Callable[[nn.Module], tuple[torch.optim.Optimizer, Any]],
    clip: float | None = None,
) -> None:
    """Let every variant learn on the same batches, and leave all of them in evaluation mode.

    Args:
        batches: the rows of a forward pass, and its batch; one step each.
        loss: of (target, what the variant gives, batch).
        optimizer: of a variant, with its schedule.
        clip: largest norm of a variant's gradient.
    """
    all_variants = [variant for of_block in variants.values() for variant in of_block.values()]
    learning = [(variant.train(), *optimizer(variant)) for variant in all_variants]
    for rows, batch in batches:
        for variant, weights, schedule in learning:
            weights.zero_grad()
            loss(variant.target, variant(rows[variant.target]), batch).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(variant.parameters(), clip)
            weights.step()
            schedule.step()
    for variant in all_variants:
        variant.eval()
