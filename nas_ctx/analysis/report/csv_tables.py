"""The record as CSV tables, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.stats.ratings import Floats
from nas_ctx.analysis.trajectory import Trajectory
from nas_ctx.escaping import escape_csv_formula

Row = Sequence[object]


def csv_tables(record: Reliability) -> dict[str, str]:
    """File name -> CSV text. Numbers are written in full; an undefined one is an empty cell."""
    texts, names = record.table.texts, [run.name for run in record.runs]
    columns = zip(record.blocks, record.table.common.codes.T.tolist(), strict=True)
    tables: dict[str, Iterable[Row]] = {
        "statistics.csv": [
            ("statistic", "value", "observed", "chance", "low", "high", "note"),
            *(
                (r.statistic.key, r.value, r.observed, r.chance, *(r.interval.ends if r.interval else ("", "")), r.note)
                for r in record.results
            ),
        ],
        "ratings.csv": [("block", *names), *((block, *(texts[code] for code in column)) for block, column in columns)],
        "votes.csv": _votes(record),
        "enough_runs.csv": [
            ("runs", "blocks", "whole_vote", "how"),
            *((entry.k, entry.blocks, entry.whole, entry.kind) for entry in record.stability),
        ],
    }
    if record.lists_pairs:
        tables["pair_agreement.csv"] = _square(names, record.pair_agreement)
        tables["pair_kappa.csv"] = _square(names, record.pair_kappa)
    if record.tasks:
        head = ("role", "task", "blocks", "percentage_agreement", "chance", "fleiss_kappa")
        tables["tasks.csv"] = [head, *(tuple(vars(task).values()) for task in record.tasks)]
    if record.trajectory is not None:
        tables |= _trajectory_tables(record.trajectory)
    return {name: csv_text(rows) for name, rows in tables.items()}


def _votes(record: Reliability) -> Iterator[Row]:
    texts, text = record.table.texts, record.table.text
    yield ("block", "voted", "margin", "entropy", "decided_by", *texts)
    for block, vote in zip(record.blocks, record.votes, strict=True):
        counts = {text(label): votes for label, votes in vote.counts}
        voted = "" if vote.open else text(vote.choice)
        yield (block, voted, vote.margin, vote.entropy, vote.decided_by, *(counts.get(name, 0) for name in texts))


def _trajectory_tables(trajectory: Trajectory) -> dict[str, Iterable[Row]]:
    names = trajectory.runs
    columns = (trajectory.steps, trajectory.percentage, trajectory.fleiss, trajectory.same_vote, *trajectory.entropy)
    head = ("step", "percentage_agreement", "fleiss_kappa", "same_as_final_vote")
    return {
        "course.csv": [
            (*head, *(f"entropy {name}" for name in names)),
            *zip(*(column.tolist() for column in columns), strict=True),
        ],
        "decisions.csv": [
            ("block", *(f"decided {name}" for name in names), *(f"settled {name}" for name in names)),
            *((block, *trajectory.decided[block], *trajectory.settled[block]) for block in trajectory.blocks),
        ],
    }


def _square(names: Sequence[str], values: Floats) -> list[Row]:
    return [("run", *names), *((name, *row) for name, row in zip(names, values.tolist(), strict=True))]


def csv_text(rows: Iterable[Row]) -> str:
    """Rows as CSV; None and nan are empty cells, and nothing is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(
            [
                ("" if value != value else value) if isinstance(value, float)
                else "" if value is None
                else escape_csv_formula(value)
                for value in row
            ]
        )  # fmt: skip
    return text.getvalue()
