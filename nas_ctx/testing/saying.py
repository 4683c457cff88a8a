"""How checks speak: one message that says what was expected, why, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
Check = Callable[[T], None]


def expect(holds: bool, message: str) -> None:
    """Raise the message as an :class:`AssertionError` where something does not hold (also under ``python -O``)."""
    if not holds:
        raise AssertionError(message)


@contextmanager
def doing(what: str, hint: str = "") -> Iterator[None]:
    """Turn whatever a part raises while the block runs into a message that says what it was asked for."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise AssertionError(f"{what}: it raised {said}" + (f". {hint}" if hint else "")) from error


def close(got: Tensor, wanted: Tensor, message: str, *, tolerance: float = 1e-6) -> None:
    """Expect two tensors to be equal up to ``tolerance``, relative to the largest value (and absolute below 1)."""
    got, wanted = got.detach(), wanted.detach()
    difference = float((got.double() - wanted.double()).abs().max()) if got.numel() else 0.0
    allowed = tolerance * max(1.0, float(wanted.double().abs().max()) if wanted.numel() else 0.0)
    expect(difference <= allowed, f"{message} (they differ by {difference:.2g})")


def run_all(checks: Iterable[Check[T]], part: T) -> None:
    """Run each check of a part, with torch's random numbers as they were afterwards."""
    with torch.random.fork_rng(devices=[]):
        for check in checks:
            torch.manual_seed(0)
            check(part)


def name_of(part: Any) -> str:
    """What a class, a function or an object is called in messages."""
    return getattr(part, "__name__", None) or type(part).__name__
