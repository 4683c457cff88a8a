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
        return {**features, **self._rows([t for t in self.tasks if not self._blind(t)], features, regions)}

    def _blind(self, target: str) -> bool:
        """Whether all blocks of the target stand at *none*."""
        row = (resolved(self.blocks[label(target, source)]) for source in self.tasks)
        return all(getattr(context, "produces_zeros", False) for context in row)

    def _rows(
        self, targets: Sequence[str], features: Mapping[str, Tensor], regions: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The fused features of some targets, whose blocks share what they have in common."""
        shared = Shared()
        inputs: dict[str, list[ContextInput]] = {}
        requests: list[tuple[nn.Module, Tensor]] = []
        for target in targets:
            inputs[target] = []
            for source in self.tasks:
                plain = ContextInput(features[target], features[source], regions[target], regions[source])
                contexts = active(self.blocks[label(target, source)])
                if any(watched(context) for context in contexts):
                    inputs[target].append(plain)
                    continue
                inputs[target].append(plain._replace(shared=shared))
                for context in contexts:
                    if isinstance(context, AttentionContext):
                        requests += context.projections(inputs[target][-1])
        shared.prepare(requests)
        fused = {}
        for target in targets:
            blocks = (self.blocks[label(target, source)] for source in self.tasks)
            contexts = [block(x) for block, x in zip(blocks, inputs[target], strict=True)]
            fused[target] = self.fusions[target](features[target], contexts)
        return fused


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
