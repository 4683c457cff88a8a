"""What labels and batches of all tasks agree on. It imports nothing, so that reading data needs no torch."""

IGNORE = 255
"""The value of a pixel that no loss and no metric looks at, in the labels of every task."""

TASK_NAMES = ("depth", "edge", "human_parts", "normals", "saliency", "semseg")
"""The tasks of this package, for what is told before torch is loaded; they are in :mod:`nas_ctx.tasks`."""

BATCH_KEYS = ("image", "id", "unlabelled")
"""What a batch holds beside a label per task, under these keys; the last one are the tasks that it has no label for."""


class Unusable(str):
    """A fault that leaves nothing to learn from a label, such as a wrong unit: a run of such labels is refused."""
