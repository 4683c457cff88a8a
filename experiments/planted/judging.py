"""From what searches found to how right they were: recovery, per run and of the vote, with intervals, and agreement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest, sem, t

from nas_ctx.analysis import LIGHT, PERCENTAGE, Interval, block_interval, lights_kappa, percentage_agreement, vote


def judge(planted: Mapping[str, str], found: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Compare the choices of the runs with what was planted.

    Args:
        planted: block label -> context type.
        found: the same from each run.

    Returns:
        ``recovery_vote``, the share of blocks whose majority is the planted type (a tied vote is not right), with a
        Wilson interval; ``recovery_runs``, the mean share of a run, with Student's interval over blocks;
        ``recovery_of_each_block``; ``recovery_planted``, the same mean over blocks in which something is planted;
        Light's kappa and the percentage agreement, with their intervals; the recovery per planted type; and
        ``confusion``: planted type -> chosen type -> how often, over all runs. What is 0/0 is None.
    """
    blocks = list(planted)
    ratings = [[run[block] for block in blocks] for run in found]
    winners = [block.choice for block in vote(ratings)]
    right_votes = [winner == planted[block] for winner, block in zip(winners, blocks, strict=True)]
    right = np.array([[run[block] == planted[block] for block in blocks] for run in found])
    types = sorted(set(planted.values()))
    confusion: dict[str, dict[str, int]] = {name: {} for name in types}
    for run in found:
        for block in blocks:
            row = confusion[planted[block]]
            row[run[block]] = row.get(run[block], 0) + 1
    several = len(found) > 1 and len(blocks) > 1  # agreement needs two of both
    return {
        "recovery_vote": float(np.mean(right_votes)),
        "recovery_vote_interval": wilson(right_votes),
        "recovery_runs": float(right.mean()),
        "recovery_runs_interval": over_blocks(right.mean(0), 0.0, 1.0),
        "recovery_of_each_block": dict(zip(blocks, right.mean(0).tolist(), strict=True)),
        "recovery_planted": _mean_of(
            [share for b, share in zip(blocks, right.mean(0), strict=True) if planted[b] != "none"]
        ),
        "recovery_of_each_run": right.mean(1).tolist(),
        "lights_kappa": _number(lights_kappa(ratings)) if several else None,
        "lights_kappa_interval": _interval(block_interval(ratings, LIGHT)) if several else None,
        "percentage_agreement": percentage_agreement(ratings) if several else None,
        "percentage_agreement_interval": _interval(block_interval(ratings, PERCENTAGE)) if several else None,
        "by_context": {name: _by_type(name, blocks, planted, right, right_votes) for name in types},
        "confusion": confusion,
    }


def _by_type(
    name: str, blocks: Sequence[str], planted: Mapping[str, str], right: np.ndarray, votes: Sequence[bool]
) -> dict[str, Any]:
    of_type = [index for index, block in enumerate(blocks) if planted[block] == name]
    counted = [votes[index] for index in of_type]
    return {
        "blocks": len(of_type),
        "recovery_vote": float(np.mean(counted)),
        "recovery_vote_interval": wilson(counted),
        "recovery_runs": float(right[:, of_type].mean()),
    }


def wilson(right: Sequence[bool]) -> list[float]:
    """Wilson's 95 % interval of the share of those that are true."""
    found = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    return [float(found.low), float(found.high)]


def over_blocks(values: np.ndarray, least: float, most: float) -> list[float]:
    """Student's interval of a mean over blocks: runs of one block are not independent, so blocks are counted."""
    half = float(t.ppf(0.975, len(values) - 1) * sem(values)) if len(values) > 1 else math.inf
    mean = float(np.mean(values))
    return [max(mean - half, least), min(mean + half, most)]


def _mean_of(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _interval(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval.ends)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
