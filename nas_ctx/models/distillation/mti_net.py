"""Multi-scale task interaction, after Vandenhende, Georgoulis and Van Gool, "MTI-Net: Multi-Scale Task Interaction
Networks for Multi-Task Learning", ECCV 2020.

Written from the paper, on the maps of any timm backbone. Where the paper leaves room: a task's features have at each
scale as many channels as the backbone's map there; residual blocks have two 3x3 convolutions; the tasks' gates are
computed in a quarter of their common channels; squeeze-and-excitation reduces to a sixteenth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_ctx.contexts.projection import conv_norm
from nas_ctx.models.backbone import Backbone
from nas_ctx.models.network import upsampled
from nas_ctx.models.registry import TaskShape, register_distillation, register_network

Features = Mapping[str, Tensor]
"""A map (B, C, h, w) per task."""


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where the number of channels changes."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.first = conv_norm(in_channels, channels, kernel=3, activation=nn.ReLU)
        self.second = conv_norm(channels, channels, kernel=3, activation=None)
        same = in_channels == channels
        self.skip = nn.Identity() if same else conv_norm(in_channels, channels, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.skip(x))


class SqueezeExcite(nn.Module):
    """Scales channels by what their means over the image say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 16, 1)
        self.gate = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()


class FeaturePropagation(nn.Module):
    """What the tasks found at one scale, made ready for the next finer one (section 3.3 of the paper).

    Tasks compete for each channel of each pixel (a softmax over tasks), what they hold together is reduced to one
    shared map, and each task takes from it what it wants: its features plus the shared map, its channels weighted.

    >>> features = {"depth": torch.rand(2, 8, 3, 4), "edge": torch.rand(2, 8, 3, 4)}
    >>> FeaturePropagation(["depth", "edge"], 8)(features)["depth"].shape
    torch.Size([2, 8, 3, 4])
    """

    def __init__(self, tasks: Sequence[str], channels: int) -> None:
        super().__init__()
        together = len(tasks) * channels
        narrow = max(together // 4, 1)
        self.competition = nn.Sequential(Residual(together, narrow), nn.Conv2d(narrow, together, 1))
        self.reduction = Residual(together, channels)
        self.selection = nn.ModuleDict({task: SqueezeExcite(channels) for task in tasks})

    def forward(self, features: Features) -> dict[str, Tensor]:
        together = torch.cat(list(features.values()), 1)
        gates = self.competition(together).unflatten(1, (len(features), -1)).softmax(1).flatten(1, 2)
        shared = self.reduction(gates * together)
        return {task: x + self.selection[task](shared) for task, x in features.items()}


@register_distillation("attentive")
class AttentiveDistillation(nn.Module):
    """Each task's features plus those of every other task, through a gate that the other task's features open.

    The spatial attention of PAD-Net (Xu et al., CVPR 2018), which MTI-Net applies at every scale (section 3.2).
    """

    def __init__(self, tasks: Sequence[str], channels: int) -> None:
        super().__init__()

        def between() -> nn.ModuleDict:
            return nn.ModuleDict(
                {
                    target: nn.ModuleDict(
                        {s: nn.Conv2d(channels, channels, 3, padding=1) for s in tasks if s != target}
                    )
                    for target in tasks
                }
            )

        self.gates, self.messages = between(), between()

    def forward(self, features: Features) -> dict[str, Tensor]:
        distilled = {}
        for target, own in features.items():
            gates, messages = self.gates.get_submodule(target), self.messages.get_submodule(target)
            distilled[target] = own
            for source, x in features.items():
                if source != target:
                    gate = gates.get_submodule(source)(x).sigmoid()
                    distilled[target] = distilled[target] + gate * messages.get_submodule(source)(x)
        return distilled


class Scale(nn.Module):
    """The tasks at one scale: features, first predictions, distillation.

    Args:
        tasks: what is predicted.
        channels: of the backbone's map, and of a task's features.
        coarser: channels that come from the next coarser scale, 0 at the coarsest.
    """

    def __init__(self, tasks: Mapping[str, TaskShape], channels: int, coarser: int) -> None:
        super().__init__()
        self.features = nn.ModuleDict(
            {t: nn.Sequential(Residual(channels + coarser, channels), Residual(channels, channels)) for t in tasks}
        )
        self.predictions = nn.ModuleDict({t: nn.Conv2d(channels, shape.channels, 1) for t, shape in tasks.items()})
        self.distillation = AttentiveDistillation(list(tasks), channels)

    def forward(self, shared: Tensor, coarser: Features | None) -> dict[str, Tensor]:
        """The tasks' features, from the backbone's map and what came from the coarser scale."""
        if coarser is None:
            return {task: make(shared) for task, make in self.features.items()}
        size = shared.shape[2:]
        return {t: make(torch.cat([shared, _resized(coarser[t], size)], 1)) for t, make in self.features.items()}


@register_network("mti-net")
class MTINet(nn.Module):
    """Task interaction at every scale of the backbone, from coarse to fine.

    The first predictions of every scale are trained like the final ones; ``forward`` gives them in training, under
    ``"initial"``, as (scales, B, channels, H, W).

    Args:
        backbone: its maps are taken one by one.
        tasks: what to predict.
        dropout: before the final logits.

    >>> from types import SimpleNamespace
    >>> tasks = {"semseg": SimpleNamespace(channels=9, regions=9), "depth": SimpleNamespace(channels=1, regions=40)}
    >>> network = MTINet(Backbone("test_efficientnet"), tasks)
    >>> output = network(torch.zeros(2, 3, 40, 56))
    >>> output["final"]["depth"].shape, output["initial"]["semseg"].shape
    (torch.Size([2, 1, 40, 56]), torch.Size([4, 2, 9, 40, 56]))
    """

    def __init__(self, backbone: Backbone, tasks: Mapping[str, TaskShape], /, dropout: float = 0.05) -> None:
        super().__init__()
        self.backbone = backbone
        self.tasks = list(tasks)
        widths = backbone.map_channels
        coarser = [*widths[1:], 0]
        self.scales = nn.ModuleList(Scale(tasks, c, more) for c, more in zip(widths, coarser, strict=True))
        self.propagations = nn.ModuleList(FeaturePropagation(self.tasks, c) for c in widths[1:])
        total = sum(widths)
        self.aggregations = nn.ModuleDict({t: conv_norm(total, total, activation=nn.ReLU) for t in tasks})
        self.dropout = nn.Dropout2d(dropout)
        self.logits = nn.ModuleDict({t: nn.Conv2d(total, shape.channels, 1) for t, shape in tasks.items()})

    def forward(self, image: Tensor) -> dict[str, dict[str, Tensor]]:
        """Image (B, 3, H, W) to ``{"final": ..., "auxiliary": {}, "initial": ...}``, "initial" empty in evaluation."""
        maps = self.backbone.maps(image)
        features: list[dict[str, Tensor]] = [{} for _ in maps]
        coarser: Features | None = None
        for place in reversed(range(len(maps))):
            features[place] = self.scales[place](maps[place], coarser)
            coarser = self.propagations[place - 1](features[place]) if place else None
        initial = self._initial(features, image) if self.training else {}
        distilled = [scale.get_submodule("distillation")(x) for scale, x in zip(self.scales, features, strict=True)]
        size = maps[0].shape[2:]
        final = {}
        for task in self.tasks:
            together = torch.cat([_resized(x[task], size) for x in distilled], 1)
            logits = self.logits[task](self.dropout(self.aggregations[task](together)))
            final[task] = upsampled(self.backbone.cropped(logits, image), image)
        return {"final": final, "auxiliary": {}, "initial": initial}

    def _initial(self, features: Sequence[Features], image: Tensor) -> dict[str, Tensor]:
        finest = features[0][self.tasks[0]].shape[2:]
        initial = {}
        for task in self.tasks:
            logits = [
                _resized(scale.get_submodule(f"predictions.{task}")(x[task]), finest)
                for scale, x in zip(self.scales, features, strict=True)
            ]
            initial[task] = torch.stack([upsampled(self.backbone.cropped(x, image), image) for x in logits])
        return initial


def _resized(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
