"""Every statistic of one set of runs with its interval, and in words what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.agreement import light_parts
from nas_ctx.analysis.stats.candidate_sets import light_within_parts, members_of_sets
from nas_ctx.analysis.stats.catalogue import LIGHT, LIGHT_WITHIN, PERCENTAGE, Statistic, statistics_for
from nas_ctx.analysis.stats.intervals import LEAST_IN_SET, Interval, block_interval
from nas_ctx.analysis.stats.ratings import RatingMatrix
from nas_ctx.analysis.stats.weights import once

LEAST_OPEN = 8
"""Blocks that chance must leave open, of all, where it gives more than half of the agreement."""
_MOST_PAIR_WORK = 1.5e8  # pairs of different runs x blocks that Light's interval may cost; seconds on one core


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


def statistic_results(matrix: RatingMatrix, level: float, *, chosen_blocks: bool = False) -> Iterator[StatisticResult]:
    """All statistics that say something about ``matrix``, with intervals of confidence ``level``.

    ``chosen_blocks``: the choices themselves decided which blocks there are, as in a nested space, where a block within
    a candidate that some run did not take is left out. Blocks are no sample then, and there are no intervals.
    """
    return (result_of(statistic, matrix, level, chosen_blocks) for statistic in statistics_for(matrix))


def result_of(statistic: Statistic, matrix: RatingMatrix, level: float, chosen_blocks: bool = False) -> StatisticResult:
    """One statistic of ``matrix``; of a single block there is none but percentage agreement."""
    if matrix.n_blocks < 2 and statistic is not PERCENTAGE:
        return StatisticResult(statistic, *(math.nan,) * 3, None, note="A kappa needs at least two blocks.")
    parts = statistic.parts(matrix, once(matrix))
    value, observed, chance = (float(part[0]) for part in (parts.value, parts.observed, parts.chance))
    over_pairs = statistic in (LIGHT, LIGHT_WITHIN)
    undefined, defined_value, notes = _undefined_pairs(matrix, statistic) if over_pairs else (0, math.nan, [])
    if not over_pairs and math.isnan(value):
        notes = ["Undefined (0/0): only one choice occurs."]
    interval = None
    if reason := _no_interval(statistic, matrix, chance, chosen_blocks):
        notes.append(f"No interval: {reason}.")
    elif matrix.n_blocks > 1:
        interval = block_interval(matrix, statistic, level=level)
    if not reason and not math.isnan(value):
        notes += _about_the_interval(matrix, value, interval)
    return StatisticResult(statistic, value, observed, chance, interval, undefined, defined_value, " ".join(notes))


def _no_interval(statistic: Statistic, matrix: RatingMatrix, chance: float, chosen_blocks: bool) -> str:
    """Why there is no interval although the statistic may have a value, or nothing."""
    rows = matrix.distinct[0].n_runs
    if statistic in (LIGHT, LIGHT_WITHIN) and rows * (rows - 1) / 2 * matrix.n_blocks > _MOST_PAIR_WORK:
        return "there are too many pairs of runs for a jackknife; Conger's kappa has one"
    if chosen_blocks:
        return (
            "choices within a candidate that a run did not take are left out, so the choices decide which blocks count"
        )
    if statistic.chance == "within" and min(map(len, members_of_sets(matrix))) < LEAST_IN_SET:
        return f"a set of equal candidates has fewer than {LEAST_IN_SET} blocks"
    if statistic is not PERCENTAGE and chance > 0.5 and matrix.n_blocks * (1 - chance) < LEAST_OPEN:
        return f"one choice is so common that chance leaves fewer than {LEAST_OPEN} blocks open"
    return ""


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
    used = []  # the one choice of a run in a set of blocks, or what no other run has
    for members in members_of_sets(matrix) if within else [np.arange(matrix.n_blocks)]:
        codes = matrix.codes[:, members]
        used.append(np.where((codes == codes[:, :1]).all(axis=1), codes[:, 0], -1 - np.arange(matrix.n_runs)))
    alike = np.unique(np.stack(used, axis=1), axis=0, return_counts=True)[1]
    pairs, undefined = matrix.n_runs * (matrix.n_runs - 1) // 2, int((alike * (alike - 1) // 2).sum())
    parts = light_within_parts if within else light_parts
    mean = float(parts(matrix, once(matrix), defined_only=True).value[0])
    if not undefined:
        return 0, mean, []
    where = "in all blocks of the same candidates" if within else "throughout"
    note = f"{undefined} of {pairs} pairs are undefined (0/0): both runs used the same choice {where}."
    if undefined < pairs:
        note += f" The mean over the other pairs is {mean:.2f}."
    return undefined, mean, [note]
