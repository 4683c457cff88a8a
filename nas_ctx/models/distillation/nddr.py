"""Neural discriminative dimensionality reduction, after Gao et al., "NDDR-CNN: Layerwise Feature Fusing in Multi-Task
CNNs by Neural Discriminative Dimensionality Reduction", CVPR 2019."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nas_ctx.contexts.projection import conv_norm
from nas_ctx.models.registry import register_distillation

OWN = 0.9
"""What a channel takes at first of itself; the rest comes from the same channel of the others, in equal parts."""


@register_distillation("nddr")
class NDDR(nn.Module):
    """The features of all tasks, concatenated, are reduced to each task's by a 1x1 convolution, batch norm and ReLU.

    The paper puts such layers between the stages of one backbone per task; here there is one, where every distillation
    module stands.

    >>> features = {"depth": torch.rand(2, 8, 3, 4), "edge": torch.rand(2, 8, 3, 4)}
    >>> NDDR(["depth", "edge"], 8)(features)["edge"].shape
    torch.Size([2, 8, 3, 4])
    """

    def __init__(self, tasks: Sequence[str], channels: int) -> None:
        super().__init__()
        others = (1 - OWN) / max(len(tasks) - 1, 1)
        self.layers = nn.ModuleDict()
        for task in tasks:
            layer = conv_norm(len(tasks) * channels, channels, activation=nn.ReLU)
            weight = torch.cat([(OWN if other == task else others) * torch.eye(channels) for other in tasks], 1)
            layer.get_submodule("conv").load_state_dict({"weight": weight[:, :, None, None]})
            self.layers[task] = layer

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per task (B, channels, h, w) to the same."""
        together = torch.cat(list(features.values()), 1)
        return {task: self.layers[task](together) for task in features}
