"""Whether runs that agree more with the others score better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas_ctx.analysis.choice_table import table_of
from nas_ctx.analysis.io.runs import Run, RunSet
from nas_ctx.analysis.stats.agreement import percentage_agreement
from nas_ctx.analysis.stats.rank_correlation import RankCorrelation, rank_correlation
from nas_ctx.analysis.stats.ratings import Floats
from nas_ctx.errors import InputError


@dataclass(frozen=True)
class RunScores:
    """One number per run beside its agreement with the others.

    ``random`` are the scores of uniformly drawn runs and ``random_agreement`` their percentage agreement.
    """

    metric: str
    values: tuple[float, ...]
    correlation: RankCorrelation
    random: tuple[float, ...] = ()
    random_agreement: float | None = None


def run_scores(
    runs: Sequence[Run], with_others: Floats, metric: str | None, random_runs: RunSet | None, draws: int, seed: int
) -> RunScores | None:
    """The scores of ``runs``, whose agreement with the others is ``with_others`` (n_runs,), by ``metric``.

    By default "default", "score" or "delta_m", the first that all runs have; None when they have none of these.
    """
    shared = set.intersection(*(set(run.metrics) for run in runs))
    if metric is None:
        metric = next((name for name in ("default", "score", "delta_m") if name in shared), None)
        if metric is None:
            return None
    elif metric not in shared:
        lacking = ", ".join(run.name for run in runs if metric not in run.metrics)
        known = ", ".join(sorted(shared)) or "none"
        raise InputError(f"metric {metric!r} is missing in {lacking}; metrics that all runs have: {known}")
    values = tuple(run.metrics[metric] for run in runs)
    correlation = rank_correlation(with_others, values, draws=draws, seed=seed)
    if random_runs is None:
        return RunScores(metric, values, correlation)
    drawn = tuple(run.metrics[metric] for run in random_runs if metric in run.metrics)
    if not drawn:
        raise InputError(f"none of the {len(random_runs)} random runs has the metric {metric!r}")
    together = percentage_agreement(table_of(random_runs.runs).common) if len(random_runs) > 1 else None
    return RunScores(metric, values, correlation, drawn, together)
