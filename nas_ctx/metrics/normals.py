"""Angles between predicted and true surface normals."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_ctx.labels import IGNORE
from nas_ctx.metrics.values import SummedMetric, ratio, same_shape

LIMITS = (11.25, 22.5, 30.0)
"""Degrees; the share of pixels below each is part of every table on surface normals."""

BINS_PER_DEGREE = 1000
"""The running median is read from a histogram this fine, so it is right to half a thousandth of a degree."""


def angular_errors(prediction: Tensor, label: Tensor) -> Tensor:
    """Degrees between the valid normals of two maps, float64 of shape (valid pixels,).

    ``2 atan2(|p - t|, |p + t|)`` of unit vectors keeps its accuracy where ``arccos(p . t)`` loses it, near 0 and 180
    degrees.

    Args:
        prediction: (..., 3, H, W), scaled to unit length here; a zero vector counts as 90 degrees off.
        label: (..., 3, H, W); a pixel of 255s is left out.

    >>> angular_errors(torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1), torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1))
    tensor([90.], dtype=torch.float64)
    """
    same_shape(prediction, label)
    valid = (label != IGNORE).all(dim=-3)
    p = F.normalize(prediction.movedim(-3, -1)[valid].double(), dim=-1)
    t = F.normalize(label.movedim(-3, -1)[valid].double(), dim=-1)
    return torch.rad2deg(2 * torch.atan2((p - t).norm(dim=-1), (p + t).norm(dim=-1)))


def mean_angular_error(prediction: Tensor, label: Tensor) -> Tensor:
    """Mean of :func:`angular_errors` in degrees; nan when no pixel is valid.

    >>> mean_angular_error(torch.zeros(3, 1, 1), torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1))
    tensor(90., dtype=torch.float64)
    """
    return angular_errors(prediction, label).mean()


class AngularErrors(SummedMetric):
    """Angular errors over many batches and processes.

    ``compute()`` gives degrees in ``mean_angle`` and ``median_angle`` and shares (0..1) in ``below_11.25``,
    ``below_22.5`` and ``below_30``. The median comes from a histogram of 1/1000 degree, since keeping every pixel of
    a data set is out of the question; all other values are exact.

    >>> metric = AngularErrors()
    >>> metric.update(torch.zeros(3, 1, 1), torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1))
    >>> metric.compute()["mean_angle"]
    tensor(90., dtype=torch.float64)
    """

    higher_is_better = False
    beside_the_score = frozenset({"histogram"})
    count: Tensor
    total: Tensor
    below: Tensor
    histogram: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_sum("count", torch.zeros((), dtype=torch.long))
        self.add_sum("total", torch.zeros((), dtype=torch.float64))
        self.add_sum("below", torch.zeros(len(LIMITS), dtype=torch.long))
        self.add_sum("histogram", torch.zeros(180 * BINS_PER_DEGREE, dtype=torch.long))

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add maps of normals, (..., 3, H, W)."""
        errors = angular_errors(prediction, label)
        self.count += len(errors)
        self.total += errors.sum()
        self.below += torch.stack([(errors < limit).sum() for limit in LIMITS])
        bins = (errors * BINS_PER_DEGREE).long().clamp(max=len(self.histogram) - 1)
        self.histogram += torch.bincount(bins, minlength=len(self.histogram))

    def compute(self) -> dict[str, Tensor]:
        """The errors over everything that was added; nan when no pixel was valid."""
        shares = ratio(self.below, self.count, empty=torch.nan)
        return {
            "mean_angle": ratio(self.total, self.count, empty=torch.nan),
            "median_angle": histogram_median(self.histogram) / BINS_PER_DEGREE,
            **{f"below_{limit:g}": share for limit, share in zip(LIMITS, shares, strict=True)},
        }


def histogram_median(histogram: Tensor) -> Tensor:
    """The median of values counted in bins of width 1, each value taken at the middle of its bin; nan when empty.

    >>> histogram_median(torch.tensor([1, 0, 1])), histogram_median(torch.tensor([0, 3, 1]))
    (tensor(1.5000, dtype=torch.float64), tensor(1.5000, dtype=torch.float64))
    """
    cumulated = histogram.cumsum(0)
    count = cumulated[-1]
    middle = torch.stack([(count + 1) // 2, count // 2 + 1])  # the one or two central ranks, counted from 1
    centres = torch.searchsorted(cumulated, middle).double() + 0.5
    return torch.where(count > 0, centres.mean(), torch.nan)
