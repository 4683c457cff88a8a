"""What labels and batches of all tasks agree on. It imports nothing, so that reading data needs no torch."""

IGNORE = 255
"""The value of a pixel that no loss and no metric looks at, in the labels of every task."""

BATCH_KEYS = ("image", "id")
"""What a batch holds beside a label per task, under these keys."""
