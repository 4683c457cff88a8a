"""What a run would be, before hours are spent on it: its space, what its networks cost, what would refuse it."""

from nas_ctx.runs.preview.findings import Preview
from nas_ctx.runs.preview.measure import Cost
from nas_ctx.runs.preview.preview import preview

__all__ = ["Cost", "Preview", "preview"]
