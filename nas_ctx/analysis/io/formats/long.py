"""Long tables: a row per rating, with columns for the run, the block and the choice in any order.

Columns are recognised by their names, or named by ``--columns run=A,block=B,choice=C``. Target and source in columns of
their own make the block ``<target>/<source>``. Further columns that are constant in each run are its seed and scores.

Source: the layout that R and pandas call long (``pandas.melt``, ``tidyr::pivot_longer``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats.base import Importer, ReadOptions, Runs
from nas_ctx.analysis.io.formats.texts import record_of
from nas_ctx.analysis.io.runs import Run
from nas_ctx.analysis.io.tables import Table, refuse_repeated
from nas_ctx.errors import InputError, suggestion

_WORDS = {
    "run": ("run", "search", "rater", "trial", "run_id", "run_name", "replicate", "repetition", "seed"),
    "block": ("block", "edge", "layer", "item", "unit", "subject", "position", "variable", "parameter", "mutable"),
    "choice": ("choice", "op", "operation", "rating", "context", "candidate", "label", "value", "selected"),
}


class LongTables(Importer):
    """See the module."""

    title = "long tables with the columns run, block and choice; others named by --columns run=A,block=B,choice=C"
    source = "docs/importing.md"

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        table = document.table
        if table is None or options.columns is not None:
            return table is not None
        columns = _columns(table)  # a run has more than one row, or a block of another table is meant
        return columns is not None and len(set(table.column(columns["run"][0]))) < len(table.rows)

    def read(self, document: Document, options: ReadOptions) -> Runs:
        table = document.read_table()
        refuse_repeated(table.head[1:], f"{document.name}: the header")
        columns = _named(table, options.columns) if options.columns else _columns(table)
        if columns is None:
            raise InputError(f"{document.name}: no columns for run, block and choice in {', '.join(table.head)}; "
                             "name them: --columns run=A,block=B,choice=C")  # fmt: skip
        choices: dict[str, dict[str, str]] = {}
        rows: dict[str, list[dict[str, str]]] = {}
        for row, line in zip(table.rows, table.lines, strict=True):
            cells = dict(zip(table.head, row, strict=True))
            run, choice = cells[columns["run"][0]], cells[columns["choice"][0]]
            block = "/".join(cells[name] for name in columns["block"])
            for word, cell in (("run", run), ("block", block)):
                if not cell.strip("/"):
                    raise InputError(f"{document.name}: line {line} has no {word}")
            if block in choices.setdefault(run, {}):
                raise InputError(f"{document.name}: line {line} has the block {block!r} of run {run!r} once more")
            choices[run][block] = choice
            rows.setdefault(run, []).append(cells)
        used = {name for names in columns.values() for name in names}
        runs = []
        for name, ratings in choices.items():
            settings, scores = _constant(rows[name], used)
            if columns["run"][0].lower() == "seed":
                settings["seed"] = name
            kept = {block: choice for block, choice in ratings.items() if choice}
            if not kept:
                raise InputError(f"{document.name}: run {name!r} has no rating at all")
            run_ = Run(name, kept, document.name, settings=settings, metrics=scores, form="long", own_name=True)
            runs.append(run_)
        return runs, list(table.notes)


def _columns(table: Table) -> dict[str, list[str]] | None:
    """Role -> columns, where a table has a column for each."""
    columns = _recognised(table)
    return columns if len(columns) == len(_WORDS) else None


def _recognised(table: Table) -> dict[str, list[str]]:
    """Role -> columns, by their names; the first of the names for a role counts."""
    by_word = {name.lower(): name for name in table.head}
    columns: dict[str, list[str]] = {}
    for role, words in _WORDS.items():
        known = [by_word[word] for word in words if word in by_word]
        if role == "block" and not known and {"target", "source"} <= set(by_word):
            columns[role] = [by_word["target"], by_word["source"]]
        elif known:
            columns[role] = known[:1]
    return columns


def _named(table: Table, given: str) -> dict[str, list[str]]:
    """Role -> columns, as ``run=A,block=B,choice=C`` names them; roles that it leaves out are recognised."""
    columns = _recognised(table)
    for part in given.split(","):
        role, equals, name = (word.strip() for word in part.partition("="))
        if role not in _WORDS or not equals:
            raise InputError(f"--columns {given!r}: expected run=A,block=B,choice=C")
        if name not in table.head:
            raise InputError(f"{table.name}: --columns: no column {name!r}{suggestion(name, table.head)}")
        columns[role] = [name]
    if len(columns) < len(_WORDS):
        lacking = ", ".join(sorted(set(_WORDS) - set(columns)))
        raise InputError(f"{table.name}: --columns {given!r} does not say which column is {lacking}")
    return columns


def _constant(rows: Sequence[Mapping[str, str]], used: set[str]) -> tuple[dict[str, object], dict[str, float]]:
    """The settings and scores of a run: of columns that have one value in all of its rows."""
    constant = {name: cell for name, cell in rows[0].items() if all(row[name] == cell for row in rows)}
    _, settings, scores = record_of(constant, used)
    return {key: value for key, value in settings.items() if key == "seed"}, scores
