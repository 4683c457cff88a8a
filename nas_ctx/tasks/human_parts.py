"""Segmentation of people into parts."""

from __future__ import annotations

import numpy as np

from nas_ctx.labels import IGNORE
from nas_ctx.tasks.base import Array, register_task
from nas_ctx.tasks.semseg import ClassMap


@register_task("human_parts")
class HumanParts(ClassMap):
    """Background, head, torso, upper and lower arms, upper and lower legs: ``classes`` = 7.

    >>> HumanParts().mark_ignore(np.zeros((1, 2), np.uint8))
    array([[255, 255]], dtype=uint8)
    """

    name = "human_parts"

    def __init__(self, *, classes: int = 7, weight: float = 2.0) -> None:
        super().__init__(classes, weight)

    def mark_ignore(self, label: Array) -> Array:
        """An image without any part is ignored as a whole: its people, if any, were not annotated."""
        has_parts = ((label != 0) & (label != IGNORE)).any()
        return label if has_parts else np.full_like(label, IGNORE)
