"""Every statistic of one set of runs with its interval, and in words what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.agreement import cohens_kappa, light_parts, once, pair_indices
from nas_ctx.analysis.stats.catalogue import LIGHT, STATISTICS, Statistic
from nas_ctx.analysis.stats.intervals import Interval, block_interval
from nas_ctx.analysis.stats.ratings import RatingMatrix

_MOST_PAIR_WORK = 4e10  # pairs x blocks x blocks that Light's interval may cost; about ten seconds on two cores


@dataclass(frozen=True)
class StatisticResult:
    """One statistic with its interval. Light's kappa also tells how many pairs of runs were undefined (0/0) and what
    the mean over the others is; ``note`` says in words what the reader must know about a missing number."""

    statistic: Statistic
    value: float
    observed: float
    chance: float
    interval: Interval | None
    undefined_pairs: int = 0
    defined_value: float = math.nan
    note: str = ""


def statistic_results(matrix: RatingMatrix, level: float) -> Iterator[StatisticResult]:
    """All statistics of ``matrix``, with intervals of confidence ``level``."""
    for statistic in STATISTICS:
        parts = statistic.parts(matrix, once(matrix))
        value = float(parts.value[0])
        pairs = matrix.n_runs * (matrix.n_runs - 1) // 2
        too_many = statistic is LIGHT and pairs * matrix.n_blocks**2 > _MOST_PAIR_WORK
        interval = None if too_many else block_interval(matrix, statistic, level=level)
        undefined, defined_value, notes = _undefined_pairs(matrix) if statistic is LIGHT else (0, math.nan, [])
        if statistic is not LIGHT and math.isnan(value):
            notes = ["Undefined (0/0): only one choice occurs."]
        if too_many:
            notes.insert(0, "No interval: there are too many pairs of runs for a jackknife; Conger's kappa has one.")
        elif interval is None and not math.isnan(value):
            notes.append("No interval: without one of the blocks it is undefined (0/0), so it depends on that block.")
        observed, chance = float(parts.observed[0]), float(parts.chance[0])
        yield StatisticResult(statistic, value, observed, chance, interval, undefined, defined_value, " ".join(notes))


def _undefined_pairs(matrix: RatingMatrix) -> tuple[int, float, list[str]]:
    """How many pairs of runs have no Cohen's kappa, the mean over the others, and a note on both."""
    kappas = cohens_kappa(matrix)[pair_indices(matrix.n_runs)]
    undefined = int(np.isnan(kappas).sum())
    mean = float(light_parts(matrix, once(matrix), defined_only=True).value[0])
    if not undefined:
        return 0, mean, []
    note = f"{undefined} of {len(kappas)} pairs are undefined (0/0): both runs used the same choice throughout."
    if undefined < len(kappas):
        note += f" The mean over the other pairs is {mean:.2f}."
    return undefined, mean, [note]
