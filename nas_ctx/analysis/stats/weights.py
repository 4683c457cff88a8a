"""Weightings of the blocks: how often each block counts. The jackknife's are known by the block that each leaves out.

As a matrix those of 20 000 blocks would take 3.2 GB, and each product with it n_blocks times as long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.ratings import Floats, Integers, RatingMatrix


@dataclass(frozen=True)
class LeaveOneOut:
    """Weightings (n_draws, n_blocks) of ones, each with one zero: ``left_out`` (n_draws,) says where, -1 nowhere.

    It takes part in products as the matrix would.

    >>> weights = LeaveOneOut.of(3)
    >>> (weights @ np.array([[1.0], [2.0], [4.0]])).tolist(), weights.sum(axis=1).tolist()
    ([[6.0], [5.0], [3.0]], [2.0, 2.0, 2.0])
    """

    left_out: Integers
    n_blocks: int

    @classmethod
    def of(cls, n_blocks: int, *, first_whole: bool = False) -> LeaveOneOut:
        """Each of ``n_blocks`` blocks left out in turn; before them, if ``first_whole``, none."""
        return cls(np.arange(-1 if first_whole else 0, n_blocks), n_blocks)

    def __len__(self) -> int:
        return len(self.left_out)

    def __matmul__(self, values: Floats) -> Floats:
        """(n_draws, ...) from ``values`` (n_blocks, ...): their sum over the blocks less the one left out."""
        lost = np.where(self.left_out.reshape(-1, *(1,) * (values.ndim - 1)) < 0, 0.0, values[self.left_out])
        return values.sum(axis=0) - lost

    def sum(self, axis: int) -> Floats:
        """(n_draws,): how many blocks count; ``axis`` is 1."""
        assert axis == 1
        return self.n_blocks - (self.left_out >= 0).astype(np.float64)

    def matrix(self) -> Floats:
        """(n_draws, n_blocks): the weightings written out."""
        return self @ np.eye(self.n_blocks)

    def of_blocks(self, chosen: Integers) -> LeaveOneOut:
        """The same weightings of some of the blocks."""
        position = np.full(self.n_blocks + 1, -1)  # the last place is that of no block
        position[chosen] = np.arange(len(chosen))
        return LeaveOneOut(position[self.left_out], len(chosen))


Weights = Floats | LeaveOneOut
"""(n_draws, n_blocks): whole numbers, how often each draw counts each block."""


def once(blocks: RatingMatrix) -> Floats:
    """The weighting where each block counts once: shape (1, n_blocks)."""
    return np.ones((1, blocks.n_blocks))


def weights_of_blocks(weights: Weights, chosen: Integers) -> Weights:
    """The same weightings of some of the blocks."""
    return weights.of_blocks(chosen) if isinstance(weights, LeaveOneOut) else weights[:, chosen]
