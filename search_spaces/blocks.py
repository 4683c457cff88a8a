"""The base class of the spaces here: a network with a choice of candidates in each of its blocks."""

from __future__ import annotations

from collections.abc import Mapping

from nni.nas.nn.pytorch import ModelSpace
from torch import Tensor, nn

from nas_ctx.contexts import NoContext
from nas_ctx.models import Backbone, MakeHead, MultiTaskNetwork, TaskShape
from nas_ctx.models.grid import MakeBlock
from nas_ctx.models.heads import task_head
from nas_ctx.models.relational import MakeContext, layer_choice

__all__ = ["GridSpace", "MakeContext", "one_of"]


class GridSpace(ModelSpace):
    """A :class:`~nas_ctx.models.MultiTaskNetwork` with choices in its N x N blocks.

    Args:
        make_block: makes the block of a (target, source) pair, such as :func:`one_of`.
        dropout: before the logits.
        make_head: makes a task's head.
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Mapping[str, TaskShape],
        make_block: MakeBlock,
        dropout: float = 0.0,
        make_head: MakeHead = task_head,
    ) -> None:
        super().__init__()
        self.network = MultiTaskNetwork(backbone, tasks, make_block, dropout, make_head=make_head)

    def forward(self, image: Tensor) -> dict[str, dict[str, Tensor]]:
        """See :meth:`nas_ctx.models.MultiTaskNetwork.forward`."""
        return self.network(image)


def one_of(contexts: Mapping[str, MakeContext], affine: bool) -> MakeBlock:
    """Blocks that choose one of ``contexts``, or none; a block is labelled ``"<target>/<source>"``."""

    def block(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
        return layer_choice({"none": NoContext, **contexts}, (target, source), in_channels, channels, affine)

    return block
