"""How often runs use labels, squared and multiplied with each other: what chance agreement is made of.

All numbers are whole and below 2**53, hence exact. With a block left out, a run uses the label that it gave there once
less: (u - 1)^2 = u^2 - 2u + 1. The jackknife needs the counts of all blocks only, however many labels there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas_ctx.analysis.stats.ratings import Floats, RatingMatrix
from nas_ctx.analysis.stats.weights import LeaveOneOut, Weights


def sum_of_squares(blocks: RatingMatrix, weights: Weights) -> Floats:
    """(n_draws,): the squares of how often each run uses each label, summed over runs and labels."""
    if isinstance(weights, LeaveOneOut):
        of_rating = blocks.usage[np.arange(blocks.n_runs)[:, None], blocks.codes]  # (n_runs, n_blocks)
        lost = (2 * of_rating - 1).sum(axis=0)
        return (blocks.usage**2).sum() - np.where(weights.left_out < 0, 0.0, lost[weights.left_out])
    squares = np.zeros(len(weights))
    for code in range(blocks.n_labels):
        squares += (_used(blocks, weights, code) ** 2).sum(axis=1)
    return squares


def _used(blocks: RatingMatrix, weights: Weights, code: int) -> Floats:
    """(n_draws, n_runs): how often each run used a label."""
    return weights @ (blocks.codes == code).T.astype(np.float64)


@dataclass(frozen=True)
class Products:
    """For two runs and each of ``weights`` of the ``blocks``: the products of how often they use a label, summed."""

    blocks: RatingMatrix
    weights: Weights

    @cached_property
    def size(self) -> Floats:
        """(n_draws,): how many blocks count."""
        return self.weights.sum(axis=1)

    @cached_property
    def _usage(self) -> Floats:
        """(n_labels, n_runs, n_draws)."""
        return np.stack([_used(self.blocks, self.weights, code).T for code in range(self.blocks.n_labels)])

    def of(self, run: int, others: slice) -> Floats:
        """(n_others, n_draws): of one run and each of some others."""
        if isinstance(self.weights, LeaveOneOut):
            left, usage, codes = self.weights.left_out, self.blocks.usage, self.blocks.codes
            mine, theirs = codes[run][left], codes[others][:, left]
            lost = usage[others][:, mine] + usage[run][theirs] - (theirs == mine)
            return (usage[others] @ usage[run])[:, None] - np.where(left < 0, 0.0, lost)
        return np.einsum("ld,lnd->nd", self._usage[:, run], self._usage[:, others])
