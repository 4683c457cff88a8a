"""The base class of tasks: channels, loss, label partition, metric, and how labels are transformed and drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchmetrics import Metric

from nas_ctx.labels import IGNORE
from nas_ctx.plugins import Registry, subclass_of
from nas_ctx.plugins.returned import check_shape
from nas_ctx.tasks import losses
from nas_ctx.tasks.checks import not_finite

Array = NDArray[Any]


class Task(ABC):
    """Everything that the package needs to know about one dense prediction task.

    Tensors: logits are (B, channels, H, W) at the resolution of the label. A label is int64 (B, H, W) for classes,
    float32 (B, C, H, W) for quantities; 255 is the ignore value everywhere, of a quantity in all its channels. Logits
    may be half precision, labels never are.

    A new task is a subclass with options as keyword arguments of its constructor, anywhere: ``tasks.<name>.type`` in a
    configuration names it. Five methods are required, those without a body here; :func:`nas_ctx.testing.check_task`
    checks whether a task satisfies its contract.
    """

    name: ClassVar[str]
    metric_name: str
    """The key of the main score in the result of ``metric().compute()``."""
    higher_is_better: bool
    weight: float
    """The weight of the loss, and of the auxiliary loss, in the total loss."""
    channels: int
    """Channels of the final logits."""
    regions: int
    """Classes of the auxiliary prediction, which partitions the label space into regions."""
    labels: str | None = None
    """The folder of its label files in the data set, from the option ``labels``; None where the layout knows it."""
    label_classes: int = 0
    """How many classes the values of a label name, from 0; 0 where they are a quantity."""
    pad_value: float = float(IGNORE)
    """What a label is padded with before :meth:`mark_ignore`."""

    @abstractmethod
    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """The unweighted loss of the final prediction, a scalar; 0 when every pixel is ignored."""

    @abstractmethod
    def partition(self, label: Tensor) -> Tensor:
        """The region of every pixel: int64 (B, H, W), 0..regions-1 or 255."""

    def auxiliary_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """The unweighted loss of an auxiliary prediction (B, regions, H, W): cross-entropy with :meth:`partition`."""
        regions = self.partition(label)
        check_shape(regions, (len(logits), *logits.shape[2:]), f"tasks: {type(self).__name__}.partition", "check_task")
        return losses.cross_entropy(logits, regions.long())

    @abstractmethod
    def predict(self, logits: Tensor) -> Tensor:
        """The prediction in the units and layout of the label: a class, metres, unit vectors or a probability."""

    @abstractmethod
    def metric(self) -> Metric:
        """A fresh metric: ``update(predict(logits), label)`` per batch, and ``compute()`` gives a dictionary of scores.

        Its ``higher_is_better`` is the task's; what it adds up must be states (``add_state``).
        """

    @abstractmethod
    def render(self, values: Array) -> NDArray[np.uint8]:
        """One predicted or true map (H, W), or (H, W, 3) for vectors, as an image: uint8 (H, W, 3)."""

    def to_picture(self, values: Array) -> Image.Image:
        """One predicted map as the picture that ``nas-ctx predict`` writes; by default as drawn.

        Where the values fit into a picture, other programs read them back from it: :class:`PIL.Image.Image` of mode P
        (a class), I;16 or L.
        """
        return Image.fromarray(self.render(values))

    # Transforms call these while the label is still an array, (H, W) or (H, W, 3).

    def scale(self, label: Array, factor: float) -> Array:
        """Correct the values of a label whose image was magnified by ``factor``."""
        return label

    def flip(self, label: Array) -> Array:
        """Correct the values of a label that has already been mirrored left to right."""
        return label

    def mark_ignore(self, label: Array) -> Array:
        """Write 255 where the label is invalid; the last step before :meth:`to_tensor`."""
        return label

    def no_label(self, size: tuple[int, int]) -> Tensor:
        """The label of an image (H, W) without one, as in a batch: 255 everywhere."""
        prediction = self.predict(torch.zeros(1, self.channels, 2, 2))
        channels = prediction.shape[1:2] if prediction.ndim == 4 and prediction.shape[1] > 1 else ()
        return self.to_tensor(np.full((*size, *channels), IGNORE, np.float32))

    def check_label(self, label: Array) -> list[str]:
        """Faults of a label as stored, one phrase each, which ``nas-ctx data check`` lists.

        By default only values that are not finite are faults. A run refuses labels whose faults are
        :class:`nas_ctx.labels.Unusable`.
        """
        return not_finite(label)

    def check_counts(self, counts: NDArray[np.int64]) -> list[str]:
        """Faults of many labels together, from how many of their pixels have each value 0..255: int64 (256,).

        It is asked where there are ``label_classes``. Each is a phrase that "in any of 8 labels" may follow. By default
        labels of one class throughout are at fault.
        """
        present = np.flatnonzero(counts[: self.label_classes])
        return [f"no class but {present[0]}"] if len(present) == 1 else []

    def to_tensor(self, label: Array) -> Tensor:
        """The label as in a batch, without the batch dimension; by default that of a quantity, float32 (C, H, W)."""
        array = np.asarray(label, dtype=np.float32)
        array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(array))


TASKS: Registry[type[Task]] = Registry("task", group="nas_ctx.tasks", validator=subclass_of(Task))
register_task = TASKS.register
