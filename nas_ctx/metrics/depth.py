"""Errors of depth maps: root mean square in metres and in log space, and the share within a factor of 1.25^k."""

from __future__ import annotations

import torch
from torch import Tensor

from nas_ctx.labels import IGNORE
from nas_ctx.metrics.values import SummedMetric, ratio, same_shape

SMALLEST = 1e-3
"""Predictions are clamped to a millimetre before a logarithm is taken; log(0) would make the whole error infinite."""

FACTORS = (1.25, 1.25**2, 1.25**3)


def depth_sums(prediction: Tensor, label: Tensor) -> Tensor:
    """Sums over the valid pixels, from which the errors of several batches are computed.

    Args:
        prediction: metres, any shape; negative values are taken as 0.
        label: metres, same shape; 255 is left out.

    Returns:
        float64 of shape (6,): squared errors, squared log errors, pixels within each factor, valid pixels.

    >>> depth_sums(torch.tensor([2.0, 9.0]), torch.tensor([1.0, 255.0])).round(decimals=2).tolist()
    [1.0, 0.48, 0.0, 0.0, 0.0, 1.0]
    """
    same_shape(prediction, label)
    valid = label != IGNORE
    truth = label[valid].double()
    depth = prediction[valid].double().clamp(min=0)
    log_ratio = depth.clamp(min=SMALLEST).log() - truth.log()
    larger = torch.maximum(depth / truth, truth / depth)  # a prediction of 0 gives inf, and is within no factor
    within = [(larger < factor).double().sum() for factor in FACTORS]
    count = torch.tensor(truth.numel(), dtype=torch.float64, device=truth.device)
    return torch.stack([(depth - truth).square().sum(), log_ratio.square().sum(), *within, count])


def depth_scores(sums: Tensor) -> dict[str, Tensor]:
    """The errors computed from :func:`depth_sums`; nan when no pixel was valid.

    >>> sorted(depth_scores(torch.tensor([8.0, 0.5, 1.0, 2.0, 2.0, 2.0])))
    ['delta1', 'delta2', 'delta3', 'log_rmse', 'rmse']
    """
    square, log_square, first, second, third = ratio(sums[:5], sums[5], empty=torch.nan)
    return {
        "rmse": square.sqrt(),
        "log_rmse": log_square.sqrt(),
        "delta1": first,
        "delta2": second,
        "delta3": third,
    }


def depth_rmse(prediction: Tensor, label: Tensor) -> Tensor:
    """Root of the mean squared error in metres, pooled over every valid pixel given; float64.

    Invalid pixels (255) do not take part; some published code scores them as 255 m by mistake.

    >>> depth_rmse(torch.tensor([2.0, 9.0]), torch.tensor([4.0, 255.0]))
    tensor(2., dtype=torch.float64)
    """
    return depth_scores(depth_sums(prediction, label))["rmse"]


class DepthErrors(SummedMetric):
    """Depth errors over many batches and processes: ``rmse``, ``log_rmse`` (natural logarithm), ``delta1..3`` (0..1).

    >>> metric = DepthErrors()
    >>> metric.update(torch.tensor([2.0, 9.0]), torch.tensor([4.0, 255.0]))
    >>> metric.compute()["rmse"]
    tensor(2., dtype=torch.float64)
    """

    higher_is_better = False
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_sum("sums", torch.zeros(6, dtype=torch.float64))

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add depth maps of one shape, in metres."""
        self.sums += depth_sums(prediction, label)

    def compute(self) -> dict[str, Tensor]:
        """The errors over everything that was added."""
        return depth_scores(self.sums)
