"""How far should a target task look around each pixel, in each source task, and in which pattern?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from nas_ctx.contexts import LocalContext
from nas_ctx.contexts.patterns import AxialContext, DilatedContext
from nas_ctx.models import Backbone, MakeHead, TaskShape
from nas_ctx.models.heads import task_head
from search_spaces.blocks import GridSpace, MakeContext, one_of


class Windows(GridSpace):
    """Local windows of several widths, of pixels that lie apart, or the row and the column of the pixel.

    Args:
        windows: widths in pixels of the feature map, odd.
        dilations: how far apart the pixels of a window of ``dilated`` x ``dilated`` pixels lie.
        dilated: width of those windows, in pixels seen.
        axial: whether the pixel's row and column are a candidate.

    >>> from types import SimpleNamespace
    >>> tasks = {"depth": SimpleNamespace(channels=1, regions=40)}
    >>> list(Windows(Backbone("test_resnet"), tasks).simplify()["depth/depth"].values)
    ['none', '5 x 5', '9 x 9', '13 x 13', '5 x 5, every 2nd', '5 x 5, every 4th', 'row and column']
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Mapping[str, TaskShape],
        *,
        windows: Sequence[int] = (5, 9, 13),
        dilations: Sequence[int] = (2, 4),
        dilated: int = 5,
        axial: bool = True,
        affine: bool = False,
        dropout: float = 0.0,
        make_head: MakeHead = task_head,
    ) -> None:
        contexts: dict[str, MakeContext] = {f"{w} x {w}": partial(LocalContext, window=w) for w in windows}
        for step in dilations:
            name = f"{dilated} x {dilated}, every {step}{_ENDINGS.get(step, 'th')}"
            contexts[name] = partial(DilatedContext, window=dilated, dilation=step)
        if axial:
            contexts["row and column"] = AxialContext
        super().__init__(backbone, tasks, one_of(contexts, affine), dropout, make_head)


_ENDINGS = {2: "nd", 3: "rd"}
