"""How a check reports a fault: one message with the component's name, what was expected, why, and how to fix it."""

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


def close(actual: Tensor, expected: Tensor, message: str, *, tolerance: float = 1e-6) -> None:
    """Expect two tensors to be equal up to ``tolerance``, relative to the largest value (and absolute below 1)."""
    actual, expected = actual.detach().double(), expected.detach().double()
    largest = float(expected.abs().max()) if expected.numel() else 0.0

    def one_line(details: str) -> str:
        difference = next((line for line in details.splitlines() if "bsolute difference" in line), details)
        return f"{message} ({difference})"

    allowed = tolerance * max(1.0, largest)
    torch.testing.assert_close(actual, expected, rtol=0, atol=allowed, msg=one_line)


@contextmanager
def doing(what: str, hint: str = "") -> Iterator[None]:
    """Turn an exception raised while the block runs into a message that says what was being done.

    The hint is left out of names that do not exist, which it cannot mean; torch tells a forgotten `super().__init__()`
    by such an error, too.
    """
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        slip = isinstance(error, AttributeError | NameError) and "__init__" not in str(error)
        raise AssertionError(f"{what}: it raised {reason}" + (f". {hint}" if hint and not slip else "")) from error


@contextmanager
def about(prefix: str) -> Iterator[None]:
    """Prefix the messages of failures in the block, usually with the name of the component."""
    try:
        yield
    except AssertionError as error:
        error.args = (f"{prefix}{error}",)
        raise


def run_all(checks: Iterable[Check[T]], part: T) -> None:
    """Run each check of a component, and restore torch's random state.

    Messages begin with the ``prefix`` of the component if it has one, otherwise with its name.
    """
    with torch.random.fork_rng(devices=[]), about(getattr(part, "prefix", f"{name_of(part)}: ")):
        for check in checks:
            torch.manual_seed(0)
            with doing(check.__name__.replace("_", " ")):
                check(part)


def name_of(part: Any) -> str:
    """What a class, a function or an object is called in messages."""
    return getattr(part, "__name__", None) or type(part).__name__
