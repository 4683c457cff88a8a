"""Saliency: which pixels belong to the most conspicuous object."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchmetrics import Metric

from nas_ctx.metrics import MaxF
from nas_ctx.tasks import losses, options
from nas_ctx.tasks.base import Array, Task, register_task
from nas_ctx.tasks.checks import not_binary
from nas_ctx.tasks.drawing import draw_share, share_picture
from nas_ctx.tasks.semseg import class_tensor


@register_task("saliency")
class Saliency(Task):
    """Two classes, cross-entropy balanced by the share of each in the batch, maximal F.

    >>> Saliency().channels
    2
    """

    name = "saliency"
    metric_name = "max_f"
    higher_is_better = True
    channels = regions = label_classes = 2

    def __init__(self, *, weight: float = 5.0) -> None:
        self.weight = options.number(self.name, "weight", weight, 0)

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross-entropy with class weights [1 - w, w], w the share of negatives among the valid pixels of the batch."""
        negative = losses.negatives_share(label)
        return losses.cross_entropy(logits, label, torch.stack([1 - negative, negative]))

    def partition(self, label: Tensor) -> Tensor:
        return label

    def auxiliary_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Balanced as the main loss is."""
        return self.loss(logits, label)

    def predict(self, logits: Tensor) -> Tensor:
        """The probability of being salient, (B, H, W)."""
        return losses.upcast(logits).softmax(dim=1)[:, 1]

    def metric(self) -> Metric:
        return MaxF()

    def render(self, values: Array) -> NDArray[np.uint8]:
        return draw_share(values)

    def to_picture(self, values: Array) -> Image.Image:
        """The probability times 255, grey (mode L)."""
        return share_picture(values)

    def check_label(self, label: Array) -> list[str]:
        return not_binary(label)

    def check_counts(self, counts: NDArray[np.int64]) -> list[str]:
        return ["nothing salient"] if counts[0] and not counts[1] else super().check_counts(counts)

    def to_tensor(self, label: Array) -> Tensor:
        return class_tensor(self.name, label, self.channels)
