"""All drawings of a report by name: the page shows them, the figure files are the same ones."""

from __future__ import annotations

import math

from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.drawing.charts import Curve, Whisker, bars, curves, points, whiskers
from nas_ctx.analysis.report.drawing.grids import (
    agreement_matrix,
    choice_matrix,
    probability_grid,
    vote_list,
    voted_grid,
)
from nas_ctx.analysis.report.drawing.scene import Scene
from nas_ctx.analysis.report.palette import line_colour
from nas_ctx.analysis.stats.catalogue import PERCENTAGE
from nas_ctx.analysis.wording import number, percent, span


def drawings(record: Reliability) -> dict[str, Scene]:
    """Name -> drawing; those for which the runs carry nothing are absent."""
    made = {
        "votes": voted_grid(record, record.grid) if record.grid else vote_list(record),
        "agreement": agreement_matrix(record),
        "choices": choice_matrix(record),
        "statistics": whiskers("Statistics with intervals", [_whisker(record, i) for i in range(len(record.results))]),
        "enough": _enough(record),
    }
    for role in ("target", "source"):
        rows = [(task.task, task.percentage, task.chance) for task in record.tasks if task.role == role]
        if rows:
            made[f"{role}s"] = bars(f"Agreement per {role} task", rows, colour=line_colour(0))
    if record.trajectory is not None:
        course, steps = record.trajectory, record.trajectory.steps.tolist()
        made["course"] = curves(
            "Agreement over the steps",
            [
                Curve("agreement", list(zip(steps, course.percentage.tolist(), strict=True)), line_colour(0)),
                Curve("final vote", list(zip(steps, course.same_vote.tolist(), strict=True)), line_colour(1)),
            ],
            "step",
            "share",
            y=(0, 1),
            percent=True,
            width=470,
            name_width=88,
        )
        made["entropy"] = curves(
            "Mean entropy over the steps",
            [
                Curve(name, list(zip(steps, row.tolist(), strict=True)), line_colour(i), thickness=1.5)
                for i, (name, row) in enumerate(zip(course.runs, course.entropy, strict=True))
            ],
            "step",
            "nats",
            width=470,
            name_width=88,
        )
        made["probabilities"] = probability_grid(record, course)
    if record.scores is not None:
        rows = [
            (run.name, float(share), value)
            for run, share, value in zip(record.runs, record.with_others, record.scores.values, strict=True)
        ]
        made["scores"] = points(
            "Agreement and score of the runs", rows, "agreement with the other runs", record.scores.metric,
            below=record.scores.random,
        )  # fmt: skip
    return made


def _whisker(record: Reliability, index: int) -> Whisker:
    result = record.results[index]
    share = result.statistic is PERCENTAGE
    low, high = result.interval.ends if result.interval else (math.nan, math.nan)
    value = percent(result.value) if share else number(result.value)
    between = f"  ({span(result.interval, percent if share else None)})" if result.interval and not share else ""
    return Whisker(
        result.statistic.name,
        result.value,
        low,
        high,
        (value if not math.isnan(result.value) else "undefined") + between,
        result.chance if share else math.nan,
        "#3b4754" if share else "#0060a8",
    )


def _enough(record: Reliability) -> Scene:
    """Measured and extrapolated shares over the number of runs."""
    drawn = []
    for name, colour, value in (("a block", line_colour(0), "blocks"), ("all blocks at once", line_colour(1), "whole")):
        for extrapolated in (False, True):
            points = [
                (entry.k, getattr(entry, value))
                for entry in record.stability
                if (entry.kind == "extrapolated") == extrapolated
            ]
            drawn.append(
                Curve(
                    name if extrapolated else "",
                    points,
                    colour,
                    marked=len(points) <= 40 and not extrapolated,
                    dashed=extrapolated,
                )
            )
    return curves(
        "How often a vote of k runs gives the full vote",
        drawn,
        "number of runs that vote",
        "same as the vote of all runs",
        y=(0, 1),
        percent=True,
        whole_x=True,
        width=680,
        name_width=130,
    )
