"""A table of results as text, Markdown, LaTeX or CSV, in the layouts of the supplement."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass

from nas_ctx.escaping import escape_csv_formula, escape_markdown, visible
from nas_ctx.evaluation.table import DELTA, Cell, ResultTable
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
        for column, scale in _scales(table).items():
            mean, deviation = shown(cells.get(column), scale)
            line += [mean, deviation] if layout.deviation else [mean]
        if layout.delta:
            delta = cells[DELTA].mean if DELTA in cells else math.nan
            line.append(f"{delta:+.2f}" if math.isfinite(delta) else MISSING)
        lines.append(line)
    return lines


def _scales(table: ResultTable) -> dict[str, float]:
    """What to multiply each column by."""
    tasks = table.tasks.values()
    return {column: 100.0 if t.higher_is_better else 1.0 for column, t in zip(table.columns, tasks, strict=True)}


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


def comparison_lines(table: ResultTable) -> Lines:
    """Every row against the reference row: difference, p, and p after Holm's correction."""
    scales = _scales(table)
    lines = [["network", "metric", "seeds", "difference", "p", "p (Holm)"]]
    for comparison in table.comparisons:
        difference = comparison.difference * scales.get(comparison.metric, 1.0)
        p_values = (f"{p:.3g}" if math.isfinite(p) else MISSING for p in (comparison.p, comparison.adjusted))
        lines.append([comparison.row, comparison.metric, str(comparison.seeds), f"{difference:+.4g}", *p_values])
    return lines


def as_csv(table: ResultTable, layout: Layout) -> str:
    """A line per row and metric, every metric included, in full precision and in the metric's own unit."""
    compared = {(c.row, c.metric): c for c in table.comparisons}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["network", "metric", "runs", "mean", "deviation", "against", "seeds", "difference", "p", "p_holm"])
    for row in table.rows:
        for metric, cell in table.cells[row.name].items():
            line: list[object] = [row.name, metric, cell.runs, cell.mean, cell.deviation]
            other = compared.get((row.name, metric))
            if other is None:
                line += [""] * 5
            else:
                line += [table.reference, other.seeds, other.difference, other.p, other.adjusted]
            writer.writerow(
                ["" if isinstance(value, float) and math.isnan(value) else escape_csv_formula(value) for value in line]
            )
    return text.getvalue()


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
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "Δ": r"$\Delta$", "–": "--",
})  # fmt: skip


def latex_text(text: str) -> str:
    r"""Text with the special characters of LaTeX escaped.

    >>> print(latex_text("t_label 5% ↑"))
    t\_label 5\% $\uparrow$
    """
    return visible(text).translate(_LATEX)


def _page(draw: Callable[[Lines], str], comment: str = "") -> Callable[[ResultTable, Layout], str]:
    """A format that draws the results and, below them, the comparisons with the reference row."""

    def page(table: ResultTable, layout: Layout) -> str:
        results = draw(result_lines(table, layout))
        if not table.comparisons:
            return results
        heading = f"against {table.reference!r}, paired by seed (two-sided t test, Holm's correction over this table):"
        return "\n".join([results, "", comment + heading, *([] if comment else [""]), draw(comparison_lines(table))])

    return page


FORMATS: Registry[Callable[[ResultTable, Layout], str]] = Registry("format")
FORMATS.update(
    {"text": _page(_aligned), "markdown": _page(_markdown), "latex": _page(_latex, comment="% "), "csv": as_csv}
)
