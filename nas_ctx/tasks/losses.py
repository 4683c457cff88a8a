"""The losses of the tasks as functions. Each is a sum over valid pixels divided by their number, at least 1.

A batch without a valid pixel therefore costs exactly 0, with a gradient of zeros. Half-precision logits are converted
to float32, in which sums over hundreds of thousands of pixels do not overflow.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_ctx.labels import IGNORE


def upcast(logits: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; float32 and float64 as they are."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def mean_over(values: Tensor, valid: Tensor, count: Tensor) -> Tensor:
    """Sum of ``values`` where ``valid``, over ``count`` or 1 if that is 0."""
    return torch.where(valid, values, 0).sum() / count.clamp(min=1)


def cross_entropy(logits: Tensor, label: Tensor, class_weight: Tensor | None = None) -> Tensor:
    """Sum of the (weighted) cross-entropy over valid pixels, divided by the number of valid pixels.

    Args:
        logits: (B, C, H, W).
        label: int64 (B, H, W), 0..C-1 or 255.
        class_weight: (C,). The division is by the number of pixels, not by the sum of their weights.

    >>> cross_entropy(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 255]]])) == torch.tensor(2.0).log()
    tensor(True)
    """
    logits = upcast(logits)
    weight = None if class_weight is None else class_weight.to(logits)
    total = F.cross_entropy(logits, label, weight=weight, ignore_index=IGNORE, reduction="sum")
    return total / (label != IGNORE).sum().clamp(min=1)


def negatives_share(label: Tensor) -> Tensor:
    """Negatives over valid pixels of a batch of {0, 1, 255}; 0 when no pixel is valid.

    >>> negatives_share(torch.tensor([0, 0, 0, 1, 255]))
    tensor(0.7500)
    """
    return (label == 0).sum() / (label != IGNORE).sum().clamp(min=1)


def l1(prediction: Tensor, label: Tensor) -> Tensor:
    """Mean absolute difference over valid values; both (B, 1, H, W).

    >>> l1(torch.tensor([1.0, 7.0]), torch.tensor([3.0, 255.0]))
    tensor(2.)
    """
    prediction = upcast(prediction)
    valid = label != IGNORE
    return mean_over((prediction - label).abs(), valid, valid.sum())


def unit(vectors: Tensor) -> Tensor:
    """Vectors (B, 3, H, W) at length 1, in full precision; a zero vector stays zero.

    Shorter than 1e-6 they are only divided by that, which bounds the gradient near zero.
    """
    return F.normalize(upcast(vectors), dim=1, eps=1e-6)


def unit_l1(prediction: Tensor, label: Tensor) -> Tensor:
    """L1 distance of unit vectors summed over the channels, divided by the number of valid pixels.

    Args:
        prediction: (B, 3, H, W), scaled to length 1 here.
        label: unit vectors (B, 3, H, W); a pixel of 255s is left out.

    >>> unit_l1(torch.tensor([2.0, 0, 0]).view(1, 3, 1, 1), torch.tensor([0, 1.0, 0]).view(1, 3, 1, 1))
    tensor(2.)
    """
    valid = valid_vectors(label)
    return mean_over((unit(prediction) - label).abs().sum(1), valid, valid.sum())


def valid_vectors(label: Tensor) -> Tensor:
    """Where a map of vectors (B, 3, H, W) holds one: bool (B, H, W)."""
    return (label != IGNORE).all(dim=1)


def balanced_binary(logits: Tensor, label: Tensor, positive_weight: float) -> Tensor:
    """w y softplus(-x) + (1 - w) (1 - y) softplus(x), mean over valid pixels; all (B, 1, H, W).

    >>> balanced_binary(torch.zeros(2), torch.tensor([1.0, 255.0]), 0.8) == 0.8 * torch.tensor(2.0).log()
    tensor(True)
    """
    logits = upcast(logits)
    valid = label != IGNORE
    positive = positive_weight * label * F.softplus(-logits)
    negative = (1 - positive_weight) * (1 - label) * F.softplus(logits)
    return mean_over(positive + negative, valid, valid.sum())
