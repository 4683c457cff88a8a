"""Continuous labels as classes, and back: depth in logarithmic bins, normals by the codewords of a sphere."""

from nas_ctx.tasks.coding.depth_bins import DepthBins
from nas_ctx.tasks.coding.sphere import fibonacci_sphere, nearest_codeword

__all__ = ["DepthBins", "fibonacci_sphere", "nearest_codeword"]
