"""The multi-task network: backbone, task heads, auxiliary heads, the grid of contexts, logits."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from nas_ctx.contexts.attention import region_map
from nas_ctx.models.backbone import Backbone
from nas_ctx.models.grid import ContextGrid, MakeBlock
from nas_ctx.models.heads import AuxiliaryHead, MakeHead, logits_layer, task_head
from nas_ctx.models.registry import MakeDistillation, TaskShape, register_network
from nas_ctx.plugins.returned import check_shape, check_shapes


class MultiTaskNetwork(nn.Module):
    """Dense prediction of several tasks, each target gathering context from each source.

    A task's features have a quarter of the backbone's channels, a block's context half of that. ``make_block`` makes
    the block of a (target, source) pair: one context type, or a choice of them during a search. Without it there is
    neither grid nor auxiliary head: the multi-task baseline. An auxiliary head reads the backbone's features.

    Args:
        backbone: gives (B, backbone.channels, h, w).
        tasks: what to predict, in the order of the grid.
        make_block: ``(target, source, in_channels, channels) -> module``, or None.
        dropout: before the logits; the paper's trained network has 0.05, a search none.
        make_head: makes the head of a task, from the backbone's features to the task's.
        make_distillation: in a network without blocks, makes what refines the tasks' features instead.
        auxiliary: False for a network that will be given its region maps: it has no auxiliary heads.
        recompute: save memory for time in the grid, see :class:`nas_ctx.models.grid.ContextGrid`.

    >>> import torch
    >>> from types import SimpleNamespace
    >>> from nas_ctx.contexts import CONTEXTS
    >>> tasks = {"semseg": SimpleNamespace(channels=9, regions=9), "depth": SimpleNamespace(channels=1, regions=40)}
    >>> network = MultiTaskNetwork(Backbone("test_resnet"), tasks, lambda t, s, i, o: CONTEXTS["t-label"](i, o))
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
        make_head: MakeHead = task_head,
        make_distillation: MakeDistillation | None = None,
        auxiliary: bool = True,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = channels = backbone.channels // 4
        self.heads = nn.ModuleDict({name: make_head(backbone.channels, channels) for name in tasks})
        self.auxiliary_heads = nn.ModuleDict()
        self.grid: ContextGrid | None = None
        if make_block is not None:
            self.grid = ContextGrid(list(tasks), channels, make_block, dropout, recompute=recompute)
            for name in self.grid.with_regions if auxiliary else ():
                self.auxiliary_heads[name] = AuxiliaryHead(backbone.channels, tasks[name].regions)
        self.distillation: nn.Module | None = None
        if make_distillation is not None:
            self.distillation = make_distillation(list(tasks), channels)
        self.logits = nn.ModuleDict({name: logits_layer(channels, task.channels) for name, task in tasks.items()})

    def forward(self, image: Tensor, regions: Mapping[str, Tensor] | None = None) -> dict[str, dict[str, Tensor]]:
        """Image (B, 3, H, W) to logits (B, channels or regions, H, W) per task.

        ``regions`` takes the place of the auxiliary predictions' region maps: per task (B, regions, h, w).

        The result is ``{"final": {task: logits}, "auxiliary": {task: logits}}``, "auxiliary" of those tasks only whose
        region maps a block reads.
        """
        shared = self.backbone(image)
        auxiliary = {name: head(shared) for name, head in self.auxiliary_heads.items()}
        maps = {name: region_map(logits) for name, logits in auxiliary.items()} if regions is None else regions
        features = {name: head(shared) for name, head in self.heads.items()}
        for name, head in self.heads.items():
            expected = (len(shared), self.channels, *shared.shape[2:])
            check_shape(features[name], expected, f"model.head: {type(head).__name__}", "check_head")
        features = self.relate(features, maps)
        final = {name: self.logits[name](features[name]) for name in features}
        return {
            "final": {name: upsampled(x, image) for name, x in final.items()},
            "auxiliary": {name: upsampled(x, image) for name, x in auxiliary.items()},
        }

    def relate(self, features: dict[str, Tensor], regions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Let tasks look at each other: their features, and region maps, to new features."""
        if self.grid is not None:
            return self.grid(features, regions)
        if self.distillation is None:
            return features
        refined: dict[str, Tensor] = self.distillation(features)
        who = f"model.distillation: {type(self.distillation).__name__}"
        check_shapes(refined, {name: x.shape for name, x in features.items()}, who, "check_distillation")
        return refined


@register_network("baseline")
def baseline(
    backbone: Backbone,
    tasks: Mapping[str, TaskShape],
    /,
    dropout: float,
    *,
    make_head: MakeHead = task_head,
    make_distillation: MakeDistillation | None = None,
) -> MultiTaskNetwork:
    """A head per task on a shared backbone; with one task, the single-task baseline."""
    return MultiTaskNetwork(backbone, tasks, None, dropout, make_head=make_head, make_distillation=make_distillation)


def upsampled(logits: Tensor, image: Tensor) -> Tensor:
    """Logits (B, C, h, w) bilinearly at the resolution of the image, (B, C, H, W)."""
    return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)
