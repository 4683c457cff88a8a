"""The N x N grid of context blocks: every target task looks at every source task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from nas_ctx.contexts import ContextInput
from nas_ctx.contexts.sharing import Shared
from nas_ctx.errors import InputError
from nas_ctx.models.heads import Fusion
from nas_ctx.plugins.returned import check_shape

MakeBlock = Callable[[str, str, int, int], nn.Module]
"""(target, source, in_channels, channels) to the block: a context, or a choice of contexts."""


class ContextGrid(nn.Module):
    """One block per (target, source) pair, and per target the fusion of its row of blocks.

    ``blocks`` holds them under their labels ``"<target>/<source>"``. A block that is *none* for good takes no part in
    its row's fusion; one that a search may move, or has decided, does, with zeros. No row goes without its fusion, or
    what comes after it would meet what it was not trained on. ``with_regions`` names the tasks whose region maps some
    block reads.

    Args:
        tasks: their names, in the order of the grid.
        channels: of a task's features.
        make_block: makes the block of a pair.
        dropout: after the fusion.
        width: channels that a block gives, by default half of those of the features.
        recompute: keep only features and fused features of a row for the backward pass, and compute the rest again
            when it is needed: less memory, more time, the same result.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        channels: int,
        make_block: MakeBlock,
        dropout: float,
        *,
        width: int | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.tasks = list(tasks)
        self.recompute = recompute
        self.width = width = channels // 2 if width is None else width
        self.blocks = nn.ModuleDict(
            {label(t, s): make_block(t, s, channels, width) for t in self.tasks for s in self.tasks}
        )
        read = {task for name, block in self.blocks.items() for task in _regions_read(name, block)}
        self.with_regions = [task for task in self.tasks if task in read]
        self.fusions = nn.ModuleDict()
        for target in self.tasks:
            row = [self.blocks[label(target, source)] for source in self.tasks]
            widths = [0 if getattr(block, "produces_zeros", False) else width for block in row]
            self.fusions[target] = Fusion(channels, widths, dropout)

    def forward(self, features: Mapping[str, Tensor], regions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per task features (B, C, h, w) and region maps (B, K, h, w) to fused features (B, C, h, w).

        A task without a map has one region, the whole image.
        """
        regions = {t: regions[t] if t in regions else _whole_image(features[t]) for t in self.tasks}
        again = self.recompute and torch.is_grad_enabled()
        row = self._row_computed_again if again else partial(self._row, shared=Shared())
        return {target: row(target, features, regions) for target in self.tasks}

    def _row_computed_again(self, target: str, features: Mapping[str, Tensor], regions: Mapping[str, Tensor]) -> Tensor:
        parts = [self.fusions[target], *(self.blocks[label(target, source)] for source in self.tasks)]
        return checkpoint(
            lambda: self._row(target, features, regions, Shared()),
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), kept_statistics(*parts)),
        )

    def _row(
        self, target: str, features: Mapping[str, Tensor], regions: Mapping[str, Tensor], shared: Shared
    ) -> Tensor:
        """The fused features of one target.

        A block with hooks, such as a counter of operations, shares nothing, so that a hook sees all that it computes.
        """
        contexts = []
        for source in self.tasks:
            block = self.blocks[label(target, source)]
            maps = features[target], features[source], regions[target], regions[source]
            inputs = ContextInput(*maps, None if _watched(block) else shared)
            contexts.append(_context(label(target, source), block, inputs, self.width))
        return self.fusions[target](features[target], contexts)


def label(target: str, source: str) -> str:
    """The label of a block.

    >>> label("semseg", "depth")
    'semseg/depth'
    """
    return f"{target}/{source}"


def _context(name: str, block: nn.Module, inputs: ContextInput, channels: int) -> Tensor:
    """What a block gives, (B, channels, h, w).

    Raises:
        InputError: another shape, or none; of a choice, the candidate that gives it is named.
    """
    expected = (len(inputs.target), channels, *inputs.target.shape[2:])
    try:
        context: Tensor = block(inputs)
    except (InputError, TypeError):  # of candidates whose outputs cannot be mixed
        _find_wrong_candidate(name, block, inputs, expected)
        raise
    if getattr(context, "shape", None) != expected:
        _find_wrong_candidate(name, block, inputs, expected)
        check_shape(context, expected, f"model.blocks: {type(block).__name__} of the block {name}", "check_context")
    return context


def _find_wrong_candidate(name: str, block: nn.Module, inputs: ContextInput, expected: tuple[int, ...]) -> None:
    for candidate in getattr(block, "names", ()):
        module: nn.Module = block[candidate]  # type: ignore[index]  # a choice of layers
        who = f"model.contexts: {candidate!r} ({type(module).__name__}) in the block {name}"
        check_shape(module(inputs._replace(shared=None)), expected, who, "check_context")


@contextmanager
def kept_statistics(*modules: nn.Module) -> Iterator[None]:
    """Within it, batch norms do not move their running statistics: the second of two equal passes must not.

    >>> norm = nn.BatchNorm1d(3)
    >>> with kept_statistics(norm):
    ...     _ = norm(torch.rand(4, 3))
    >>> norm.running_mean, int(norm.num_batches_tracked), norm.momentum
    (tensor([0., 0., 0.]), 0, 0.1)
    """
    parts = {part for module in modules for part in module.modules()}
    norms: list[Any] = [part for part in parts if isinstance(part, _BatchNorm) and part.track_running_stats]
    before = [(norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # checkpointing wants the same operations in both passes, so they run, and change nothing
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)


def _regions_read(name: str, block: nn.Module) -> Iterator[str]:
    """The tasks of a block, by its label, whose region maps it, or a context that it chooses among, reads."""
    pair = dict(zip(("target", "source"), name.split("/"), strict=True))
    candidates = getattr(block, "candidates", [block])
    for context in candidates.values() if isinstance(candidates, Mapping | nn.ModuleDict) else candidates:
        yield from (pair[side] for side in vars(type(context)).get("reads_regions", pair))


def _whole_image(features: Tensor) -> Tensor:
    height, width = features.shape[2:]
    return features.new_full((1,), 1 / (height * width)).expand(len(features), 1, height, width)


def _watched(block: nn.Module) -> bool:
    return any(part._forward_hooks or part._forward_pre_hooks for part in block.modules())
