"""May a target gather several contexts from one source at a time?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.contexts import CONTEXTS, ContextInput, candidates
from nas_ctx.models import Backbone, MakeHead, TaskShape
from nas_ctx.models.heads import task_head
from nas_ctx.models.relational import layer_choice
from search_spaces.blocks import GridSpace


class SeveralBlocks(GridSpace):
    """Several blocks per (target, source) pair, each with its own choice; the pair's context is their sum.

    The choices are labelled ``"<target>/<source>/<number>"``.

    Args:
        contexts: the candidates, names in :data:`nas_ctx.contexts.CONTEXTS`.
        blocks: how many per pair.

    >>> from types import SimpleNamespace
    >>> tasks = {"depth": SimpleNamespace(channels=1, regions=40)}
    >>> list(SeveralBlocks(Backbone("test_resnet"), tasks).simplify())
    ['depth/depth/1', 'depth/depth/2']
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Mapping[str, TaskShape],
        contexts: Sequence[str] = CONTEXT_NAMES,
        *,
        blocks: int = 2,
        affine: bool = False,
        dropout: float = 0.0,
        make_head: MakeHead = task_head,
    ) -> None:
        def block(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
            makers = {name: CONTEXTS[name] for name in ["none", *candidates(target, source, contexts)]}
            labels = [(target, source, str(number)) for number in range(1, blocks + 1)]
            return Sum([layer_choice(makers, name, in_channels, channels, affine) for name in labels])

        super().__init__(backbone, tasks, block, dropout, make_head)


class Sum(nn.Module):
    """The sum of several blocks."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    @property
    def produces_zeros(self) -> bool:
        """Whether no block can gather anything."""
        return all(getattr(block, "produces_zeros", False) for block in self.blocks)

    def forward(self, inputs: ContextInput) -> Tensor:
        first, *others = (block(inputs) for block in self.blocks)
        return sum(others, start=first)
