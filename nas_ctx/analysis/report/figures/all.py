"""All figures of a report and of a comparison by name."""

from __future__ import annotations

import math
from pathlib import Path

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.reliability import Reliability, StatisticResult
from nas_ctx.analysis.report.figures.canvas import Canvas, settings
from nas_ctx.analysis.report.figures.charts import Curve, Whisker, bars, curves, points, whiskers
from nas_ctx.analysis.report.figures.palette import line_colour
from nas_ctx.analysis.report.figures.runs import agreement_figure, choice_figure
from nas_ctx.analysis.report.figures.svg import write_figure
from nas_ctx.analysis.report.figures.trajectory import trajectory_figures
from nas_ctx.analysis.report.figures.votes import vote_figure
from nas_ctx.analysis.stats.catalogue import PERCENTAGE
from nas_ctx.analysis.wording import number, percent, span

_GREY = line_colour(5)


def report_figures(record: Reliability) -> dict[str, Canvas]:
    """Name -> drawing; those for which the runs carry nothing are absent."""
    with settings():
        figures = {
            "votes": vote_figure(record),
            "agreement": agreement_figure(record),
            "choices": choice_figure(record),
            "statistics": whiskers(
                "Statistics with intervals", [_whisker(r) for r in record.results], ("kappa: chance", "full agreement")
            ),
            "enough": _stability(record),
        }
        for role in ("target", "source"):
            rows = [(task.task, task.percentage, task.chance) for task in record.tasks if task.role == role]
            if rows:
                figures[f"{role}s"] = bars(f"Agreement per {role} task", rows)
        if record.trajectory is not None:
            figures |= trajectory_figures(record, record.trajectory)
        if record.scores is not None:
            scored = zip(record.runs, record.with_others.tolist(), record.scores.values, strict=True)
            named = [(run.name, share, value) for run, share, value in scored]
            names = ("agreement with the other runs", record.scores.metric)
            figures["scores"] = points("Agreement and score of the runs", named, names, record.scores.random)
    return figures


def comparison_figures(comparison: RunSetComparison) -> dict[str, Canvas]:
    """The differences with intervals, and both votes."""
    a, b = comparison.names
    rows = [
        Whisker(
            d.statistic.name,
            d.value,
            *(d.interval.ends if d.interval else (math.nan, math.nan)),
            words="undefined" if math.isnan(d.value) else f"{number(d.value)}  ({span(d.interval)})",
            colour=_GREY if d.statistic is PERCENTAGE else line_colour(0),
        )
        for d in comparison.differences
    ]
    with settings():
        return {
            "differences": whiskers(f"{b} minus {a}", rows, (f"{a} agrees more", f"{b} agrees more"), difference=True),
            "votes-first": vote_figure(comparison.first),
            "votes-second": vote_figure(comparison.second),
        }


def write_figures(figures: dict[str, Canvas], folder: Path) -> None:
    """Write each drawing as ``<folder>/<name>.svg``, ``.pdf`` and ``.png``."""
    for name, canvas in figures.items():
        for suffix in (".svg", ".png", ".pdf"):
            write_figure(canvas, folder / f"{name}{suffix}", name)


def _whisker(result: StatisticResult) -> Whisker:
    share = result.statistic is PERCENTAGE
    write = percent if share else number
    ends = result.interval.ends if result.interval else (math.nan, math.nan)
    between = f"  ({span(result.interval, write)})" if result.interval else ""
    return Whisker(
        result.statistic.name,
        result.value,
        *ends,
        words="undefined" if math.isnan(result.value) else write(result.value) + between,
        chance=result.chance if share else math.nan,
        colour=_GREY if share else line_colour(0),
    )


def _stability(record: Reliability) -> Canvas:
    """Measured and extrapolated shares over the number of runs."""
    drawn = []
    measured = [entry for entry in record.stability if entry.kind != "extrapolated"]
    extrapolated = [entry for entry in record.stability if entry.kind == "extrapolated"]
    for name, colour, value in (("a block", line_colour(0), "blocks"), ("all blocks at once", line_colour(1), "whole")):
        for entries, dashed in ((measured, False), (extrapolated, True)):
            numbers, shares = [entry.k for entry in entries], [getattr(entry, value) for entry in entries]
            marked = not dashed and len(numbers) <= 40
            drawn.append(Curve(name if dashed else "", numbers, shares, colour, marked, dashed))
    names = ("number of runs that vote", "same as the vote of all runs")
    return curves("How often a vote of k runs gives the full vote", drawn, names, width=700, percent=True)
