"""The figures of a report and of a comparison, each drawn once by matplotlib for the page and for the files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.figures.canvas import Canvas, settings
from nas_ctx.analysis.report.figures.charts import Curve, Whisker, curves, points, whiskers
from nas_ctx.analysis.report.figures.runs import agreement_figure, choice_figure
from nas_ctx.analysis.report.figures.svg import FORMATS, write_figure
from nas_ctx.analysis.report.figures.trajectory import trajectory_figures
from nas_ctx.analysis.report.figures.votes import vote_figure
from nas_ctx.analysis.report.palette import line_colour
from nas_ctx.analysis.stats.catalogue import PERCENTAGE, Statistic
from nas_ctx.analysis.stats.intervals import Interval
from nas_ctx.analysis.wording import number, percent, span
from nas_ctx.errors import InputError


def report_figures(record: Reliability) -> dict[str, Canvas]:
    """Name -> drawing; those for which the runs carry nothing are absent."""
    with settings():
        statistics = [
            _whisker(r.statistic, r.value, r.interval, record.leading.chance if r.statistic is PERCENTAGE else math.nan)
            for r in (record.results if len(record.blocks) > 1 else record.results[:1])
        ]
        ends = ("kappa: chance" if len(record.blocks) > 1 else "", "full agreement")
        figures = {
            "votes": vote_figure(record),
            **({"agreement": agreement_figure(record)} if record.lists_pairs else {}),
            "choices": choice_figure(record),
            "statistics": whiskers("Statistics with intervals", statistics, ends),
            **({"enough": _stability(record)} if len(record.runs) > 2 else {}),
        }
        for role in ("target", "source"):
            tasks = [task for task in record.tasks if task.role == role]
            rows = [Whisker(t.task, t.percentage, math.nan, math.nan, percent(t.percentage), t.chance) for t in tasks]
            if rows:
                figures[f"{role}s"] = whiskers(f"Agreement per {role} task", rows, ("", ""), wide=230)
        if record.trajectory is not None:
            figures |= trajectory_figures(record, record.trajectory)
        if record.scores is not None:
            shares, values = record.with_others.tolist(), record.scores.values
            named = list(zip([run.name for run in record.runs], shares, values, strict=True))
            names = ("agreement with the other runs", record.scores.metric)
            figures["scores"] = points("Agreement and score of the runs", named, names, record.scores.random)
    return figures


def comparison_figures(comparison: RunSetComparison) -> dict[str, Canvas]:
    """The differences with intervals, and both votes."""
    a, b = comparison.names
    rows = [_whisker(d.statistic, d.value, d.interval, write=number) for d in comparison.differences]
    with settings():
        return {
            "differences": whiskers(f"{b} minus {a}", rows, (f"{a} agrees more", f"{b} agrees more"), difference=True),
            "votes-first": vote_figure(comparison.first),
            "votes-second": vote_figure(comparison.second),
        }


def formats_of(figures: bool | Sequence[str]) -> Sequence[str]:
    """The formats in which a report writes its figures: SVG (true), none (false), or those that are named.

    Raises:
        InputError: an unknown format.
    """
    if isinstance(figures, bool):
        figures = ["svg"] if figures else []
    elif isinstance(figures, str):
        figures = [figures]
    for name in figures:
        if name not in FORMATS:
            raise InputError(f"figures: {name!r}: expected {', '.join(FORMATS)}")
    return figures


def write_figures(figures: dict[str, Canvas], folder: Path, formats: Sequence[str]) -> None:
    """Write each drawing as ``<folder>/<name>.<format>``.

    Where an earlier report left the same drawing in another format, that file is removed: it may show other runs.
    """
    for name, canvas in figures.items():
        for suffix in FORMATS if formats else ():
            path = folder / f"{name}.{suffix}"
            if suffix in formats:
                write_figure(canvas, path, name)
            elif path.is_file():
                path.unlink()


def _whisker(
    statistic: Statistic, value: float, interval: Interval | None, chance: float = math.nan,
    write: Callable[[float], str] | None = None,
) -> Whisker:  # fmt: skip
    share = statistic is PERCENTAGE
    write = write or (percent if share else number)
    words = "undefined" if math.isnan(value) else write(value) + (f"  ({span(interval, write)})" if interval else "")
    ends = interval.ends if interval else (math.nan, math.nan)
    return Whisker(statistic.name, value, *ends, words, chance, line_colour(5 if share else 0))


def _stability(record: Reliability) -> Canvas:
    """Measured and extrapolated shares over the number of runs."""
    drawn = []
    for name, colour, value in (("a block", line_colour(0), "blocks"), ("all blocks at once", line_colour(1), "whole")):
        for dashed in (False, True):
            entries = [entry for entry in record.stability if (entry.kind == "extrapolated") == dashed]
            numbers, shares = [entry.k for entry in entries], [getattr(entry, value) for entry in entries]
            marked = not dashed and len(numbers) <= 40
            if entries:
                named = dashed or len(record.runs) >= numbers[-1] == record.stability[-1].k
                drawn.append(Curve(name if named else "", numbers, shares, colour, marked, dashed))
    names = ("number of runs that vote", "same as the vote of all runs")
    return curves("How often a vote of k runs gives the full vote", drawn, names, width=700, percent=True)
