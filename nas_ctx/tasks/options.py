"""Validation of task options; errors name task, key, value and what was expected."""

from __future__ import annotations

from nas_ctx.errors import InputError


def number(task: str, key: str, value: object, low: float, high: float = float("inf")) -> float:
    """``value`` as a float strictly between ``low`` and ``high``.

    >>> number("edge", "positive_weight", 1.5, 0, 1)
    Traceback (most recent call last):
    nas_ctx.errors.InputError: tasks.edge.positive_weight: 1.5, expected a number between 0 and 1
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and low < value < high:
        return float(value)
    bounds = f"above {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
    raise InputError(f"tasks.{task}.{key}: {value!r}, expected a number {bounds}")


def whole(task: str, key: str, value: object, low: int, high: int) -> int:
    """``value`` as an int in ``low``..``high``.

    >>> whole("semseg", "classes", "40", 2, 255)
    Traceback (most recent call last):
    nas_ctx.errors.InputError: tasks.semseg.classes: '40', expected a whole number from 2 to 255
    """
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise InputError(f"tasks.{task}.{key}: {value!r}, expected a whole number from {low} to {high}")


def text(task: str, key: str, value: object) -> str:
    """``value`` as a str.

    >>> text("depth", "mode", 3)
    Traceback (most recent call last):
    nas_ctx.errors.InputError: tasks.depth.mode: 3, expected text
    """
    if isinstance(value, str):
        return value
    raise InputError(f"tasks.{task}.{key}: {value!r}, expected text")
