"""What a component returns against what it should: one line at the fault, not an error of torch far behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas_ctx.errors import InputError


def check_shape(value: Any, expected: tuple[int, ...], who: str, check: str, key: str = "") -> None:
    """Refuse what is no tensor of the shape ``expected``. It costs a comparison, so that it can stand in every step.

    Args:
        who: key and name of the component, and where it is used.
        check: the function of ``nas_ctx.testing`` that finds such faults.
        key: of what it returns, such as the name of a task.

    Raises:
        InputError: it is none.

    >>> check_shape([1.0], (2, 3), "model.head: Plain", "check_head")
    Traceback (most recent call last):
    nas_ctx.errors.InputError: model.head: Plain: returned a list, expected (2, 3); nas_ctx.testing.check_head checks it
    """
    if getattr(value, "shape", None) != expected:
        of = f" for {key!r}" if key else ""
        raise InputError(
            f"{who}: returned {described(value)}{of}, expected {tuple(expected) or 'a scalar tensor'}; "
            f"nas_ctx.testing.{check} checks it"
        )


def check_shapes(values: Any, expected: Mapping[str, tuple[int, ...]], who: str, check: str) -> None:
    """:func:`check_shape` of each tensor in a mapping."""
    if not isinstance(values, Mapping) or set(values) != set(expected):
        got = f"a mapping of {', '.join(map(str, values)) or 'nothing'}" if isinstance(values, Mapping) else None
        raise InputError(
            f"{who}: returned {got or described(values)}, expected a mapping of {', '.join(expected)}; "
            f"nas_ctx.testing.{check} checks it"
        )
    for key, shape in expected.items():
        check_shape(values[key], shape, who, check, key)


def described(value: Any) -> str:
    """A shape, or what something without one is.

    >>> described(None), described(1.5)
    ('None', 'a float')
    """
    if value is None:
        return "None"
    return str(tuple(value.shape)) if hasattr(value, "shape") else f"a {type(value).__name__}"
