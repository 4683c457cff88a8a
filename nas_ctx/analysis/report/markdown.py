"""The record as Markdown, for pull requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.stats.catalogue import PERCENTAGE
from nas_ctx.analysis.wording import CAUTION, comparison_verdict, number, percent, span, stability_words, verdict

Row = Sequence[object]


def markdown(record: Reliability) -> str:
    """The report in brief, for a pull request."""
    parts = [f"## {_cell(record.title)}", " ".join(verdict(record)), CAUTION, _statistics(record)]
    if record.grid is not None:
        grid, text = record.grid, record.table.text
        rows = []
        for target in grid.targets:
            cells = []
            for source in grid.sources:
                index = grid.positions.get((target, source))
                of = None if index is None else record.votes[index]
                if of is None:
                    cells.append("")
                elif of.tied and not of.decided_by:
                    cells.append("tie: " + ", ".join(text(winner) for winner in of.winners))
                else:
                    cells.append(f"{text(of.choice)} ({of.counts[0][1]}){'*' if of.decided_by else ''}")
            rows.append((f"**{target}**", *cells))
        parts.append(_table(("target \\ source", *grid.sources), rows))
    else:
        rows = [
            (
                block,
                record.table.text(of.choice) if not of.tied or of.decided_by else "tie",
                ", ".join(f"{record.table.text(label)} {votes}" for label, votes in of.counts),
            )
            for block, of in zip(record.blocks, record.votes, strict=True)
        ]
        parts.append(_table(("block", "voted", "votes"), rows))
    parts.append(stability_words(record))
    if record.notes:
        parts.append("\n".join(f"- **{_cell(note.kind)}** {_cell(note.text)}" for note in record.notes))
    return "\n\n".join(parts) + "\n"


def _statistics(record: Reliability) -> str:
    rows = []
    for result in record.results:
        share = result.statistic is PERCENTAGE
        value = percent(result.value) if share else number(result.value, 3)
        between = span(result.interval, percent if share else number)
        rows.append((result.statistic.name, value, between, percent(result.chance)))
    level = f"{100 * float(str(record.settings['level'])):g} % interval"
    return _table(("statistic", "value", level, "agreement by chance"), rows)


def comparison_markdown(comparison: RunSetComparison) -> str:
    """The comparison in brief."""
    a, b = comparison.names
    rows = [
        (d.statistic.name, number(d.first, 3), number(d.second, 3), number(d.value, 3), span(d.interval))
        for d in comparison.differences
    ]
    table = _table(("statistic", a, b, f"{b} − {a}", "interval"), rows)
    title = f"## {_cell(comparison.title)}"
    return "\n\n".join([title, " ".join(comparison_verdict(comparison)), CAUTION, table]) + "\n"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(str(value)) for value in row) + " |" for row in lines)


def _cell(text: str) -> str:
    """Text that cannot break out of a Markdown table or start a tag.

    >>> print(_cell("a|b <c>"))
    a\\|b &lt;c&gt;
    """
    text = " ".join(text.split())
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|")
