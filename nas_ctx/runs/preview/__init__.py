"""What a run would be, before hours are spent on it: its space, what its networks cost, what would refuse it."""

from nas_ctx.runs.preview.preview import preview
from nas_ctx.runs.preview.record import Cost, Preview

__all__ = ["Cost", "Preview", "preview"]
