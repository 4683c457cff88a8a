"""Which pixels belong together: the nearest in feature space, or those of a region, and how many of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from nas_ctx.contexts.neighbours import NearestContext
from nas_ctx.contexts.regions import LearntRegionsContext
from nas_ctx.models import Backbone, MakeHead, TaskShape
from nas_ctx.models.heads import task_head
from search_spaces.blocks import GridSpace, MakeContext, one_of


class Neighbours(GridSpace):
    """The k nearest pixels of the source in feature space, or the source in a number of learnt regions.

    Args:
        nearest: numbers of pixels.
        regions: numbers of regions.

    >>> from types import SimpleNamespace
    >>> tasks = {"depth": SimpleNamespace(channels=1, regions=40)}
    >>> list(Neighbours(Backbone("test_resnet"), tasks).simplify()["depth/depth"].values)
    ['none', '9 nearest', '49 nearest', '8 regions', '32 regions']
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Mapping[str, TaskShape],
        *,
        nearest: Sequence[int] = (9, 49),
        regions: Sequence[int] = (8, 32),
        affine: bool = False,
        dropout: float = 0.0,
        make_head: MakeHead = task_head,
    ) -> None:
        contexts: dict[str, MakeContext] = {f"{k} nearest": partial(NearestContext, count=k) for k in nearest}
        contexts |= {f"{k} regions": partial(LearntRegionsContext, count=k) for k in regions}
        super().__init__(backbone, tasks, one_of(contexts, affine), dropout, make_head)
