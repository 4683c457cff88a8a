"""The record as JSON: everything that the page says, under names that docs/report.schema.json explains."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.reliability import Reliability, RunScores, StatisticResult
from nas_ctx.analysis.stats.intervals import Interval
from nas_ctx.analysis.stats.stability import VoteStability
from nas_ctx.analysis.stats.votes import BlockVote
from nas_ctx.analysis.trajectory import Trajectory
from nas_ctx.analysis.wording import comparison_verdict, verdict

REPORT_FORMAT = "nas_ctx.report/1"
COMPARISON_FORMAT = "nas_ctx.comparison/1"


def report_json(record: Reliability) -> dict[str, Any]:
    """``record`` as plain JSON values; what is undefined (nan) is null."""
    codes = record.table.common.codes
    return {
        "format": REPORT_FORMAT,
        "title": record.title,
        "verdict": list(verdict(record)),
        "choices": list(record.table.texts),
        "blocks": list(record.blocks),
        "runs": [
            {
                "name": run.name,
                "source": run.source,
                "choices": [record.table.texts[code] for code in row],
                "agreement_with_others": finite(share),
                "metrics": {name: finite(value) for name, value in run.metrics.items()},
                "settings": {
                    key: finite(fact) if isinstance(fact, float) else fact for key, fact in run.facts().items()
                },
                "has_history": run.history is not None,
            }
            for run, row, share in zip(record.runs, codes.tolist(), record.with_others.tolist(), strict=True)
        ],
        "votes": [
            {"block": block, "n_choices": n, **_vote(record, of)}
            for block, of, n in zip(record.blocks, record.votes, record.candidates, strict=True)
        ],
        "ties": {"rule": record.ties, "open": list(record.tied)},
        "statistics": [_result(result) for result in record.results],
        "krippendorff_alpha_over_all_blocks": None if record.alpha_over_all is None else finite(record.alpha_over_all),
        "pairs": {"percentage_agreement": matrix(record.pair_agreement), "cohens_kappa": matrix(record.pair_kappa)},
        "chance_test": {
            "p": record.test.p,
            "exact": record.test.exact,
            "arrangements": record.test.arrangements,
            "expected_agreement": record.test.expected,
            "agreement_at_95_percent": record.test.upper,
        },
        "random_policy": {
            "choices_known_from": record.candidates_from,
            "expected_agreement": record.policy.expected,
            "agreement_95_percent": list(record.policy.percentage),
            "fleiss_kappa_95_percent": [finite(value) for value in record.policy.fleiss],
            "p": record.policy.p,
            "draws": record.policy.draws,
        },
        "enough_runs": {"needed_for_95_percent": record.needed, "by_number": [_enough(e) for e in record.stability]},
        "tasks": [
            {
                "role": task.role,
                "task": task.task,
                "n_blocks": task.n_blocks,
                "percentage_agreement": finite(task.percentage),
                "chance": finite(task.chance),
                "fleiss_kappa": finite(task.fleiss),
            }
            for task in record.tasks
        ],
        "course": None if record.trajectory is None else _course(record.trajectory),
        "scores": None if record.scores is None else _scores(record.scores),
        "notes": [{"kind": note.kind, "text": note.text} for note in record.notes],
        "settings": dict(record.settings),
        "versions": dict(record.versions),
    }


def comparison_json(comparison: RunSetComparison) -> dict[str, Any]:
    """``comparison`` as plain JSON values; both sets appear as whole reports."""
    return {
        "format": COMPARISON_FORMAT,
        "title": comparison.title,
        "names": list(comparison.names),
        "verdict": list(comparison_verdict(comparison)),
        "differences": [
            {
                "key": difference.statistic.key,
                "name": difference.statistic.name,
                "first": finite(difference.first),
                "second": finite(difference.second),
                "difference": finite(difference.value),
                "interval": _interval(difference.interval),
            }
            for difference in comparison.differences
        ],
        "same_vote": comparison.same_vote,
        "parted": list(comparison.parted),
        "notes": [{"kind": note.kind, "text": note.text} for note in comparison.notes],
        "first": report_json(comparison.first),
        "second": report_json(comparison.second),
    }


def finite(value: float) -> float | None:
    """A number that JSON can hold, or None.

    >>> finite(float("nan")), finite(0.5)
    (None, 0.5)
    """
    return float(value) if math.isfinite(value) else None


def matrix(values: npt.NDArray[np.float64]) -> list[list[float | None]]:
    return [[finite(value) for value in row] for row in values.tolist()]


def _vote(record: Reliability, of: BlockVote) -> dict[str, Any]:
    text = record.table.text
    decided = not of.tied or of.decided_by is not None
    return {
        "voted": text(of.choice) if decided else None,
        "winners": [text(label) for label in of.winners],
        "counts": {text(label): votes for label, votes in of.counts},
        "margin": of.margin,
        "entropy": of.entropy,
        "tied": of.tied,
        "decided_by": of.decided_by,
    }


def _result(result: StatisticResult) -> dict[str, Any]:
    return {
        "key": result.statistic.key,
        "name": result.statistic.name,
        "value": finite(result.value),
        "observed": finite(result.observed),
        "chance": finite(result.chance),
        "interval": _interval(result.interval),
        "undefined_pairs": result.undefined_pairs,
        "mean_over_defined_pairs": finite(result.defined_value),
        "note": result.note,
        "definition": result.statistic.definition,
        "source": result.statistic.source,
    }


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    """The interval under the keys of this format; those of the bootstrap, which is no longer computed, stay empty."""
    if interval is None:
        return None
    bootstrap: dict[str, Any] = {"percentile": None, "bca": None}
    return {"level": interval.level, "draws": 0, "undefined_draws": 0, "jackknife": list(interval.ends), **bootstrap}


def _enough(entry: VoteStability) -> dict[str, Any]:
    return {
        "runs": entry.k,
        "blocks": finite(entry.blocks),
        "whole_vote": finite(entry.whole),
        "how": entry.kind,
        "subsets": entry.subsets,
    }


def _course(course: Trajectory) -> dict[str, Any]:
    return {
        "runs": list(course.runs),
        "steps": course.steps.tolist(),
        "percentage_agreement": _finites(course.percentage),
        "fleiss_kappa": _finites(course.fleiss),
        "same_as_final_vote": _finites(course.same_vote),
        "mean_entropy": matrix(course.entropy),
        "stable_from": course.stable_from,
        "blocks": [
            {
                "block": block,
                "decided_at": list(course.decided[block]),
                "settled_at": list(course.settled[block]),
                "choices": list(course.choices[block]),
                "mean_probabilities": matrix(course.probabilities[block]),
            }
            for block in course.blocks
        ],
    }


def _scores(scores: RunScores) -> dict[str, Any]:
    return {
        "metric": scores.metric,
        "values": _finites(scores.values),
        "kendalls_tau": finite(scores.correlation.tau),
        "p": finite(scores.correlation.p),
        "exact": scores.correlation.exact,
        "random": _finites(scores.random),
        "random_agreement": None if scores.random_agreement is None else finite(scores.random_agreement),
    }


def _finites(values: Iterable[float] | npt.NDArray[np.float64]) -> list[float | None]:
    return [finite(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]
