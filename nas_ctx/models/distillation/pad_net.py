"""Attention-guided message passing, after Xu et al., "PAD-Net: Multi-Tasks Guided Prediction-and-Distillation Network
for Simultaneous Depth Estimation and Scene Parsing", CVPR 2018."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from nas_ctx.models.registry import register_distillation


@register_distillation("pad-net")
class GuidedMessages(nn.Module):
    """Each task's features plus messages from every other task, through a gate that its own features open.

    With F of target t and source s, sigma the logistic function and * a 3x3 convolution without bias: F_t + sum over s
    of sigma(G_t * F_t) (W_ts * F_s), equations 2 and 3 of the paper. There the features are computed from intermediate
    predictions; here they are those that every distillation module gets. (In ``attentive``, MTI-Net's variant, the
    source opens the gate.)

    >>> features = {"depth": torch.rand(2, 8, 3, 4), "edge": torch.rand(2, 8, 3, 4)}
    >>> GuidedMessages(["depth", "edge"], 8)(features)["edge"].shape
    torch.Size([2, 8, 3, 4])
    """

    def __init__(self, tasks: Sequence[str], channels: int) -> None:
        super().__init__()
        convolution = partial(nn.Conv2d, channels, channels, 3, padding=1, bias=False)
        self.gates = nn.ModuleDict({t: convolution() for t in tasks})
        self.messages = nn.ModuleDict({f"{t}/{s}": convolution() for t in tasks for s in tasks if t != s})

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per task (B, channels, h, w) to the same."""
        distilled = {}
        for target, own in features.items():
            messages = [self.messages[f"{target}/{s}"](x) for s, x in features.items() if s != target]
            distilled[target] = own + self.gates[target](own).sigmoid() * torch.stack(messages).sum(0)
        return distilled
