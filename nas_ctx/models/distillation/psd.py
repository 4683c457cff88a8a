"""Pattern-structure diffusion between tasks, after Zhou et al., "Pattern-Structure Diffusion for Multi-Task Learning",
CVPR 2020.

Written from the idea of the paper, with these simplifications: a pattern structure is the star of a pixel and its
window (how alike each neighbour is to it), not the whole adjacency among the window's pixels; structures are of one
scale; and there are no predictions before the diffusion, so that it takes the features that every network here has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nas_ctx.contexts.projection import conv_norm
from nas_ctx.models.backbone import Backbone
from nas_ctx.models.distillation.windows import window_sum, window_weights
from nas_ctx.models.network import MultiTaskNetwork
from nas_ctx.models.registry import TaskShape, register_distillation, register_network


@register_distillation("pattern-structure")
class PatternStructureDiffusion(nn.Module):
    """Features of each task, diffused along its own local structures and those of the other tasks.

    1. A structure of a task at a pixel: softmax over the window of the similarities to its neighbours.
    2. Inter-task: at each pixel the structures of all tasks are mixed, each weighted by how well it matches the
       task's own (softmax of their cosine over a learned temperature).
    3. Diffusion, own and mixed structures alike: features are averaged along the structure ``order`` times, so that
       they reach ``order`` windows far. What is found is added to the features, from a norm that starts at zero.

    Args:
        tasks: their names.
        channels: of a task's features.
        dropout: after the addition.
        window: width of a structure in pixels, odd.
        order: how often features are passed on.

    >>> features = {"depth": torch.rand(2, 8, 5, 6), "edge": torch.rand(2, 8, 5, 6)}
    >>> PatternStructureDiffusion(["depth", "edge"], 8)(features)["edge"].shape
    torch.Size([2, 8, 5, 6])
    """

    def __init__(
        self, tasks: Sequence[str], channels: int, dropout: float = 0.0, *, window: int = 5, order: int = 3
    ) -> None:
        super().__init__()
        self.window, self.order = window, order
        width = max(channels // 2, 1)
        self.embeddings = nn.ModuleDict({t: conv_norm(channels, width, activation=None) for t in tasks})
        self.values = nn.ModuleDict({t: conv_norm(channels, width, activation=nn.ReLU) for t in tasks})
        self.outputs = nn.ModuleDict({t: conv_norm(2 * width, channels, activation=None) for t in tasks})
        for output in self.outputs.values():
            norm = output.get_submodule("norm")
            assert isinstance(norm, nn.BatchNorm2d)
            nn.init.zeros_(norm.weight)
        self.sharpness = nn.ParameterDict({t: nn.Parameter(torch.ones(())) for t in tasks})
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per task (B, channels, h, w) to the same."""
        structures = {t: window_weights(self.embeddings[t](x), self.window) for t, x in features.items()}
        return {t: self._diffused(t, x, structures) for t, x in features.items()}

    def _diffused(self, task: str, features: Tensor, structures: Mapping[str, Tensor]) -> Tensor:
        mixed = matched(structures[task], list(structures.values()), self.sharpness[task])
        values = self.values[task](features)
        spreads = []
        for structure in (structures[task], mixed):
            spread = values
            for _ in range(self.order):
                spread = window_sum(structure, spread)
            spreads.append(spread)
        return self.dropout(features + self.outputs[task](torch.cat(spreads, 1)))


def matched(own: Tensor, structures: Sequence[Tensor], sharpness: Tensor) -> Tensor:
    """Structures (B, K, h, w) mixed at each pixel, by softmax(sharpness · cosine with ``own``) over the structures.

    >>> own = torch.eye(2).view(1, 2, 1, 2)
    >>> bool(torch.equal(matched(own, [own], torch.ones(())), own))
    True
    """
    stacked = torch.stack(list(structures))
    degree = (sharpness * torch.cosine_similarity(stacked, own[None], dim=2)).softmax(0)
    return (degree.unsqueeze(2) * stacked).sum(0)


@register_network("psd")
class PSDNet(MultiTaskNetwork):
    """The multi-task baseline with :class:`PatternStructureDiffusion` between heads and logits."""

    def __init__(self, backbone: Backbone, tasks: Mapping[str, TaskShape], /, dropout: float = 0.05) -> None:
        super().__init__(backbone, tasks, None, dropout)
        self.diffusion = PatternStructureDiffusion(list(tasks), backbone.channels // 4, dropout)

    def relate(self, features: dict[str, Tensor], regions: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.diffusion(features)
