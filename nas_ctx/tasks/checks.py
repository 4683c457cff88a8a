"""Checks of stored labels that several tasks share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.labels import IGNORE, NoClass, Unusable


def not_finite(label: NDArray[Any]) -> list[str]:
    """Describe values that are NaN or infinite, if there are any.

    >>> not_finite(np.array([1.0, np.nan]))
    ['1 values are not finite']
    """
    count = np.count_nonzero(~np.isfinite(label))
    return [f"{count} values are not finite"] if count else []


def not_binary(label: NDArray[Any]) -> list[str]:
    """Describe values other than 0, 1 and 255; and a label that has something, but not 1.

    >>> not_binary(np.array([0, 255, 255]))
    ['holds values up to 255 and no 1: expected 0 and 1 (255 is ignored); write 1 for what it marks']
    """
    if (label == 0).any() and label.any() and not (label == 1).any():
        expected = f"expected 0 and 1 ({IGNORE} is ignored); write 1 for what it marks"
        return [Unusable(f"holds values up to {label.max():g} and no 1: {expected}")]
    count = np.count_nonzero(~np.isin(label, (0, 1, IGNORE)))
    return [f"{count} values are neither 0 nor 1"] if count else []


def not_classes(label: NDArray[Any], classes: int) -> list[str]:
    """Describe the largest of the numbers that are no class of ``classes``, if there are any.

    >>> not_classes(np.array([0, 17, 34, 255]), 20)
    ['holds 34; expected 0..19, and 255 for ignored']
    """
    wrong = label[~np.isin(label, [*range(classes), IGNORE])]
    return [NoClass(wrong.max().item(), classes)] if wrong.size else []


def class_counts(label: NDArray[Any]) -> NDArray[np.int64]:
    """How many pixels of a label have each of the values 0..255: int64 (256,). Other values are left out."""
    known = label[(label >= 0) & (label <= IGNORE)]
    return np.bincount(known.astype(np.uint8), minlength=IGNORE + 1)
