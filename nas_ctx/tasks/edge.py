"""Boundaries of objects."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchmetrics import Metric

from nas_ctx.metrics import BoundaryF
from nas_ctx.metrics.boundary import boundary_name
from nas_ctx.tasks import losses, options
from nas_ctx.tasks.base import Array, Task, register_task
from nas_ctx.tasks.checks import not_binary
from nas_ctx.tasks.drawing import draw_share, share_picture


@register_task("edge")
class Edge(Task):
    """Boundary detection by balanced logistic regression.

    Args:
        positive_weight: weight of boundary pixels, 1 minus it for the others; 0.8 on NYUD-v2, 0.95 on PASCAL-Context.
        max_dist: matching radius of the metric over the image diagonal; 0.011 on NYUD-v2, 0.0075 on PASCAL-Context.
        thresholds: of the metric. 99 gives the published ``ods_f``; the default of 9 serves validation during
            training at a tenth of the time, and its score is called ``ods_f_9``.

    >>> Edge().metric_name, Edge(thresholds=99).metric_name
    ('ods_f_9', 'ods_f')
    """

    name = "edge"
    higher_is_better = True
    channels = 1
    regions = label_classes = 2

    def __init__(
        self,
        *,
        positive_weight: float = 0.8,
        max_dist: float = 0.011,
        thresholds: int = 9,
        weight: float = 50.0,
    ) -> None:
        self.weight = options.number(self.name, "weight", weight, 0)
        self.positive_weight = options.number(self.name, "positive_weight", positive_weight, 0, 1)
        self.max_dist = options.number(self.name, "max_dist", max_dist, 0, 1)
        self.thresholds = options.whole(self.name, "thresholds", thresholds, 1, 999)
        self.metric_name = boundary_name("ods_f", self.thresholds)

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return losses.balanced_binary(logits, label, self.positive_weight)

    def partition(self, label: Tensor) -> Tensor:
        return label.squeeze(1).long()

    def auxiliary_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross-entropy of two classes with the weights of the main loss."""
        weight = torch.tensor([1 - self.positive_weight, self.positive_weight])
        return losses.cross_entropy(logits, self.partition(label), weight)

    def predict(self, logits: Tensor) -> Tensor:
        """The probability of a boundary, (B, 1, H, W)."""
        return losses.upcast(logits).sigmoid()

    def metric(self) -> Metric:
        return BoundaryF(self.max_dist, self.thresholds)

    def render(self, values: Array) -> NDArray[np.uint8]:
        return draw_share(values)

    def to_picture(self, values: Array) -> Image.Image:
        """The probability times 255, grey (mode L)."""
        return share_picture(values)

    def check_label(self, label: Array) -> list[str]:
        return not_binary(label)

    def check_counts(self, counts: NDArray[np.int64]) -> list[str]:
        return ["no boundary"] if counts[0] and not counts[1] else super().check_counts(counts)
