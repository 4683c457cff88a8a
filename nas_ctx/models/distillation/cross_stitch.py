"""Cross-stitch units, after Misra et al., "Cross-stitch Networks for Multi-task Learning", CVPR 2016."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nas_ctx.models.registry import register_distillation

OWN = 0.9
"""What a task keeps of its own features at first; the rest comes from the others in equal parts."""


@register_distillation("cross-stitch")
class CrossStitch(nn.Module):
    """Each channel of a task's features becomes a linear combination of that channel over all tasks.

    The paper puts such units between the stages of one backbone per task, and pairs of tasks; here there is one, for
    any number of tasks, where every distillation module stands.

    >>> features = {"depth": torch.ones(1, 8, 2, 3), "edge": torch.zeros(1, 8, 2, 3)}
    >>> [round(float(x.mean()), 3) for x in CrossStitch(["depth", "edge"], 8)(features).values()]
    [0.9, 0.1]
    """

    def __init__(self, tasks: Sequence[str], channels: int) -> None:
        super().__init__()
        others = (1 - OWN) / max(len(tasks) - 1, 1)
        weights = torch.eye(len(tasks)) * (OWN - others) + others
        self.weights = nn.Parameter(weights.unsqueeze(2).repeat(1, 1, channels))  # (target, source, channel)

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per task (B, channels, h, w) to the same."""
        mixed = torch.einsum("tsc,sbchw->tbchw", self.weights, torch.stack(list(features.values())))
        return dict(zip(features, mixed, strict=True))
