"""A table of results as a figure: a panel per task, a dot per run, the mean of each row (figure D-1, and others)."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_ctx.escaping import visible
from nas_ctx.evaluation.contrasts import DELTA
from nas_ctx.evaluation.table import ResultTable
from nas_ctx.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

MEAN, RUN, REFERENCE = "#004f96", "#8c9bab", "#d55e00"


def draw_table(table: ResultTable, path: str | os.PathLike[str]) -> None:
    """Draw the table into ``path``, a .png, .svg or .pdf file."""
    import matplotlib

    from nas_ctx.analysis.report.figures.canvas import settings

    with settings():
        matplotlib.rcParams["text.parse_math"] = False  # names are from files
        _draw(table, path)


def _draw(table: ResultTable, path: str | os.PathLike[str]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [_wrapped(row.name, 36) for row in table.rows]
    lines = [line for row in rows for line in row.splitlines()]
    width = 0.075 * max(map(len, lines)) + 2.4 * len(table.columns)
    heights = [1.3 + 0.16 * (len(rows) + len(lines)), 0.9 + 0.3 * len(table.primary) if table.primary else 0]
    figure = Figure(figsize=(width, sum(heights)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    above: Any = figure
    if table.primary:
        parts = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
        above = parts[0, 0]
        _draw_contrasts(parts[1, 0], table)
    panels = above.subplots(1, len(table.columns), sharey=True, squeeze=False)[0]
    for panel, column, (name, task) in zip(panels, table.columns, table.tasks.items(), strict=True):
        _panel(panel, table, column, task.scale)
        unit = f"{task.metric_name} in percent" if task.share else task.metric_name
        better = "right" if task.higher_is_better else "left"
        panel.set_title(name, fontsize=10, fontweight="bold")
        panel.set_xlabel(f"{unit}\nbetter to the {better}", fontsize=8)
    panels[0].set_yticks(range(len(rows)), rows, fontsize=9)
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    legend = "dot: a run; diamond: mean and deviation of a row"
    if table.reference is not None:
        legend += f"; line: mean of {table.reference!r}"
    above.suptitle(legend, fontsize=8, color="#4d4d4d")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=os.path.splitext(path)[1].lstrip(".").lower() or "png")


def _wrapped(name: str, width: int) -> str:
    """A name on lines of at most ``width`` characters, and on at most six of them, with controls as escapes."""
    return textwrap.fill(visible(" ".join(name.split())), width, max_lines=6, placeholder=" …")


def _draw_contrasts(figure: SubFigure, table: ResultTable) -> None:
    """A panel per metric of the primary contrasts: differences as dots, simultaneous intervals as bars."""
    metrics = list(dict.fromkeys(difference.metric for difference in table.primary))
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for panel, metric in zip(panels, metrics, strict=True):
        shown = [difference for difference in table.primary if difference.metric == metric]
        scale = table.scales.get(metric, 1.0)
        for place, each in enumerate(shown):
            ends = [[each.difference - each.low], [each.high - each.difference]]
            bars = np.nan_to_num(ends) * scale
            panel.errorbar(each.difference * scale, place, xerr=bars, fmt="o", color=MEAN, markersize=5, capsize=3)
        panel.axvline(0, color=REFERENCE, linewidth=1, linestyle=(0, (2, 2)))
        names = [_wrapped(f"{each.row} − {each.against}", 48) for each in shown]
        panel.set_yticks(range(len(shown)), names, fontsize=8)
        panel.set_ylim(len(shown) - 0.5, -0.5)
        panel.set_xlabel("Δm in percent" if metric == DELTA else metric, fontsize=8)
        _style(panel)
    figure.suptitle("primary contrasts: difference of means, simultaneous 95 % intervals", fontsize=8, color="#4d4d4d")


def _panel(axes: Axes, table: ResultTable, column: str, scale: float) -> None:
    for place, row in enumerate(table.rows):
        values = [value * scale for value in row.by_seed(column).values()]
        if not values:
            axes.text(0.5, place, "–", transform=axes.get_yaxis_transform(), ha="center", va="center", color=RUN)
            continue
        cell = table.cells[row.name][column]
        deviation = cell.deviation * scale if cell.runs > 1 else 0.0
        axes.errorbar(cell.mean * scale, place, xerr=deviation, fmt="D", color=MEAN, markersize=6, zorder=2)
        axes.plot(values, [place] * len(values), "o", color=RUN, markeredgecolor="white", markersize=4.5, zorder=3)
    reference = table.cells.get(table.reference or "", {}).get(column)
    if reference is not None:
        axes.axvline(reference.mean * scale, color=REFERENCE, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
    axes.margins(x=0.12)
    _style(axes)


def _style(axes: Axes) -> None:
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(length=0)
    axes.grid(axis="y", color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
