"""Which dtype is computed in: ours to say, not autocast's, inside operations with a backward pass of their own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """``x`` in float32 at least.

    >>> wide(torch.zeros(1, dtype=torch.bfloat16)).dtype, wide(torch.zeros(1, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def backward_pass(function: Callable[..., Any]) -> Any:
    """Makes ``function(ctx, gradient, ...)`` the backward pass of an ``autograd.Function``: without autocast, which may
    be on where somebody calls ``backward()``, and without a derivative of its own."""

    @functools.wraps(function)
    def without_autocast(ctx: Any, gradient: Tensor, *others: Tensor) -> Any:
        with torch.autocast(gradient.device.type, enabled=False):
            return function(ctx, gradient, *others)

    return torch.autograd.function.once_differentiable(without_autocast)
