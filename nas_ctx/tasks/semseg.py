"""Semantic segmentation, and the base class of tasks with one class per pixel."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchmetrics import Metric

from nas_ctx.errors import InputError
from nas_ctx.labels import IGNORE
from nas_ctx.metrics import MeanIoU
from nas_ctx.tasks import losses, options
from nas_ctx.tasks.base import Array, Task, register_task
from nas_ctx.tasks.checks import not_classes
from nas_ctx.tasks.drawing import class_picture, draw_classes


class ClassMap(Task):
    """One class per pixel: cross-entropy, mean IoU; the classes are the regions too."""

    metric_name = "miou"
    higher_is_better = True

    def __init__(self, classes: int, weight: float) -> None:
        self.classes = self.channels = self.regions = self.label_classes = options.whole(
            self.name, "classes", classes, 2, IGNORE
        )
        self.weight = options.number(self.name, "weight", weight, 0)

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return losses.cross_entropy(logits, label)

    def partition(self, label: Tensor) -> Tensor:
        return label

    def predict(self, logits: Tensor) -> Tensor:
        """The most probable class, int64 (B, H, W)."""
        return logits.argmax(dim=1)

    def metric(self) -> Metric:
        return MeanIoU(self.classes)

    def render(self, values: Array) -> NDArray[np.uint8]:
        return draw_classes(values, self.classes)

    def to_picture(self, values: Array) -> Image.Image:
        """The number of the class, with a palette (mode P)."""
        return class_picture(values, self.classes)

    def check_label(self, label: Array) -> list[str]:
        return not_classes(label, self.classes)

    def to_tensor(self, label: Array) -> Tensor:
        return class_tensor(self.name, label, self.classes)


def class_tensor(task: str, label: Array, classes: int) -> Tensor:
    """A class map (H, W) as int64 tensor; a class that the task does not have raises :class:`InputError`."""
    tensor = torch.from_numpy(np.asarray(label).astype(np.int64))
    if (wrong := tensor[((tensor < 0) | (tensor >= classes)) & (tensor != IGNORE)]).numel():
        raise InputError(f"tasks.{task}: a label holds class {wrong[0].item()}, expected 0..{classes - 1} or {IGNORE}")
    return tensor


@register_task("semseg")
class SemSeg(ClassMap):
    """Semantic segmentation into ``classes`` classes.

    >>> SemSeg(classes=21).channels
    21
    """

    name = "semseg"

    def __init__(self, *, classes: int = 40, weight: float = 1.0) -> None:
        super().__init__(classes, weight)
