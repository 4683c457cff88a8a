"""Continuous labels as classes, and back: depth in logarithmic bins, normals by the codewords of a sphere."""

from nas_ctx.tasks.coding.codebook import learn_codebook, load_codebook, save_codebook
from nas_ctx.tasks.coding.depth_bins import DepthBins
from nas_ctx.tasks.coding.sphere import fibonacci_sphere, nearest_codeword
from nas_ctx.tasks.coding.triangles import TriangularCode

__all__ = [
    "DepthBins",
    "TriangularCode",
    "fibonacci_sphere",
    "learn_codebook",
    "load_codebook",
    "nearest_codeword",
    "save_codebook",
]
