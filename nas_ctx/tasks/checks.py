"""Checks of stored labels that several tasks share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.labels import IGNORE


def not_finite(label: NDArray[Any]) -> list[str]:
    """Describe values that are NaN or infinite, if there are any.

    >>> not_finite(np.array([1.0, np.nan]))
    ['1 values are not finite']
    """
    count = np.count_nonzero(~np.isfinite(label))
    return [f"{count} values are not finite"] if count else []


def not_binary(label: NDArray[Any]) -> list[str]:
    """Describe values other than 0, 1 and 255, if there are any."""
    count = np.count_nonzero(~np.isin(label, (0, 1, IGNORE)))
    return [f"{count} values are neither 0 nor 1"] if count else []
