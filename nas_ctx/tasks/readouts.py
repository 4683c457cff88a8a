"""How a quantity is read from logits: directly (regression), or as a distribution over its classes.

A task that measures a quantity holds one readout, chosen by its ``mode`` option, and hands it loss and prediction; its
label, partition, metric and picture stay the same, so both ways are compared on equal terms (figure D-1 of the
supplement).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

from nas_ctx.plugins import Registry
from nas_ctx.tasks import losses
from nas_ctx.tasks.coding import DepthBins, TriangularCode


class Readout(ABC):
    """Channels of the logits, their loss against the label, and the quantity they stand for."""

    channels: int

    @abstractmethod
    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """A scalar; 0 when every pixel is ignored."""

    @abstractmethod
    def predict(self, logits: Tensor) -> Tensor:
        """The quantity, in units and layout of the label."""


DEPTH_MODES: Registry[Callable[[DepthBins], Readout]] = Registry("tasks.depth.mode")
NORMALS_MODES: Registry[Callable[[Tensor], Readout]] = Registry("tasks.normals.mode")


@DEPTH_MODES.register("regression")
class DepthRegression(Readout):
    """One channel, in metres; L1."""

    def __init__(self, coding: DepthBins) -> None:
        self.channels = 1

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return losses.l1(logits, label)

    def predict(self, logits: Tensor) -> Tensor:
        return losses.full_precision(logits).clamp(min=0)


@DEPTH_MODES.register("classification")
class DepthClassification(Readout):
    """A channel per logarithmic bin; cross-entropy, and soft-weighted-sum inference."""

    def __init__(self, coding: DepthBins) -> None:
        self.coding = coding
        self.channels = coding.count

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return losses.cross_entropy(logits, self.coding.encode(label.squeeze(1)))

    def predict(self, logits: Tensor) -> Tensor:
        return self.coding.decode(losses.full_precision(logits).softmax(dim=1))


@NORMALS_MODES.register("regression")
class NormalsRegression(Readout):
    """Three channels, scaled to unit length; L1."""

    def __init__(self, codewords: Tensor) -> None:
        self.channels = 3

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return losses.unit_l1(logits, label)

    def predict(self, logits: Tensor) -> Tensor:
        return losses.unit(logits)


@NORMALS_MODES.register("classification")
class NormalsClassification(Readout):
    """A channel per codeword; cross-entropy with the weights in the enclosing triangle, inference by the best one."""

    def __init__(self, codewords: Tensor) -> None:
        self.code = TriangularCode(codewords)
        self.channels = len(codewords)

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Minus the mean over valid pixels of the weighted log probabilities of the three corners."""
        valid = losses.valid_vectors(label)
        directions = label.movedim(1, -1)
        corners, weights = (
            part.view(directions.shape).movedim(-1, 1) for part in self.code.encode(directions.reshape(-1, 3))
        )
        log_probability = losses.full_precision(logits).log_softmax(dim=1).gather(1, corners)
        return losses.mean_over(-(weights * log_probability).sum(1), valid, valid.sum())

    def predict(self, logits: Tensor) -> Tensor:
        return self.code.decode(losses.full_precision(logits).softmax(dim=1))
