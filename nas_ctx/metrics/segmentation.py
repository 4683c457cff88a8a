"""Mean intersection over union of class maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas_ctx.labels import IGNORE
from nas_ctx.metrics.values import SummedMetric, ratio, same_shape


def confusion_matrix(prediction: Tensor, label: Tensor, classes: int) -> Tensor:
    """Count pixels by true class (rows) and predicted class (columns).

    Args:
        prediction: integers in 0..classes-1, any shape.
        label: integers of the same shape; 255 is left out.
        classes: number of classes.

    Returns:
        int64 of shape (classes, classes).

    >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 255]), classes=2).tolist()
    [[1, 1], [0, 0]]
    """
    same_shape(prediction, label)
    valid = label != IGNORE
    pairs = label[valid].long() * classes + prediction[valid].long()
    return torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def iou_per_class(confusion: Tensor) -> Tensor:
    """TP / (TP + FP + FN) of every class, float64 of shape (classes,). An absent class has 0.

    >>> iou_per_class(torch.tensor([[1, 1], [0, 0]])).tolist()
    [0.5, 0.0]
    """
    hits = confusion.diagonal()
    return ratio(hits, confusion.sum(0) + confusion.sum(1) - hits, empty=0.0)


def mean_iou(prediction: Tensor, label: Tensor, classes: int) -> Tensor:
    """Mean over **all** classes of the intersection over union, pooled over every pixel given; 0..1, float64.

    A class that appears in neither map counts as 0, as in the tables of multi-task dense prediction, so the number of a
    subset is not comparable with that of the whole set.

    >>> mean_iou(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), classes=2)
    tensor(0.5000, dtype=torch.float64)
    """
    return iou_per_class(confusion_matrix(prediction, label, classes)).mean()


class MeanIoU(SummedMetric):
    """:func:`mean_iou` over many batches and processes. ``compute()`` gives ``{"miou": ...}``.

    After it ``details`` has the IoU of every class, the :func:`confusion_matrix`, and the classes that are neither true
    nor predicted anywhere and so count 0, as lists of numbers.

    >>> metric = MeanIoU(classes=2)
    >>> metric.update(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
    >>> metric.compute()["miou"]
    tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = True
    confusion: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.details: dict[str, Any] = {}
        self.add_sum("confusion", torch.zeros(classes, classes, dtype=torch.long))

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add class maps of one shape; see :func:`confusion_matrix`."""
        self.confusion += confusion_matrix(prediction, label, self.classes)

    def compute(self) -> dict[str, Tensor]:
        """The score over everything that was added."""
        scores = iou_per_class(self.confusion)
        absent = (self.confusion.sum(0) + self.confusion.sum(1) == 0).nonzero().flatten()
        self.details = {
            "iou_per_class": scores.tolist(),
            "confusion_matrix": self.confusion.tolist(),
            "absent_classes": absent.tolist(),
        }
        return {"miou": scores.mean()}
