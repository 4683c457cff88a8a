"""A table of results as text, Markdown, LaTeX or CSV, in the layouts of the supplement."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nas_ctx.escaping import escape_csv_formula, escape_markdown, visible
from nas_ctx.evaluation.contrasts import DELTA
from nas_ctx.evaluation.differences import Difference
from nas_ctx.evaluation.table import Cell, ResultTable
from nas_ctx.plugins import Registry

MISSING = "–"
Lines = list[list[str]]
"""A table of texts: its head, then its rows; the first column holds names, the others numbers."""


@dataclass(frozen=True)
class Layout:
    """The columns of a table: the number of runs, a mean per task, its deviation beside it, and delta_m at the end."""

    deviation: bool
    delta: bool
    runs: bool = True


LAYOUTS: Registry[Layout] = Registry("layout")
LAYOUTS.update({"B-1": Layout(False, False), "E-1": Layout(False, True), "G-1": Layout(True, True)})


def result_lines(table: ResultTable, layout: Layout) -> Lines:
    """The results, quoted ones first. Scores where higher is better are shares of one, and shown in percent."""
    head = ["network", *(["runs"] if layout.runs else [])]
    for name, task in table.tasks.items():
        head += [f"{name} {'↑' if task.higher_is_better else '↓'}", *(["std."] if layout.deviation else [])]
    lines = [[*head, "Δm [%] ↑"] if layout.delta else head]
    for quoted in table.quoted:
        line = [quoted["network"], *([MISSING] if layout.runs else [])]
        for name in table.tasks:
            line += [quoted.get(name, MISSING), *([MISSING] if layout.deviation else [])]
        lines.append([*line, quoted.get(DELTA, MISSING)] if layout.delta else line)
    for row in table.rows:
        cells = table.cells[row.name]
        counts = sorted({cells[column].runs for column in table.columns if column in cells})
        line = [row.name, *(["–".join(map(str, [*counts[:1], *counts[1:][-1:]]))] if layout.runs else [])]
        for column, scale in table.scales.items():
            mean, deviation = shown(cells.get(column), scale)
            line += [mean, deviation] if layout.deviation else [mean]
        if layout.delta:
            line.append(shown_delta(cells.get(DELTA)))
        lines.append(line)
    return lines


def shown(cell: Cell | None, scale: float) -> tuple[str, str]:
    """The mean with four digits, and the deviation with as many decimals.

    >>> shown(Cell(0.3802, 0.0014, 5), 100.0), shown(Cell(0.6104, 0.0041, 5), 1.0), shown(Cell(20.94, math.nan, 1), 1.0)
    (('38.02', '0.14'), ('0.6104', '0.0041'), ('20.94', '–'))
    """
    if cell is None or not math.isfinite(cell.mean):
        return MISSING, MISSING
    mean, deviation = cell.mean * scale, cell.deviation * scale
    decimals = max(0, 4 - max(0, math.floor(math.log10(abs(mean))) + 1)) if mean else 2
    return f"{mean:.{decimals}f}", f"{deviation:.{decimals}f}" if math.isfinite(deviation) else MISSING


def shown_delta(cell: Cell | None) -> str:
    """delta_m with half of its interval's width."""
    if cell is None or not math.isfinite(cell.mean):
        return MISSING
    half = (cell.interval[1] - cell.interval[0]) / 2
    return f"{cell.mean:+.2f}" + (f" ± {half:.2f}" if math.isfinite(half) else "")


def difference_lines(table: ResultTable, differences: Sequence[Difference]) -> Lines:
    """Differences with their intervals, in the units of the results."""
    scales = table.scales
    several = len({difference.against for difference in differences}) > 1
    paired = any(math.isfinite(difference.correlation) for difference in differences)
    head = ["network", *(["against"] if several else []), "metric", "runs", "difference", "95 % interval"]
    lines = [[*head, "P(better)", "detectable", *(["correlation"] if paired else [])]]
    for each in differences:
        scale = scales.get(each.metric, 1.0)
        low, high, detectable = (_digits(x * scale) for x in (each.low, each.high, each.detectable))
        lines.append(
            [
                each.row,
                *([each.against] if several else []),
                "Δm [%]" if each.metric == DELTA else each.metric,
                str(each.runs[0]) if each.runs[0] == each.runs[1] else f"{each.runs[0]}, {each.runs[1]}",
                _digits(each.difference * scale, sign=True),
                f"{low} to {high}" if math.isfinite(each.low) else MISSING,
                f"{each.better:.2f}" if math.isfinite(each.better) else MISSING,
                detectable,
                *([f"{each.correlation:+.2f}" if math.isfinite(each.correlation) else MISSING] if paired else []),
            ]
        )
    return lines


def _digits(value: float, *, sign: bool = False) -> str:
    """Three significant digits.

    >>> _digits(12.3456), _digits(0.00012, sign=True), _digits(float("nan"))
    ('12.3', '+0.00012', '–')
    """
    if not math.isfinite(value):
        return MISSING
    return f"{value:{'+' if sign else ''}.3g}"


def as_csv(table: ResultTable, layout: Layout) -> str:
    """A line per row and metric, every metric included, in full precision and in the metric's own unit; then a line per
    difference."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in table.rows:
        for metric, cell in table.cells[row.name].items():
            _write(writer, [row.name, metric, "", cell.runs, cell.mean, cell.deviation, *cell.interval])
    for kind, differences in (("primary", table.primary), ("exploratory", table.exploratory)):
        for d in differences:
            line = [d.row, d.metric, kind, d.runs[0], d.difference, math.nan, d.low, d.high, d.against, d.runs[1]]
            _write(writer, [*line, d.better, d.detectable, d.method, d.correlation])
    return text.getvalue()


CSV_COLUMNS = ["network", "metric", "contrast", "runs", "mean", "deviation", "low", "high", "against", "against_runs",
               "probability_of_improvement", "detectable", "method", "correlation"]  # fmt: skip
"""``mean`` of a contrast is the difference of the means."""


def _write(writer: Any, line: Sequence[object]) -> None:
    cells = ["" if isinstance(value, float) and math.isnan(value) else escape_csv_formula(value) for value in line]
    writer.writerow([*cells, *[""] * (len(CSV_COLUMNS) - len(cells))])


def _aligned(lines: Lines) -> str:
    lines = [[visible(text) for text in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    drawn = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
    return "\n".join([drawn[0], rule, *drawn[1:]])


def _markdown(lines: Lines) -> str:
    rule = ["---", *["---:"] * (len(lines[0]) - 1)]
    head, *rows = ([escape_markdown(text) for text in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))


def _latex(lines: Lines) -> str:
    """A ``tabular`` environment with the rules of ``booktabs``."""
    head, *body = [" & ".join(map(latex_text, line)) + r" \\" for line in lines]
    begin = rf"\begin{{tabular}}{{l{'r' * (len(lines[0]) - 1)}}}"
    return "\n".join([begin, r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"])


_LATEX = str.maketrans({
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "Δ": r"$\Delta$", "±": r"$\pm$", "–": "--",
})  # fmt: skip


def latex_text(text: str) -> str:
    r"""Text with the special characters of LaTeX escaped.

    >>> print(latex_text("t_label 5% ↑"))
    t\_label 5\% $\uparrow$
    """
    return visible(text).translate(_LATEX)


LEGEND = (
    "P(better): share of pairs of runs in which the row is better. Detectable: the true difference whose interval "
    "would exclude 0 in 80 % of such studies."
)


def _sections(table: ResultTable) -> Iterator[tuple[str, list[Difference]]]:
    """Heading and differences of each part of the table."""
    for differences, kind in ((table.primary, "primary"), (table.exploratory, "exploratory")):
        if not differences:
            continue
        rows = {difference.against for difference in differences}
        against = f" against {next(iter(rows))!r}" if len(rows) == 1 else ""
        if kind == "primary":
            intervals = f"simultaneous 95 % intervals of {len(differences)} contrasts"
        else:
            misses = f"of {len(differences)}, {0.05 * len(differences):.2g} miss the truth by chance"
            intervals = f"each 95 % interval by itself: {misses}"
        yield f"{kind}{against} ({intervals}):", differences


def _page(
    draw: Callable[[Lines], str], comment: str = "", escape: Callable[[str], str] = visible
) -> Callable[[ResultTable, Layout], str]:
    """A format that draws the results and, below them, primary and exploratory differences, and notes."""

    def page(table: ResultTable, layout: Layout) -> str:
        parts = [draw(result_lines(table, layout))]
        for heading, differences in _sections(table):
            parts += [
                "",
                comment + escape(heading),
                *([] if comment else [""]),
                draw(difference_lines(table, differences)),
            ]
        if table.primary or table.exploratory:
            parts += ["", comment + LEGEND]
        for line in table.notes:
            parts += ["", comment + escape(line)]
        return "\n".join(parts)

    return page


FORMATS: Registry[Callable[[ResultTable, Layout], str]] = Registry("format")
FORMATS.update(
    {
        "text": _page(_aligned),
        "markdown": _page(_markdown, escape=escape_markdown),
        "latex": _page(_latex, comment="% "),
        "csv": as_csv,
    }
)
