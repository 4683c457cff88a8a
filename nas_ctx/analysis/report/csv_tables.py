"""The record as CSV tables, for spreadsheets."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.stats.votes import BlockVote
from nas_ctx.files import inert

Row = Sequence[object]


def csv_tables(record: Reliability) -> dict[str, str]:
    """File name -> CSV text. Numbers are written in full; an undefined one is an empty cell."""
    text = record.table.text
    names = [run.name for run in record.runs]
    texts = record.table.texts
    tables: dict[str, Iterable[Row]] = {
        "statistics.csv": [
            ("statistic", "value", "observed", "chance", "low", "high", "note"),
            *(
                (
                    r.statistic.key,
                    r.value,
                    r.observed,
                    r.chance,
                    *(r.interval.ends if r.interval else (math.nan, math.nan)),
                    r.note,
                )
                for r in record.results
            ),
        ],
        "ratings.csv": [
            ("block", *names),
            *(
                (block, *(texts[code] for code in column))
                for block, column in zip(record.blocks, record.table.common.codes.T.tolist(), strict=True)
            ),
        ],
        "votes.csv": [
            ("block", "voted", "margin", "entropy", "decided_by", *texts),
            *(
                (
                    block,
                    text(of.choice) if not of.tied or of.decided_by else "",
                    of.margin,
                    of.entropy,
                    of.decided_by or "",
                    *_counts(of, record),
                )
                for block, of in zip(record.blocks, record.votes, strict=True)
            ),
        ],
        "pair_agreement.csv": [("run", *names), *_square(names, record.pair_agreement.tolist())],
        "pair_kappa.csv": [("run", *names), *_square(names, record.pair_kappa.tolist())],
        "enough_runs.csv": [
            ("runs", "blocks", "whole_vote", "how"),
            *((entry.k, entry.blocks, entry.whole, entry.kind) for entry in record.stability),
        ],
    }
    if record.tasks:
        tables["tasks.csv"] = [
            ("role", "task", "blocks", "percentage_agreement", "chance", "fleiss_kappa"),
            *((t.role, t.task, t.n_blocks, t.percentage, t.chance, t.fleiss) for t in record.tasks),
        ]
    if record.trajectory is not None:
        course = record.trajectory
        tables["course.csv"] = [
            (
                *("step", "percentage_agreement", "fleiss_kappa", "same_as_final_vote"),
                *(f"entropy {name}" for name in course.runs),
            ),
            *zip(
                course.steps.tolist(),
                course.percentage.tolist(),
                course.fleiss.tolist(),
                course.same_vote.tolist(),
                *course.entropy.tolist(),
                strict=True,
            ),
        ]
        tables["decisions.csv"] = [
            ("block", *(f"decided {n}" for n in course.runs), *(f"settled {n}" for n in course.runs)),
            *((block, *course.decided[block], *course.settled[block]) for block in course.blocks),
        ]
    return {name: _csv(rows) for name, rows in tables.items()}


def _counts(of: BlockVote, record: Reliability) -> list[int]:
    """The votes for each choice, in the order in which choices are shown."""
    found = {record.table.text(label): votes for label, votes in of.counts}
    return [found.get(name, 0) for name in record.table.texts]


def _square(names: Sequence[str], values: list[list[float]]) -> Iterable[Row]:
    return ((name, *row) for name, row in zip(names, values, strict=True))


def _csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(["" if value is None or value != value else inert(value) for value in row])
    return text.getvalue()
