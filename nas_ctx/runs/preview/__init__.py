"""What a run would be, before hours are spent on it: its space, what its networks cost, what would refuse it."""

from nas_ctx.runs.preview.preview import Cost, Preview, preview

__all__ = ["Cost", "Preview", "preview"]
