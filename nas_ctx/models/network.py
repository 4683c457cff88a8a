"""The multi-task network: backbone, task heads, auxiliary heads, the grid of contexts, logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from nas_ctx.contexts.attention import region_map
from nas_ctx.models.backbone import Backbone
from nas_ctx.models.grid import ContextGrid, MakeBlock
from nas_ctx.models.heads import AuxiliaryHead, task_head


class TaskShape(Protocol):
    """What the network asks of a task: its output channels and the number of regions of its label space."""

    channels: int
    regions: int


class MultiTaskNetwork(nn.Module):
    """Dense prediction of several tasks, each target gathering context from each source.

    A task's features have a quarter of the backbone's channels, a block's context half of that. ``make_block`` makes
    the block of a (target, source) pair: one context type, or a choice of them during a search. Without it there is
    neither grid nor auxiliary head: the multi-task baseline.

    Args:
        backbone: gives (B, backbone.channels, h, w).
        tasks: what to predict, in the order of the grid.
        make_block: ``(target, source, in_channels, channels) -> module``, or None.
        dropout: before the logits; the paper's trained network has 0.05, a search none.
        recompute: save memory for time in the grid, see :class:`nas_ctx.models.grid.ContextGrid`.

    >>> import torch
    >>> from types import SimpleNamespace
    >>> from nas_ctx.contexts import CONTEXTS
    >>> tasks = {"semseg": SimpleNamespace(channels=9, regions=9), "depth": SimpleNamespace(channels=1, regions=40)}
    >>> network = MultiTaskNetwork(Backbone("test_resnet"), tasks, lambda t, s, i, o: CONTEXTS["local"](i, o))
    >>> output = network.eval()(torch.zeros(1, 3, 48, 64))
    >>> output["final"]["depth"].shape, output["auxiliary"]["depth"].shape
    (torch.Size([1, 1, 48, 64]), torch.Size([1, 40, 48, 64]))
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Mapping[str, TaskShape],
        make_block: MakeBlock | None,
        dropout: float = 0.05,
        *,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        channels = backbone.channels // 4
        self.heads = nn.ModuleDict({name: task_head(backbone.channels, channels) for name in tasks})
        self.auxiliary_heads: nn.ModuleDict | None = None
        self.grid: ContextGrid | None = None
        if make_block is not None:
            self.auxiliary_heads = nn.ModuleDict(
                {name: AuxiliaryHead(channels, task.regions) for name, task in tasks.items()}
            )
            self.grid = ContextGrid(list(tasks), channels, make_block, dropout, recompute=recompute)
        self.logits = nn.ModuleDict({name: nn.Conv2d(channels, task.channels, 1) for name, task in tasks.items()})

    def forward(self, image: Tensor) -> dict[str, dict[str, Tensor]]:
        """Image (B, 3, H, W) to logits (B, channels or regions, H, W) per task.

        The result is ``{"final": {task: logits}, "auxiliary": {task: logits}}``, "auxiliary" empty for the baseline.
        """
        shared = self.backbone(image)
        features = {name: head(shared) for name, head in self.heads.items()}
        auxiliary: dict[str, Tensor] = {}
        if self.grid is not None and self.auxiliary_heads is not None:
            auxiliary = {name: head(features[name]) for name, head in self.auxiliary_heads.items()}
            features = self.grid(features, {name: region_map(logits) for name, logits in auxiliary.items()})
        final = {name: self.logits[name](features[name]) for name in features}
        return {
            "final": {name: _upsampled(x, image) for name, x in final.items()},
            "auxiliary": {name: _upsampled(x, image) for name, x in auxiliary.items()},
        }


def _upsampled(logits: Tensor, image: Tensor) -> Tensor:
    return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)
