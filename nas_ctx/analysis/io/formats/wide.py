"""Tables with a row per block and a column per run, the first column the label of the block, or the other way round.

Source: docs/importing.md, "Tables".
"""

from __future__ import annotations

from collections.abc import Sequence

from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats.base import Importer, ReadOptions, Runs
from nas_ctx.analysis.io.plausible import absurdity
from nas_ctx.analysis.io.runs import Run
from nas_ctx.analysis.io.tables import Table, read_table
from nas_ctx.errors import InputError

_RUNS = {"run", "runs", "seed", "trial", "search", "rater", "run_id", "run_name", "trial_id", "replicate"}
_BLOCKS = {"block", "blocks", "edge", "layer", "item", "subject", "mutable", "position"}


class WideTables(Importer):
    """See the module."""

    title = "tables with a row per block and a column per run; with --transposed a row per run"
    source = "docs/importing.md"
    free_names = True

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        return not document.is_folder

    def read(self, document: Document, options: ReadOptions) -> Runs:
        table = document.read_table()
        wrong = _other_way_round(table, options.transposed)
        if wrong:
            rows, other = ("block", "run") if options.transposed else ("run", "block")
            now = "leave out --transposed" if options.transposed else "add --transposed"
            if not options.transposed and len({row[0] for row in table.rows}) < len(table.rows):
                now = (
                    f"name its choices, as in --choices '{','.join(choice_columns(table))}'"  # no column names the runs
                )
            raise InputError(
                f"{table.name}: looks like a table with a row per {rows}, not per {other}: {wrong}; {now}, or call the "
                f"first column {other!r} if its rows are {other}s"
            )
        runs = read_table(table, transposed=options.transposed)
        result = [Run(run, choices, document.name, form="wide", own_name=True) for run, choices in runs.items()]
        return result, list(table.notes)


def choice_columns(table: Table, most: int = 3) -> list[str]:
    """The first columns of a table with a row per run that could be choices."""
    possible = [name for name in dict.fromkeys(table.head) if name and not absurdity(name, table.column(name))]
    return [name for name in possible if name.lower() not in _RUNS][:most] or ["A", "B*"]


def _other_way_round(table: Table, transposed: bool) -> str:
    """What shows that rows are runs where they were to be blocks, or the other way round; "" where nothing does."""
    corner = table.head[0].lower()
    if corner in (_RUNS if transposed else _BLOCKS):
        return ""
    if corner in (_BLOCKS if transposed else _RUNS):
        return f"its first column is {table.head[0]!r}"
    columns = _absurd(table.head[1:], [[row[at] for row in table.rows] for at in range(1, len(table.head))])
    rows = _absurd([row[0] for row in table.rows], [row[1:] for row in table.rows])
    if transposed:
        return "" if columns or not rows else f"the row {rows}"
    return "" if rows or not columns else f"the column {columns}"


def _absurd(names: Sequence[str], values: Sequence[Sequence[str]]) -> str:
    """The first of some rows or columns that can hold no choices, and what it is."""
    for name, cells in zip(names, values, strict=True):
        reason = absurdity(name, cells)
        if reason and reason != "an id":  # runs may be called by hashes, too
            return f"{name!r:.50} is {reason}"
    return ""
