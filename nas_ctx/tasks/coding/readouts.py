"""How a quantity is read from logits: directly (regression), or as a distribution over its classes.

A task that measures a quantity holds one readout, chosen by its ``mode`` option; its label, partition, metric and
rendering stay the same, so both modes are compared on equal terms (figure D-1 of the supplement).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from nas_ctx.plugins import Registry
from nas_ctx.tasks import losses
from nas_ctx.tasks.coding import DepthBins, TriangularCode


@dataclass(frozen=True)
class Readout:
    """What a mode makes of logits.

    Attributes:
        channels: of the logits.
        loss: ``(logits, label)`` to a scalar, 0 when every pixel is ignored.
        predict: logits to the quantity, in the units and layout of the label.
    """

    channels: int
    loss: Callable[[Tensor, Tensor], Tensor]
    predict: Callable[[Tensor], Tensor]


DEPTH_MODES: Registry[Callable[[DepthBins], Readout]] = Registry("tasks.depth.mode")
NORMALS_MODES: Registry[Callable[[Tensor], Readout]] = Registry("tasks.normals.mode")


@DEPTH_MODES.register("regression")
def depth_regression(coding: DepthBins) -> Readout:
    """One channel, in metres; L1."""
    return Readout(1, losses.l1, non_negative)


@DEPTH_MODES.register("classification")
def depth_classification(coding: DepthBins) -> Readout:
    """One channel per logarithmic bin; cross-entropy, and soft-weighted-sum inference."""
    return Readout(coding.count, partial(bin_loss, coding), partial(decoded, coding))


@NORMALS_MODES.register("regression")
def normals_regression(codewords: Tensor) -> Readout:
    """Three channels, scaled to unit length; L1."""
    return Readout(3, losses.unit_l1, losses.unit)


@NORMALS_MODES.register("classification")
def normals_classification(codewords: Tensor) -> Readout:
    """One channel per codeword; cross-entropy with the weights in the enclosing triangle, inference by the best one."""
    code = TriangularCode(codewords)
    return Readout(len(codewords), partial(triangle_loss, code), partial(decoded, code))


def non_negative(logits: Tensor) -> Tensor:
    """Logits as metres, not below 0."""
    return losses.upcast(logits).clamp(min=0)


def bin_loss(coding: DepthBins, logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy with the bin of each depth."""
    return losses.cross_entropy(logits, coding.encode(label.squeeze(1)))


def triangle_loss(code: TriangularCode, logits: Tensor, label: Tensor) -> Tensor:
    """Minus the mean over valid pixels of the weighted log probabilities of the three corners."""
    valid = losses.valid_vectors(label)
    directions = label.movedim(1, -1)
    corners, weights = (x.view(directions.shape).movedim(-1, 1) for x in code.encode(directions.reshape(-1, 3)))
    log_probability = losses.upcast(logits).log_softmax(dim=1).gather(1, corners)
    return losses.mean_over(-(weights * log_probability).sum(1), valid, valid.sum())


def decoded(coding: DepthBins | TriangularCode, logits: Tensor) -> Tensor:
    """The quantity that the class probabilities encode."""
    return coding.decode(losses.upcast(logits).softmax(dim=1))
