"""A table of results as text, Markdown, LaTeX or CSV, in the layouts of the supplement."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nas_ctx.evaluation.table import DELTA, Cell, Comparison, ResultTable
from nas_ctx.files import escape_csv_formula
from nas_ctx.plugins.registry import Registry

NOTHING = "–"


@dataclass(frozen=True)
class Layout:
    """Which columns a table has: a mean per task, and beside it perhaps its deviation, and delta_m at the end."""

    deviation: bool
    delta: bool


LAYOUTS: Registry[Layout] = Registry("layout")
LAYOUTS.update({"B-1": Layout(False, False), "E-1": Layout(False, True), "G-1": Layout(True, True)})


@dataclass(frozen=True)
class Sheet:
    """A table of texts: the first column are names, the others numbers."""

    head: list[str]
    body: list[list[str]]


def result_sheet(table: ResultTable, layout: Layout) -> Sheet:
    """The results. Scores where higher is better are shares of one, and shown in percent."""
    head, columns = ["network", "runs"], []
    for column, (name, task) in zip(table.columns, table.tasks.items(), strict=True):
        head += [f"{name} {'↑' if task.higher_is_better else '↓'}", *(["std."] if layout.deviation else [])]
        columns.append((column, 100.0 if task.higher_is_better else 1.0))
    if layout.delta:
        head.append("Δm [%] ↑")
    body = []
    for row in table.rows:
        cells = table.cells[row.name]
        counts = sorted({cells[column].runs for column, _ in columns if column in cells})
        line = [row.name, "–".join(map(str, [*counts[:1], *counts[1:][-1:]]))]
        for column, scale in columns:
            mean, deviation = shown(cells.get(column), scale)
            line += [mean, deviation] if layout.deviation else [mean]
        if layout.delta:
            delta = cells[DELTA].mean if DELTA in cells else math.nan
            line.append(f"{delta:+.2f}" if math.isfinite(delta) else NOTHING)
        body.append(line)
    return Sheet(head, body)


def shown(of: Cell | None, scale: float) -> tuple[str, str]:
    """Mean in four digits, and the deviation with as many decimals.

    >>> shown(Cell(0.3802, 0.0014, 5), 100.0), shown(Cell(0.6104, 0.0041, 5), 1.0), shown(Cell(20.94, math.nan, 1), 1.0)
    (('38.02', '0.14'), ('0.6104', '0.0041'), ('20.94', '–'))
    """
    if of is None or not math.isfinite(of.mean):
        return NOTHING, NOTHING
    mean = of.mean * scale
    decimals = max(0, 4 - max(0, math.floor(math.log10(abs(mean))) + 1)) if mean else 2
    return f"{mean:.{decimals}f}", f"{of.deviation * scale:.{decimals}f}" if math.isfinite(of.deviation) else NOTHING


def comparison_sheet(table: ResultTable) -> Sheet:
    """Every row against the reference row: difference, p, and p after Holm's correction."""
    scales = {c: 100.0 if t.higher_is_better else 1.0 for c, t in zip(table.columns, table.tasks.values(), strict=True)}
    return Sheet(
        ["network", "metric", "seeds", "difference", "p", "p (Holm)"],
        [_compared(comparison, scales.get(comparison.metric, 1.0)) for comparison in table.comparisons],
    )


def _compared(of: Comparison, scale: float) -> list[str]:
    p, adjusted = (f"{value:.3g}" if math.isfinite(value) else NOTHING for value in (of.p, of.adjusted))
    return [of.row, of.metric, str(of.seeds), f"{of.difference * scale:+.4g}", p, adjusted]


FORMATS: Registry[Callable[[ResultTable, Layout], str]] = Registry("format")


@FORMATS.register("text")
def as_text(table: ResultTable, layout: Layout) -> str:
    """Columns in line, for a terminal."""
    return "\n".join([_aligned(result_sheet(table, layout)), *_below(table, _aligned)])


@FORMATS.register("markdown")
def as_markdown(table: ResultTable, layout: Layout) -> str:
    """Tables of GitHub's Markdown."""
    return "\n".join([_markdown(result_sheet(table, layout)), *_below(table, _markdown)])


@FORMATS.register("latex")
def as_latex(table: ResultTable, layout: Layout) -> str:
    """``tabular`` environments with the rules of ``booktabs``; the comparisons follow as a second one."""
    return "\n".join([_latex(result_sheet(table, layout)), *_below(table, _latex, "% ")])


@FORMATS.register("csv")
def as_csv(table: ResultTable, layout: Layout) -> str:
    """A line per row and number, every metric included, in full precision and in the metric's own unit."""
    compared = {(c.row, c.metric): c for c in table.comparisons}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["network", "metric", "runs", "mean", "deviation", "against", "seeds", "difference", "p", "p_holm"])
    for row in table.rows:
        for metric, of in table.cells[row.name].items():
            line: list[object] = [row.name, metric, of.runs, of.mean, of.deviation]
            other = compared.get((row.name, metric))
            if other is not None:
                line += [table.reference, other.seeds, other.difference, other.p, other.adjusted]
            line += [""] * (10 - len(line))
            writer.writerow(
                ["" if isinstance(value, float) and math.isnan(value) else escape_csv_formula(value) for value in line]
            )
    return text.getvalue()


def _below(table: ResultTable, draw: Callable[[Sheet], str], comment: str = "") -> list[str]:
    if not table.comparisons:
        return []
    words = f"against {table.reference!r}, paired by seed (two-sided t test, Holm's correction over this table):"
    return ["", comment + words, *([""] if not comment else []), draw(comparison_sheet(table))]


def _aligned(sheet: Sheet) -> str:
    lines = [sheet.head, *sheet.body]
    widths = [max(len(line[i]) for line in lines) for i in range(len(sheet.head))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    drawn = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
    return "\n".join([drawn[0], rule, *drawn[1:]])


def _markdown(sheet: Sheet) -> str:
    rule = ["---", *["---:"] * (len(sheet.head) - 1)]
    escaped = ([text.replace("|", "\\|") for text in line] for line in [sheet.head, rule, *sheet.body])
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped)


def _latex(sheet: Sheet) -> str:
    lines = [" & ".join(map(latex_text, line)) + r" \\" for line in [sheet.head, *sheet.body]]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(sheet.head) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


_LATEX = {
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "Δ": r"$\Delta$", "–": "--",
}  # fmt: skip


def latex_text(text: Sequence[str]) -> str:
    """Text with what LaTeX would take for something else written out.

    >>> print(latex_text("t_label 5% ↑"))
    t\\_label 5\\% $\\uparrow$
    """
    return "".join(_LATEX.get(sign, sign) for sign in text)
