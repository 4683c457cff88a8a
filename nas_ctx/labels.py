"""What labels and batches of all tasks agree on. It imports nothing, so that reading data needs no torch."""

from __future__ import annotations

IGNORE = 255
"""The value of a pixel that no loss and no metric looks at, in the labels of every task."""

TASK_NAMES = ("depth", "edge", "human_parts", "normals", "saliency", "semseg")
"""The tasks of this package, for what is told before torch is loaded; they are in :mod:`nas_ctx.tasks`."""

BATCH_KEYS = ("image", "id", "unlabelled")
"""What a batch holds beside a label per task, under these keys; the last one are the tasks that it has no label for."""


class Unusable(str):
    """A fault that leaves nothing to learn from a label, such as a wrong unit: a run of such labels is refused."""


class NoClass(Unusable):
    """A number in a label that is no class of its task, told as files have it whose classes count from ``first``.

    >>> print(NoClass(254, classes=40).counted_from(1))
    holds 255; expected 1..40, and 0 for ignored
    """

    value: int
    classes: int

    def __new__(cls, value: int, classes: int, first: int = 0) -> NoClass:
        last, ignored = classes - 1 + first, (IGNORE + first) % 256  # numbers of 8 bits wrap around
        fault = super().__new__(cls, f"holds {value + first}; expected {first}..{last}, and {ignored} for ignored")
        fault.value, fault.classes = value, classes
        return fault

    def counted_from(self, first: int) -> NoClass:
        """The same of a file whose class 0 is stored as ``first``."""
        return NoClass(self.value, self.classes, first)
