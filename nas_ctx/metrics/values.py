"""What every metric shares: sums over batches and processes, and ratios of them in float64."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


def ratio(numerator: Tensor, denominator: Tensor, empty: float) -> Tensor:
    """``numerator / denominator`` in float64, and ``empty`` where the denominator is 0.

    >>> ratio(torch.tensor([3, 0]), torch.tensor([4, 0]), empty=0.0)
    tensor([0.7500, 0.0000], dtype=torch.float64)
    """
    denominator = denominator.double()
    return torch.where(denominator > 0, numerator.double() / denominator.clamp(min=1e-300), empty)


def same_shape(prediction: Tensor, label: Tensor) -> None:
    """Refuse a prediction and a label of different shapes, which broadcasting would silently combine."""
    if prediction.shape != label.shape:
        raise ValueError(f"prediction is {tuple(prediction.shape)}, but label is {tuple(label.shape)}")


class SummedMetric(Metric):
    """A metric whose state adds up over batches and over processes; ``compute()`` gives a dictionary of scores."""

    full_state_update = False
    is_differentiable = False
    beside_the_score: frozenset[str] = frozenset()
    """Names of states that the task's main score does not need: large ones, which are not kept image by image."""

    def add_sum(self, name: str, zero: Tensor) -> None:
        """Add a state that starts as ``zero`` and is summed when processes come together."""
        self.add_state(name, zero, dist_reduce_fx="sum")
