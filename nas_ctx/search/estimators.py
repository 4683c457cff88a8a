"""How a step samples its mixture, so that its gradient tells alpha which candidate to prefer.

All estimators draw by the Gumbel-max trick: alpha plus Gumbel noise is largest at value i with probability
softmax(alpha)_i. They differ in what the network computes with, and in the gradient that alpha gets of it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import one_hot

Estimator = Callable[[Tensor, Tensor, float], Tensor]
"""(alpha, Gumbel noise, temperature) -> weights; alpha and weights are (choices, largest choice), padded with -inf and
0, the noise has the same shape."""


def gumbel(alpha: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """The Gumbel-softmax itself: a mixture of all values, the sharper the cooler (SNAS, Xie et al. 2019; supplement A).

    >>> gumbel(torch.zeros(1, 2), torch.zeros(1, 2), 1.0)
    tensor([[0.5000, 0.5000]])
    """
    return ((alpha + noise) / temperature).softmax(-1)


def gdas(alpha: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """One value, with the gradient of the Gumbel-softmax (GDAS, Dong and Yang 2019, eq. 3 to 5).

    The network evaluates nothing but that value, and alpha learns from its output alone.

    >>> gdas(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), 1.0)
    tensor([[0., 1.]])
    """
    return _with_gradient_of(gumbel(alpha, noise, temperature), _drawn(alpha + noise))


def reinmax(alpha: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """One value, with a gradient that is right to second order (ReinMax, Liu et al. 2023, algorithm 2).

    The network evaluates all values, those of weight 0 for their gradient. At a temperature of 1, the expectation of
    the gradient is exact where the loss is quadratic in the weights; the paper takes temperatures of 1 and more.

    >>> reinmax(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), 1.0)
    tensor([[0., 1.]])
    """
    drawn = _drawn(alpha + noise)
    middle = (drawn + (alpha / temperature).softmax(-1)) / 2.0
    # Softmax(alpha) moved to the middle, with the gradient that it has there; -inf less -inf is a value that is out.
    shift = (middle.log() - alpha).detach().nan_to_num(nan=0.0, neginf=-torch.inf)
    return _with_gradient_of(2.0 * (alpha + shift).softmax(-1) - 0.5 * alpha.softmax(-1), drawn)


def _drawn(logits: Tensor) -> Tensor:
    return one_hot(logits.detach().argmax(-1), logits.shape[-1]).to(logits)


def _with_gradient_of(surrogate: Tensor, value: Tensor) -> Tensor:
    return value + (surrogate - surrogate.detach())


ESTIMATORS: MappingProxyType[str, Estimator] = MappingProxyType({"gumbel": gumbel, "gdas": gdas, "reinmax": reinmax})
"""Name in ``search.estimator`` -> estimator."""
ONE_EVALUATED = frozenset({"gdas"})
"""The estimators of which a step evaluates the drawn value only."""
