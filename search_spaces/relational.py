"""The paper's space: which context type does each target task gather from each source task?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nni.nas.nn.pytorch import ModelSpace
from torch import Tensor

from nas_ctx.models import Backbone, MakeHead, MultiTaskNetwork, TaskShape
from nas_ctx.models.heads import task_head
from nas_ctx.models.relational import choice_of

PAPER = ("none", "global", "local", "t-label", "s-label")


class RelationalSpace(ModelSpace):
    """A :class:`~nas_ctx.models.MultiTaskNetwork` with a choice of context types in each of its N x N blocks.

    The choices are labelled ``"<target>/<source>"``. The last batch norm of a candidate has no learnable scale and
    shift, so that no candidate can make itself loud (supplement A).

    Args:
        backbone: gives the features.
        tasks: what the network predicts.
        contexts: the candidates, names in :data:`nas_ctx.contexts.CONTEXTS`.
        make_head: makes a task's head.

    >>> from types import SimpleNamespace
    >>> tasks = {"semseg": SimpleNamespace(channels=9, regions=9), "depth": SimpleNamespace(channels=1, regions=40)}
    >>> space = RelationalSpace(Backbone("test_resnet"), tasks)
    >>> sorted(space.simplify())
    ['depth/depth', 'depth/semseg', 'semseg/depth', 'semseg/semseg']
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Mapping[str, TaskShape],
        contexts: Sequence[str] = PAPER,
        *,
        make_head: MakeHead = task_head,
    ) -> None:
        super().__init__()

        self.network = MultiTaskNetwork(backbone, tasks, choice_of(contexts), dropout=0.0, make_head=make_head)

    def forward(self, image: Tensor) -> dict[str, dict[str, Tensor]]:
        """See :meth:`nas_ctx.models.MultiTaskNetwork.forward`."""
        return self.network(image)
