"""The paper's space: which context type does each target task gather from each source task?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nas_ctx.compat.renamed import former_names
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.models import Backbone, MakeHead, TaskShape
from nas_ctx.models.heads import task_head
from nas_ctx.models.relational import choice_among
from search_spaces.blocks import GridSpace


class RelationalSpace(GridSpace):
    """A choice of context types in each of the N x N blocks, labelled ``"<target>/<source>"``.

    Args:
        contexts: the candidates, names in :data:`nas_ctx.contexts.CONTEXTS`.
        affine: whether the last norm of a candidate may scale and shift.
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
        contexts: Sequence[str] = CONTEXT_NAMES,
        *,
        affine: bool = False,
        dropout: float = 0.0,
        make_head: MakeHead = task_head,
    ) -> None:
        super().__init__(backbone, tasks, choice_among(contexts, affine), dropout, make_head)


__getattr__ = former_names(__name__, {"PAPER": "nas_ctx.context_types:CONTEXT_NAMES"})
