"""The paper's relational contexts: their names, order and colours, and which are the same on the diagonal.

It imports nothing, so that configurations and reports need no torch. What they compute is in :mod:`nas_ctx.contexts`.
"""

CONTEXT_COLOURS = {
    "none": "#d9dde2",
    "global": "#004f96",
    "local": "#f0a500",
    "t-label": "#008f6b",
    "s-label": "#cf78ab",
}
"""Name -> colour in every figure; distinct for colour-blind readers, and in lightness when printed in grey."""

CONTEXT_NAMES = tuple(CONTEXT_COLOURS)
"""The names in the order in which they are listed; a position is the integer of the name in ATRC files."""

LABEL_CONTEXTS = ("t-label", "s-label")
"""Those that gather by the regions of a label space."""

SAME_ON_DIAGONAL = {"s-label": "t-label"}
"""Context of a task with itself -> the one that it equals there, and whose name it goes by."""
