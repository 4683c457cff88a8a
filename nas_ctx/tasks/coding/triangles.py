"""Triangular coding of directions: each as a weighted sum of the three codewords around it (supplement D).

The codewords and the faces of their convex hull are a Delaunay triangulation of the sphere. Where they lie in one half
of it, as those of visible surfaces do, the faces that turn away from the origin are one of their part of it. Every
direction there has a triangle and weights >= 0 for its corners, and coding loses nothing but rounding.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor
from torch.nn import functional as F

from nas_ctx.errors import InputError
from nas_ctx.tasks.coding.sphere import in_chunks, nearest_codeword


class TriangularCode:
    """A codebook of K unit vectors, the triangles between them, and the way to weights and back.

    Args:
        codewords: (K, 3) of unit vectors, K >= 4, different from each other and not in one plane.

    Raises:
        InputError: other ones.

    >>> from nas_ctx.tasks.coding import fibonacci_sphere
    >>> code = TriangularCode(fibonacci_sphere(40))
    >>> len(code.triangles)  # 2 K - 4, as Euler's formula wants
    76
    """

    def __init__(self, codewords: Tensor) -> None:
        self.codewords = codewords
        points = codewords.double().numpy()
        self.triangles = torch.from_numpy(hull_triangles(points))
        """Corners of every triangle, int64 (T, 3)."""
        corners = codewords.double()[self.triangles]  # (T, 3 corners, 3 coordinates)
        self.inverses = torch.linalg.inv(corners.mT)
        """What turns a direction into unscaled weights of the corners of each triangle: float64 (T, 3, 3)."""

    def encode(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """The enclosing triangle of every unit vector, and its weights there.

        A direction that no triangle covers has the weights of the nearest codeword: that one thrice, a third each.

        Args:
            directions: (N, 3).

        Returns:
            codewords int64 (N, 3) and their weights (N, 3), which are >= 0 and add up to 1.

        >>> from nas_ctx.tasks.coding import fibonacci_sphere
        >>> corners, weights = TriangularCode(fibonacci_sphere(40)).encode(torch.tensor([[0.0, 0.6, 0.8]]))
        >>> bool((weights >= 0).all()), round(weights.sum().item(), 5)
        (True, 1.0)
        """
        inverses = self.inverses.to(directions)
        first, second, third = (inverses[:, corner].T for corner in range(3))

        def enclosing(part: Tensor) -> Tensor:
            return torch.minimum(torch.minimum(part @ first, part @ second), part @ third).argmax(1)

        triangle = in_chunks(enclosing, directions)
        corners = self.triangles.to(triangle.device)[triangle]
        weights = torch.einsum("nij,nj->ni", inverses[triangle], directions)
        # Inside its triangle a direction has three weights >= 0; rounding may leave one at -1e-7 on an edge.
        outside = weights.amin(1, keepdim=True) < -1e-3
        corners = torch.where(outside, nearest_codeword(directions, self.codewords)[:, None], corners)
        return corners, torch.where(outside, 1 / 3, F.normalize(weights.clamp(min=0), p=1, dim=1))

    def decode(self, probabilities: Tensor) -> Tensor:
        """Unit vectors from probabilities of the codewords: (B, K, H, W) -> (B, 3, H, W).

        The triangle with the largest total probability is taken, and its three corners are weighted by theirs.

        >>> from nas_ctx.tasks.coding import fibonacci_sphere
        >>> code = TriangularCode(fibonacci_sphere(40))
        >>> sure = F.one_hot(torch.tensor([[[7]]]), 40).movedim(-1, 1).float()
        >>> torch.allclose(code.decode(sure).flatten(), code.codewords[7])
        True
        """
        rows = probabilities.movedim(1, -1)
        triangles = self.triangles.to(rows.device)
        codewords = self.codewords.to(rows)
        corner_of = rows.new_zeros(len(codewords), len(triangles)).scatter_(0, triangles.T, 1)

        def reconstruct(part: Tensor) -> Tensor:
            best = triangles[(part @ corner_of).argmax(1)]
            return F.normalize(torch.einsum("nk,nkc->nc", part.gather(1, best), codewords[best]), dim=1)

        flat = in_chunks(reconstruct, rows.reshape(-1, rows.shape[-1]))
        return flat.view(*rows.shape[:-1], 3).movedim(-1, 1)


def hull_triangles(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """The triangles of the convex hull of (K, 3) points on the unit sphere, away from the origin: int64 (T, 3).

    All 2K - 4 of them where the origin lies inside.
    """
    try:
        hull = ConvexHull(points)
    except QhullError:
        raise InputError("the codewords of a codebook lie in one plane, expected directions all around") from None
    if (hidden := len(points) - len(hull.vertices)) > 0:
        raise InputError(f"{hidden} of {len(points)} codewords of a codebook repeat others, expected different ones")
    # Offsets are signed distances of the faces' planes, negative when the origin is on their inner side.
    return hull.simplices[hull.equations[:, 3] < -1e-6].astype(np.int64)
