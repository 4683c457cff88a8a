"""Bootstrap intervals over blocks, percentile and BCa, to compare with the jackknife that reports show.

A resample is a row of whole-number weights over the blocks, so one matrix product serves all of them.
Source: Efron, J. Am. Stat. Assoc. 82 (1987) 171.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from nas_ctx.analysis import Statistic

Ends = tuple[float, float]


def bootstrap_intervals(
    table: Sequence[Sequence[Any]] | np.ndarray, statistic: Statistic, *, draws: int = 2000, seed: int = 0
) -> tuple[Ends, Ends]:
    """The 95 % percentile and BCa intervals of a table (n_runs, n_blocks); undefined draws are left out.

    Where BCa does not exist the percentile interval stands in for it, as is customary.
    """
    n_blocks = len(table[0])
    weights = np.random.default_rng(seed).multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=draws)
    resampled = statistic.values(table, weights.astype(np.float64))
    left_out = statistic.values(table, np.ones((n_blocks, n_blocks)) - np.eye(n_blocks))
    defined = resampled[~np.isnan(resampled)]
    low, high = np.quantile(defined, [0.025, 0.975])
    percentile = (float(low), float(high))
    return percentile, bca(float(statistic.values(table)[0]), defined, left_out) or percentile


def bca(estimate: float, draws: np.ndarray, leave_one_out: np.ndarray) -> Ends | None:
    """The bias-corrected and accelerated 95 % interval, None where the estimate lies outside all draws."""
    if np.ptp(draws) == 0:
        return (float(draws[0]), float(draws[0])) if draws[0] == estimate else None
    below = ((draws < estimate).mean() + (draws <= estimate).mean()) / 2  # ties count half
    if below in (0.0, 1.0):
        return None
    bias = ndtri(below)
    deviations = leave_one_out.mean() - leave_one_out
    spread = (deviations**2).sum() ** 1.5
    acceleration = (deviations**3).sum() / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri([0.025, 0.975])
    low, high = np.quantile(draws, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)
