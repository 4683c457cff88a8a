"""The dtype of computations that must not depend on autocast, since they have a backward pass of their own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def upcast(x: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; float32 and float64 as they are.

    >>> upcast(torch.zeros(1, dtype=torch.bfloat16)).dtype, upcast(torch.zeros(1, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """A context without autocast on the device of ``x``. The meta device, where networks are traced, has none."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


def backward_pass(function: Callable[..., Any]) -> Any:
    """Makes ``function(ctx, gradient, ...)`` the backward pass of an ``autograd.Function``: without autocast, which may
    be on where ``backward()`` is called, and without a second derivative.

    ``torch.amp.custom_bwd`` restores the autocast of one device type, named where a function is defined; these
    functions run on any device.
    """

    @functools.wraps(function)
    def in_full_precision(ctx: Any, gradient: Tensor, *others: Tensor) -> Any:
        with without_autocast(gradient):
            return function(ctx, gradient, *others)

    return torch.autograd.function.once_differentiable(in_full_precision)
