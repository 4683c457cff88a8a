"""Differences between the rows of a table, with intervals that a few runs can bear.

Runs of two rows are independent samples, unless the user says that they are pairs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

from nas_ctx.evaluation.contrasts import Contrast

LEVEL = 0.95
POWER = 0.8
UNEQUAL = 0.05
"""Variances differ clearly where the F test of their ratio says so at this level."""


@dataclass(frozen=True)
class Difference:
    """What the runs say about a contrast.

    Attributes:
        row, against, metric: the contrast.
        runs: numbers of runs of the two rows; of pairs, twice, where they are paired.
        difference: mean of ``row`` minus mean of ``against``, in the unit of the metric.
        low, high: interval of the difference; nan with fewer than two runs in a row, or where no run varies.
        better: probability of improvement: the share of pairs of runs in which ``row`` is better, ties by half (Agarwal
            et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS 2021).
        detectable: the true difference whose interval would exclude 0 in 80 % of such studies.
        method: "pooled variance", "Welch" or "paired"; empty without an interval.
        correlation: between paired runs; nan where they are not paired.
    """

    row: str
    against: str
    metric: str
    runs: tuple[int, int]
    difference: float
    low: float
    high: float
    better: float
    detectable: float
    method: str
    correlation: float = math.nan


def estimate(
    contrasts: Sequence[Contrast],
    values: Mapping[str, Mapping[str, Mapping[int, float]]],
    higher_is_better: Mapping[str, bool],
    *,
    paired: bool = False,
    simultaneous: bool = True,
) -> list[Difference]:
    """Estimate contrasts.

    The interval of two independent samples is Student's, with pooled variance; Welch's where the variances differ
    clearly or the rows have different numbers of runs. Simultaneous intervals are Šidák's: each has the level
    0.95^(1/k), with k contrasts that have an interval. Rates of coverage: ``docs/statistics.md``.

    Args:
        contrasts: with ``against`` set.
        values: row -> metric -> seed -> value.
        higher_is_better: by metric, of all that are compared.
        paired: runs of one seed are pairs; only sensible where they share more than the number.
        simultaneous: False: each interval has the level 95 % by itself.

    >>> runs = {"a": {"m": {0: 1.0, 1: 2.0, 2: 3.0}}, "b": {"m": {0: 2.0, 1: 4.0, 2: 3.0}}}
    >>> (d,) = estimate([Contrast(row="b", against="a", metric="m")], runs, {"m": True})
    >>> round(d.difference, 3), round(d.low, 3), round(d.high, 3), round(d.better, 3)
    (1.0, -1.267, 3.267, 0.778)
    """
    samples = [_samples(contrast, values, paired) for contrast in contrasts]
    count = sum(len(a) > 1 and len(b) > 1 for a, b in samples)
    level = LEVEL ** (1 / max(count, 1)) if simultaneous else LEVEL
    return [
        _difference(contrast, a, b, level, higher_is_better[contrast.metric], paired)
        for contrast, (a, b) in zip(contrasts, samples, strict=True)
    ]


def _samples(contrast: Contrast, values: Any, paired: bool) -> tuple[np.ndarray, np.ndarray]:
    ours, theirs = (values[name].get(contrast.metric, {}) for name in (contrast.row, contrast.against))
    if paired:
        shared = sorted(ours.keys() & theirs.keys())
        ours, theirs = ({seed: runs[seed] for seed in shared} for runs in (ours, theirs))
    first, second = (np.array([*runs.values()], dtype=float) for runs in (ours, theirs))
    if not paired:
        return first[np.isfinite(first)], second[np.isfinite(second)]
    both = np.isfinite(first) & np.isfinite(second)
    return first[both], second[both]


def _difference(
    contrast: Contrast, ours: np.ndarray, theirs: np.ndarray, level: float, higher: bool, paired: bool
) -> Difference:
    runs = len(ours), len(theirs)
    names = contrast.row, str(contrast.against), contrast.metric
    if 0 in runs:
        return Difference(*names, runs, math.nan, math.nan, math.nan, math.nan, math.nan, "")
    difference = float(ours.mean() - theirs.mean())
    ahead = np.sign(ours[:, None] - theirs) * (1 if higher else -1)
    better = float((ahead.mean() + 1) / 2)
    error, degrees, method = _standard_error(ours, theirs, paired)
    if not error > 0:
        return Difference(*names, runs, difference, math.nan, math.nan, better, math.nan, "")
    critical = float(stats.t.ppf((1 + level) / 2, degrees))
    return Difference(
        *names,
        runs,
        difference,
        difference - critical * error,
        difference + critical * error,
        better,
        error * _detectable(critical, degrees),
        method,
        _correlation(ours, theirs) if paired else math.nan,
    )


def _standard_error(ours: np.ndarray, theirs: np.ndarray, paired: bool) -> tuple[float, float, str]:
    """Standard error of the difference of the means, its degrees of freedom, and the method; nan if undefined."""
    if min(len(ours), len(theirs)) < 2:
        return math.nan, math.nan, ""
    if paired:
        return float((ours - theirs).std(ddof=1)) / math.sqrt(len(ours)), len(ours) - 1, "paired"
    first, second = (float(x.var(ddof=1)) for x in (ours, theirs))
    n, m = len(ours), len(theirs)
    if n == m and not _differ(first, second, n):
        return math.sqrt((first + second) / n), 2 * n - 2, "pooled variance"
    a, b = first / n, second / m
    degrees = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1)) if a + b > 0 else math.nan
    return math.sqrt(a + b), degrees, "Welch"


def _differ(first: float, second: float, runs: int) -> bool:
    small, large = sorted((first, second))
    return large > 0 and (small == 0 or 2 * float(stats.f.sf(large / small, runs - 1, runs - 1)) < UNEQUAL)


@functools.lru_cache(4096)
def _detectable(critical: float, degrees: float) -> float:
    """In standard errors: the true difference that makes |t| exceed ``critical`` with probability ``POWER``.

    The power is a mean over the distribution of the estimated standard error, at its quantiles.
    """
    quantiles = (np.arange(1000) + 0.5) / 1000
    bound = critical * np.sqrt(stats.chi2.ppf(quantiles, degrees) / degrees)

    def lacks(shift: float) -> float:
        return float(np.mean(stats.norm.sf(bound - shift) + stats.norm.cdf(-bound - shift))) - POWER

    return float(optimize.brentq(lacks, 0, 4 * critical + 10))


def _correlation(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.corrcoef(ours, theirs)[0, 1]) if ours.std() > 0 and theirs.std() > 0 else math.nan
