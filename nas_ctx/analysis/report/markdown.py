"""The record as Markdown, for pull requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.grid import Grid
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.stats.catalogue import PERCENTAGE
from nas_ctx.analysis.wording import (
    CAUTION,
    comparison_verdict,
    difference_rows,
    number,
    percent,
    span,
    stability_words,
    verdict,
)
from nas_ctx.escaping import escape_markdown

Row = Sequence[object]


def markdown(record: Reliability) -> str:
    """The report in brief, for a pull request."""
    table = _vote_list(record) if record.grid is None else _vote_grid(record, record.grid)
    parts = [_heading(record.title), _sentences(verdict(record)), CAUTION, _statistics(record), table]
    parts.append(escape_markdown(stability_words(record)))
    notes = [f"- **{escape_markdown(note.kind)}** {escape_markdown(note.text)}" for note in record.notes]
    parts += ["\n".join(notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def _vote_grid(record: Reliability, grid: Grid) -> str:
    text = record.table.text

    def cell(target: str, source: str) -> str:
        if (target, source) not in grid.positions:
            return ""
        vote = record.votes[grid.positions[target, source]]
        if vote.open:
            return "tie: " + ", ".join(text(winner) for winner in vote.winners)
        return f"{text(vote.choice)} ({vote.counts[0][1]}){'*' if vote.decided_by else ''}"

    rows = [(target, *(cell(target, source) for source in grid.sources)) for target in grid.targets]
    return _table(("target / source", *grid.sources), rows)


def _vote_list(record: Reliability) -> str:
    text = record.table.text
    rows = [
        (
            block,
            "tie" if vote.open else text(vote.choice),
            ", ".join(f"{text(label)} {votes}" for label, votes in vote.counts),
        )
        for block, vote in zip(record.blocks, record.votes, strict=True)
    ]
    return _table(("block", "voted", "votes"), rows)


def _statistics(record: Reliability) -> str:
    rows = []
    for result in record.results:
        share = result.statistic is PERCENTAGE
        value = percent(result.value) if share else number(result.value, 3)
        between = span(result.interval, percent if share else number)
        chance = record.leading.chance if share else result.chance  # as in the verdict
        rows.append((result.statistic.name, value, between, percent(chance)))
    level = f"{100 * float(str(record.settings['level'])):g} % interval"
    return _table(("statistic", "value", level, "agreement by chance"), rows)


def comparison_markdown(comparison: RunSetComparison) -> str:
    """The comparison in brief."""
    a, b = comparison.names
    table = _table(("statistic", a, b, f"{b} − {a}", "interval", "p"), difference_rows(comparison))
    parts = [_heading(comparison.title), _sentences(comparison_verdict(comparison)), CAUTION, table]
    return "\n\n".join(parts) + "\n"


def _heading(title: str) -> str:
    return f"## {escape_markdown(title)}"


def _sentences(sentences: Iterable[str]) -> str:
    return escape_markdown(" ".join(sentences))


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [[escape_markdown(str(value)) for value in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
