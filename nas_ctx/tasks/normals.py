"""Surface normals: unit vectors in the frame of the camera."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from nas_ctx.metrics import IGNORE, AngularErrors
from nas_ctx.tasks import losses, options
from nas_ctx.tasks.base import Array, Task, quantity_to_tensor, register_task
from nas_ctx.tasks.coding import fibonacci_sphere, nearest_codeword
from nas_ctx.tasks.drawing import draw_normals


@register_task("normals")
class Normals(Task):
    """Normals by L1 regression of unit vectors; a pixel's region is the nearest of ``codewords`` directions.

    >>> Normals().partition(torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)).item()
    0
    """

    name = "normals"
    metric_name = "mean_angle"
    higher_is_better = False
    channels = 3
    pad_value = 0.0

    def __init__(self, *, codewords: int = 40, weight: float = 10.0) -> None:
        self.weight = options.number(self.name, "weight", weight, 0)
        self.regions = options.whole(self.name, "codewords", codewords, 4, IGNORE)
        self.codebook = fibonacci_sphere(self.regions)

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return losses.unit_l1(logits, label)

    def partition(self, label: Tensor) -> Tensor:
        directions = label.movedim(1, -1)
        nearest = nearest_codeword(directions.reshape(-1, 3), self.codebook).view(directions.shape[:-1])
        return torch.where(losses.valid_vectors(label), nearest, IGNORE)

    def predict(self, logits: Tensor) -> Tensor:
        """Unit vectors, (B, 3, H, W)."""
        return losses.unit(logits)

    def metric(self) -> Metric:
        return AngularErrors()

    def render(self, values: Array) -> NDArray[np.uint8]:
        return draw_normals(values)

    def flip(self, label: Array) -> Array:
        """In a mirror image surfaces face the other way along x; 0 stays 0."""
        return label * np.array([-1, 1, 1], label.dtype)

    def mark_ignore(self, label: Array) -> Array:
        """A zero vector, or one that is not finite, says nothing."""
        says = np.isfinite(label).all(-1, keepdims=True) & (label != 0).any(-1, keepdims=True)
        return np.where(says, label, np.float32(IGNORE))

    def to_tensor(self, label: Array) -> Tensor:
        return quantity_to_tensor(label)
