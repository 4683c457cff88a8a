"""The record as JSON: everything that the page says, under names that docs/report.schema.json explains."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.stats.intervals import Interval
from nas_ctx.analysis.trajectory import Trajectory
from nas_ctx.analysis.wording import comparison_verdict, verdict

REPORT_FORMAT = "nas_ctx.report/1"
COMPARISON_FORMAT = "nas_ctx.comparison/1"


def report_json(record: Reliability) -> dict[str, Any]:
    """``record`` as plain JSON values; what is undefined (nan) is null."""
    content: dict[str, Any] = {
        "format": REPORT_FORMAT,
        "title": record.title,
        "verdict": verdict(record),
        "choices": record.table.texts,
        "blocks": record.blocks,
        "runs": _runs(record),
        "votes": _votes(record),
        "ties": {"rule": record.ties, "open": record.tied},
        "statistics": _statistics(record),
        "krippendorff_alpha_over_all_blocks": record.alpha_over_all,
        "pairs": _pairs(record),
        "chance_test": _fields(record.test, expected="expected_agreement", upper="agreement_at_95_percent"),
        "candidates": {"known_from": record.candidates_from, "by_block": _candidates(record)},
        "leading_statistic": record.leading.statistic.key,
        "random_policy": _policy(record),
        "enough_runs": {
            "needed_for_95_percent": record.needed,
            "by_number": [_fields(entry, k="runs", whole="whole_vote", kind="how") for entry in record.stability],
        },
        "tasks": [_fields(task, percentage="percentage_agreement", fleiss="fleiss_kappa") for task in record.tasks],
        "course": None if record.trajectory is None else _trajectory(record.trajectory),
        "scores": _scores(record),
        "notes": [_fields(note) for note in record.notes],
        "settings": record.settings,
        "versions": record.versions,
    }
    return {key: plain(value) for key, value in content.items()}


def comparison_json(comparison: RunSetComparison) -> dict[str, Any]:
    """``comparison`` as plain JSON values; both sets appear as whole reports."""
    content: dict[str, Any] = {
        "format": COMPARISON_FORMAT,
        "title": comparison.title,
        "names": comparison.names,
        "verdict": comparison_verdict(comparison),
        "differences": [
            {
                "key": d.statistic.key,
                "name": d.statistic.name,
                **_fields(d, value="difference", statistic="", interval="", test=""),
                "interval": _interval(d.interval),
                "runs_test": _fields(d.test),
            }
            for d in comparison.differences
        ],
        "deciding_statistic": comparison.deciding.statistic.key,
        "same_vote": comparison.same_vote,
        "parted": comparison.parted,
        "notes": [_fields(note) for note in comparison.notes],
        "first": report_json(comparison.first),
        "second": report_json(comparison.second),
    }
    return {key: plain(value) for key, value in content.items()}


def _fields(record: Any, **names: str) -> dict[str, Any]:
    """The fields of a dataclass, some under other ``names``, without those whose name is empty."""
    return {names.get(key, key): value for key, value in vars(record).items() if names.get(key, key)}


def plain(value: Any) -> Any:
    """``value`` with lists for tuples and arrays, and None for numbers that JSON cannot hold.

    >>> plain({"a": (float("nan"), 0.5)})
    {'a': [None, 0.5]}
    """
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        finite = value.astype(object)
        finite[~np.isfinite(value)] = None
        return finite.tolist()
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _runs(record: Reliability) -> list[dict[str, Any]]:
    return [
        {
            "name": run.name,
            "source": run.source,
            "choices": [record.table.texts[code] for code in codes],
            "agreement_with_others": share,
            "metrics": run.metrics,
            "settings": run.facts(),
            "has_history": run.history is not None,
        }
        for run, codes, share in zip(record.runs, record.table.common.codes, record.with_others, strict=True)
    ]


def _pairs(record: Reliability) -> dict[str, Any] | None:
    """The agreement of each two runs; None where they are too many to be listed."""
    if not record.lists_pairs:
        return None
    return {"percentage_agreement": record.pair_agreement, "cohens_kappa": record.pair_kappa}


def _votes(record: Reliability) -> list[dict[str, Any]]:
    text = record.table.text
    return [
        {
            "block": block,
            "n_choices": n_choices,
            "voted": None if vote.open else text(vote.choice),
            "winners": [text(label) for label in vote.winners],
            "counts": {text(label): votes for label, votes in vote.counts},
            "margin": vote.margin,
            "entropy": vote.entropy,
            "tied": vote.tied,
            "decided_by": vote.decided_by,
        }
        for block, vote, n_choices in zip(
            record.blocks, record.votes, record.candidates or [None] * len(record.blocks), strict=True
        )
    ]


def _candidates(record: Reliability) -> dict[str, list[Any]] | None:
    """The candidates of each block as plain values; None where they are not known."""
    known = record.table.candidates.by_block
    return {block: [record.table.choice(label) for label in known[block]] for block in record.blocks} if known else None


def _policy(record: Reliability) -> dict[str, Any] | None:
    if record.policy is None:
        return None
    names = {
        "expected": "expected_agreement",
        "percentage": "agreement_95_percent",
        "fleiss": "fleiss_kappa_95_percent",
    }
    return {"choices_known_from": record.candidates_from, **_fields(record.policy, **names)}


def _statistics(record: Reliability) -> list[dict[str, Any]]:
    return [
        {
            "key": result.statistic.key,
            "name": result.statistic.name,
            "value": result.value,
            "observed": result.observed,
            "chance": result.chance,
            "interval": _interval(result.interval),
            "undefined_pairs": result.undefined_pairs,
            "mean_over_defined_pairs": result.defined_value,
            "note": result.note,
            "definition": result.statistic.definition,
            "source": result.statistic.source,
        }
        for result in record.results
    ]


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    """The interval under the keys of this format; those of the bootstrap, which is no longer computed, stay empty."""
    if interval is None:
        return None
    bootstrap: dict[str, Any] = {"percentile": None, "bca": None}
    ends = {"jackknife": interval.ends, **bootstrap, "one_sided": interval.one_sided}
    return {"level": interval.level, "draws": 0, "undefined_draws": 0, **ends}


def _trajectory(trajectory: Trajectory) -> dict[str, Any]:
    return {
        "runs": trajectory.runs,
        "steps": trajectory.steps,
        "percentage_agreement": trajectory.percentage,
        "fleiss_kappa": trajectory.fleiss,
        "same_as_final_vote": trajectory.same_vote,
        "mean_entropy": trajectory.entropy,
        "stable_from": trajectory.stable_from,
        "blocks": [
            {
                "block": block,
                "decided_at": trajectory.decided[block],
                "settled_at": trajectory.settled[block],
                "choices": trajectory.choices[block],
                "mean_probabilities": trajectory.probabilities[block],
            }
            for block in trajectory.blocks
        ],
    }


def _scores(record: Reliability) -> dict[str, Any] | None:
    if record.scores is None:
        return None
    scores = _fields(record.scores, correlation="")
    head = {"metric": scores.pop("metric"), "values": scores.pop("values")}
    return {**head, **_fields(record.scores.correlation, tau="kendalls_tau"), **scores}
