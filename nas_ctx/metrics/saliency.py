"""The best F-measure of saliency maps over thresholds, with precision weighted above recall."""

from __future__ import annotations

import torch
from torch import Tensor

from nas_ctx.labels import IGNORE
from nas_ctx.metrics.values import SummedMetric, ratio, same_shape

THRESHOLDS = tuple(step / 20 for step in range(1, 20))
"""0.05, 0.10, ..., 0.95; a pixel is salient where its probability is at least the threshold."""

BETA_SQUARED = 0.3
"""Saliency weighs precision above recall."""


def threshold_counts(probability: Tensor, label: Tensor) -> Tensor:
    """Counts per threshold, over the valid pixels: int64 (19, 3) of true positive, predicted and true pixels.

    Args:
        probability: 0..1, any shape.
        label: 0, 1 or 255, same shape.

    >>> threshold_counts(torch.tensor([0.1, 0.9]), torch.tensor([0, 1]))[[0, -2]].tolist()
    [[1, 2, 1], [1, 1, 1]]
    """
    same_shape(probability, label)
    valid = label != IGNORE
    probability, positive = probability[valid], label[valid] == 1
    # How many thresholds each pixel reaches, compared in the precision of the map as `probability >= 0.35` would be.
    reached = torch.bucketize(probability, torch.tensor(THRESHOLDS).to(probability), right=True)
    steps = len(THRESHOLDS) + 1
    true_positive, predicted = (
        torch.bincount(part, minlength=steps).flip(0).cumsum(0).flip(0)[1:] for part in (reached[positive], reached)
    )
    return torch.stack([true_positive, predicted, positive.sum().expand(steps - 1)], dim=1)


def f_beta(counts: Tensor) -> Tensor:
    """(1 + b) P R / (b P + R), b = 0.3, from (..., 3) counts; 0 where nothing was found. float64."""
    true_positive, predicted, true = counts.unbind(-1)
    # With P = tp/predicted and R = tp/true the fraction is (1 + b) tp / (b true + predicted).
    return ratio((1 + BETA_SQUARED) * true_positive.double(), BETA_SQUARED * true.double() + predicted, empty=0.0)


def max_f(probability: Tensor, label: Tensor) -> Tensor:
    """The best F over the thresholds, precision and recall pooled over every pixel given; 0..1, float64.

    >>> max_f(torch.tensor([0.2, 0.9, 0.4]), torch.tensor([0, 1, 255]))
    tensor(1., dtype=torch.float64)
    """
    return f_beta(threshold_counts(probability, label)).max()


class MaxF(SummedMetric):
    """:func:`max_f` over many batches and processes. ``compute()`` gives ``{"max_f": ...}``.

    >>> metric = MaxF()
    >>> metric.update(torch.tensor([0.2, 0.9, 0.4]), torch.tensor([0, 1, 255]))
    >>> metric.compute()["max_f"]
    tensor(1., dtype=torch.float64)
    """

    higher_is_better = True
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_sum("counts", torch.zeros(len(THRESHOLDS), 3, dtype=torch.long))

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add probabilities and labels of one shape."""
        self.counts += threshold_counts(prediction, label)

    def compute(self) -> dict[str, Tensor]:
        """The score over everything that was added; 0 when nothing was found anywhere."""
        return {"max_f": f_beta(self.counts).max()}
