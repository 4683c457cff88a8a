"""At which scale of the features should a target gather its context from each source?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from nas_ctx.contexts import CONTEXTS, ContextInput
from nas_ctx.models import Backbone, MakeHead, TaskShape
from nas_ctx.models.heads import task_head
from search_spaces.blocks import GridSpace, MakeContext, one_of


class Scales(GridSpace):
    """Context types, each at several scales of the features.

    Args:
        contexts: context types, names in :data:`nas_ctx.contexts.CONTEXTS`; *none* is always a candidate.
        scales: by how much features shrink before context is gathered from them.

    >>> from types import SimpleNamespace
    >>> tasks = {"depth": SimpleNamespace(channels=1, regions=40)}
    >>> list(Scales(Backbone("test_resnet"), tasks, ["none", "local"]).simplify()["depth/depth"].values)
    ['none', 'local', 'local at 1/2', 'local at 1/4']
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Mapping[str, TaskShape],
        contexts: Sequence[str] = ("global", "local"),
        *,
        scales: Sequence[int] = (1, 2, 4),
        affine: bool = False,
        dropout: float = 0.0,
        make_head: MakeHead = task_head,
    ) -> None:
        contexts_at: dict[str, MakeContext] = {}
        for name in contexts:
            for scale in scales if name != "none" else ():
                contexts_at[name if scale == 1 else f"{name} at 1/{scale}"] = partial(AtScale, CONTEXTS[name], scale)
        super().__init__(backbone, tasks, one_of(contexts_at, affine), dropout, make_head)


class AtScale(nn.Module):
    """A context that sees features and regions shrunk by a whole number, and is enlarged again.

    >>> import torch
    >>> features, regions = torch.rand(2, 8, 5, 7), torch.rand(2, 3, 5, 7)
    >>> AtScale(CONTEXTS["local"], 2, 8, 4)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 5, 7])
    """

    def __init__(self, make: MakeContext, scale: int, in_channels: int, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.context = make(in_channels, channels, affine=affine)

    def forward(self, inputs: ContextInput) -> Tensor:
        if self.scale == 1:
            return self.context(inputs)
        # Features are averaged; region maps are summed, so that each still sums to one over the pixels.
        shrink = partial(F.avg_pool2d, kernel_size=self.scale, ceil_mode=True)
        target, source = shrink(inputs.target), shrink(inputs.source)
        target_regions = shrink(inputs.target_regions, divisor_override=1)
        source_regions = shrink(inputs.source_regions, divisor_override=1)
        context = self.context(ContextInput(target, source, target_regions, source_regions))
        return F.interpolate(context, size=inputs.target.shape[2:], mode="bilinear", align_corners=False)
