"""Steps whose loss or gradient is not finite: they are reported, counted and skipped, or end the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from nas_ctx.errors import InputError

log = logging.getLogger("nas_ctx")


class BadSteps:
    """Counts bad steps, and ends the run at the first one above a limit.

    A bad step changes no parameter: its gradients are dropped before any optimiser sees them. It counts as a step.

    Args:
        allowed: how many bad steps a run may have.
        describe: tells what is known of the step in progress, such as the loss that is not finite and the files.

    >>> bad = BadSteps(allowed=1)
    >>> bad.add(7)
    >>> bad.add(9)
    Traceback (most recent call last):
    nas_ctx.errors.InputError: step 9: the loss or its gradient is not finite; bad step 2 of the run, 1 allowed
    """

    def __init__(self, allowed: int = 0, describe: Callable[[], str] | None = None) -> None:
        self.allowed, self.describe = allowed, describe
        self.count = 0

    def add(self, step: int) -> None:
        """Count a bad step, the ``step``-th of the run.

        Raises:
            InputError: there were too many.
        """
        self.count += 1
        what = self.describe() if self.describe is not None else "the loss or its gradient is not finite"
        message = f"step {step}: {what}; bad step {self.count} of the run, {self.allowed} allowed"
        if self.count > self.allowed:
            raise InputError(message)
        log.warning("%s: left out", message)


def clip(parameters: Iterable[Tensor], limit: float | None, algorithm: str = "norm") -> Tensor:
    """Scale gradients down to a norm of at most ``limit``; return the norm they had, not finite if one of them was not.

    With the algorithm ``"value"``, each entry of a gradient is cut to ``limit`` instead.

    >>> weight = nn.Parameter(torch.zeros(2)); weight.grad = torch.tensor([3.0, 4.0])
    >>> clip([weight], 1.0), weight.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    parameters = list(parameters)
    if limit is None or algorithm == "norm":
        return nn.utils.clip_grad_norm_(parameters, torch.inf if limit is None else limit)
    norm = nn.utils.clip_grad_norm_(parameters, torch.inf)
    nn.utils.clip_grad_value_(parameters, limit)
    return norm


def all_finite(*values: Tensor) -> bool:
    """Whether no entry of the tensors is infinite or not a number. Reads the device once for all of them.

    >>> all_finite(torch.ones(2), torch.tensor(3.0)), all_finite(torch.tensor([0.0, torch.nan]))
    (True, False)
    """
    return bool(torch.stack([torch.isfinite(value.detach()).all() for value in values]).all())
