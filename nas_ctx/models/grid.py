"""The N x N grid of context blocks: every target task looks at every source task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from nas_ctx.contexts import AttentionContext, ContextInput
from nas_ctx.contexts.sharing import Shared, watched
from nas_ctx.models.heads import Fusion

MakeBlock = Callable[[str, str, int, int], nn.Module]
"""(target, source, in_channels, channels) to the block: a context, or a choice of contexts."""


class ContextGrid(nn.Module):
    """One block per (target, source) pair, and per target the fusion of its row of blocks.

    ``blocks`` holds them under their labels ``"<target>/<source>"``. A row whose blocks all stand at *none* leaves its
    target's features as they are.
    """

    def __init__(self, tasks: Sequence[str], channels: int, make_block: MakeBlock, dropout: float) -> None:
        super().__init__()
        self.tasks = list(tasks)
        width = channels // 2
        self.blocks = nn.ModuleDict(
            {label(t, s): make_block(t, s, channels, width) for t in self.tasks for s in self.tasks}
        )
        self.fusions = nn.ModuleDict({t: Fusion(channels, [width] * len(self.tasks), dropout) for t in self.tasks})

    def forward(self, features: Mapping[str, Tensor], regions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per task features (B, C, h, w) and region maps (B, K, h, w) to fused features (B, C, h, w)."""
        shared = Shared()
        return {
            target: features[target] if self._blind(target) else self._row(target, features, regions, shared)
            for target in self.tasks
        }

    def _blind(self, target: str) -> bool:
        """Whether all blocks of the target stand at *none*."""
        row = (resolved(self.blocks[label(target, source)]) for source in self.tasks)
        return all(getattr(context, "produces_zeros", False) for context in row)

    def _row(
        self, target: str, features: Mapping[str, Tensor], regions: Mapping[str, Tensor], shared: Shared
    ) -> Tensor:
        """The fused features of one target.

        Projections are computed together within a row, not over the whole grid: what a row keeps for its backward pass
        is freed, and the gradients of its projections exist, before the next row's turn comes.
        """
        blocks = {source: self.blocks[label(target, source)] for source in self.tasks}
        inputs = {
            source: ContextInput(features[target], features[source], regions[target], regions[source], shared)
            for source in self.tasks
        }
        requests: list[tuple[nn.Module, Tensor]] = []
        for source, block in blocks.items():
            contexts = active(block)
            if any(watched(context) for context in contexts):
                inputs[source] = inputs[source]._replace(shared=None)
                continue
            for context in contexts:
                if isinstance(context, AttentionContext):
                    requests += context.projections(inputs[source])
        shared.prepare(requests)
        contexts_found = [block(inputs[source]) for source, block in blocks.items()]
        return self.fusions[target](features[target], contexts_found)


def label(target: str, source: str) -> str:
    """The label of a block.

    >>> label("semseg", "depth")
    'semseg/depth'
    """
    return f"{target}/{source}"


def resolved(block: nn.Module) -> nn.Module:
    """The one context that a block stands for, where there is one; else the block itself.

    A layer that chooses between candidates says so by an attribute ``active_candidate``: the module it has decided for
    or would run in evaluation, None while it mixes.
    """
    chosen = getattr(block, "active_candidate", None)
    return chosen if isinstance(chosen, nn.Module) else block


def active(block: nn.Module) -> list[nn.Module]:
    """The contexts that the block will run in this forward pass.

    A layer that mixes candidates says so by an attribute ``active_candidates``, a list of modules.
    """
    return list(getattr(block, "active_candidates", [block]))
