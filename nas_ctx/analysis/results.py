"""Every statistic of one set of runs with its interval, and in words what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.agreement import light_parts, once, pair_indices
from nas_ctx.analysis.stats.candidate_sets import light_within_parts, members_of_sets
from nas_ctx.analysis.stats.catalogue import LIGHT, LIGHT_WITHIN, PERCENTAGE, Statistic, statistics_for
from nas_ctx.analysis.stats.intervals import Interval, block_interval
from nas_ctx.analysis.stats.ratings import RatingMatrix

LEAST_IN_SET = 4
"""Blocks of a candidate set below which a chance level estimated within it is too unsure for an interval."""
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
    """All statistics that say something about ``matrix``, with intervals of confidence ``level``."""
    return (result_of(statistic, matrix, level) for statistic in statistics_for(matrix))


def result_of(statistic: Statistic, matrix: RatingMatrix, level: float) -> StatisticResult:
    """One statistic of ``matrix``; of a single block there is none but percentage agreement."""
    if matrix.n_blocks < 2 and statistic is not PERCENTAGE:
        return StatisticResult(statistic, *(math.nan,) * 3, None, note="A kappa needs at least two blocks.")
    parts = statistic.parts(matrix, once(matrix))
    value = float(parts.value[0])
    over_pairs = statistic in (LIGHT, LIGHT_WITHIN)
    too_many = over_pairs and matrix.n_runs * (matrix.n_runs - 1) / 2 * matrix.n_blocks**2 > _MOST_PAIR_WORK
    few = statistic.chance == "within" and min(map(len, members_of_sets(matrix))) < LEAST_IN_SET
    interval = None if too_many or few or matrix.n_blocks < 2 else block_interval(matrix, statistic, level=level)
    undefined, defined_value, notes = _undefined_pairs(matrix, statistic) if over_pairs else (0, math.nan, [])
    if not over_pairs and math.isnan(value):
        notes = ["Undefined (0/0): only one choice occurs."]
    if too_many:
        notes.insert(0, "No interval: there are too many pairs of runs for a jackknife; Conger's kappa has one.")
    elif few:
        notes.append(f"No interval: a set of equal candidates has fewer than {LEAST_IN_SET} blocks.")
    elif not math.isnan(value):
        notes += _about_the_interval(matrix, value, interval)
    observed, chance = float(parts.observed[0]), float(parts.chance[0])
    return StatisticResult(statistic, value, observed, chance, interval, undefined, defined_value, " ".join(notes))


def _about_the_interval(matrix: RatingMatrix, value: float, interval: Interval | None) -> list[str]:
    if interval is not None and interval.one_sided:
        share = f"{100 * interval.level:g} %"
        return [f"All {matrix.n_blocks} blocks are unanimous, so there is no more than a bound ({share}, one-sided)."]
    if interval is not None:
        return []
    if matrix.n_blocks < 2:
        return ["No interval: one block does not show how blocks vary."]
    if value == 1:
        return ["No interval: all blocks are unanimous, and how many like these are not cannot be told from them."]
    return ["No interval: without one of the blocks it is undefined (0/0) or all blocks agree alike."]


def _undefined_pairs(matrix: RatingMatrix, statistic: Statistic) -> tuple[int, float, list[str]]:
    """How many pairs of runs have no kappa, the mean over the others, and a note on both."""
    within = statistic is LIGHT_WITHIN
    first, second = pair_indices(matrix.n_runs)
    same = np.ones(len(first), dtype=bool)
    for members in members_of_sets(matrix) if within else [np.arange(matrix.n_blocks)]:
        codes = matrix.codes[:, members]
        constant = np.where((codes == codes[:, :1]).all(axis=1), codes[:, 0], -1 - np.arange(matrix.n_runs))
        same &= constant[first] == constant[second]
    undefined = int(same.sum())
    parts = light_within_parts if within else light_parts
    mean = float(parts(matrix, once(matrix), defined_only=True).value[0])
    if not undefined:
        return 0, mean, []
    where = "in all blocks of the same candidates" if within else "throughout"
    note = f"{undefined} of {len(first)} pairs are undefined (0/0): both runs used the same choice {where}."
    if undefined < len(first):
        note += f" The mean over the other pairs is {mean:.2f}."
    return undefined, mean, [note]
