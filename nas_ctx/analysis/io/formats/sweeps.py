"""Tables of hyperparameter sweeps, a row per trial: what was chosen, what came out, and much about how it ran.

Sources: Optuna, ``Study.trials_dataframe`` (optuna.readthedocs.io); Ray Tune, ``ResultGrid.get_dataframe``
(docs.ray.io); NePS, ``summary/full.csv`` (automl.github.io/neps, "Analysing runs"); Weights & Biases, the table of runs
of a project as CSV, and the CSV of "Export data" in the guide to its API (docs.wandb.ai).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats.base import Importer, ReadOptions, Runs
from nas_ctx.analysis.io.formats.literals import parse_literal
from nas_ctx.analysis.io.formats.texts import number_of, record_of
from nas_ctx.analysis.io.formats.trials import trials
from nas_ctx.analysis.io.plausible import matches, names_seed, plausible
from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.analysis.io.tables import Table
from nas_ctx.errors import InputError


class ColumnTables(Importer):
    """Any table with a row per run, of which ``--choices`` names the columns."""

    title = "any table with a row per run, its columns chosen by --choices 'A,B*' and --scores C"
    source = "docs/importing.md"
    choices: ClassVar[str] = ""
    """Patterns of the columns that are choices, what stands before the star being cut off; so for ``scores``."""
    scores: ClassVar[str] = ""
    names: ClassVar[tuple[str, ...]] = ("name", "run", "run_name", "id", "trial")
    state: ClassVar[str] = ""
    """The column that says whether a trial has finished, and ``finished`` how it does so."""
    finished: ClassVar[tuple[str, ...]] = ()

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        return options.choices is not None and document.table is not None

    def table(self, document: Document) -> Table:
        """The table of a document, the columns named as in the tool."""
        return document.read_table()

    def read(self, document: Document, options: ReadOptions) -> Runs:
        table = self.table(document)
        chosen = options.choices or self.choices
        columns = [name for name in table.head if matches(name, chosen)]
        if not columns:
            raise InputError(f"{document.name}: --choices {chosen!r} names none of the columns {', '.join(table.head)}")
        scores = options.scores or self.scores
        repeated = [name for name in columns if table.head.count(name) > 1]
        if repeated:
            raise InputError(f"{document.name}: the header has {repeated[0]!r} twice")
        chosen_ones = set(columns)
        scored = [name for name in table.head if name not in chosen_ones and matches(name, scores)]
        runs, left_out = [], []
        for number, (row, line) in enumerate(zip(table.rows, table.lines, strict=True), start=1):
            cells = dict(zip(table.head, row, strict=True))
            state = cells.get(self.state, "")
            if self.finished and self.state in cells and state.lower() not in self.finished:
                left_out.append(f"line {line} ({state or 'no state'})")
                continue
            run = self._run(document.name, cells, columns, scored, options.choices is None)
            if run is None:
                left_out.append(f"line {line} (no choice)")
                continue
            name = next((cells[name] for name in self.names if cells.get(name)), f"row {number}")
            runs.append(run.called(name))
        notes = list(table.notes)
        if left_out:
            more = f" and {len(left_out) - 6} more" if len(left_out) > 6 else ""
            notes.append(Note("left out", f"Of {document.name}: {', '.join(left_out[:6])}{more}."))
        if runs and options.choices is None:
            runs, told = plausible(runs)
            notes += told
        if runs and not self.choices and options.best is None:  # of no tool: each row is a run
            return runs, notes
        return trials(runs, notes, document.name, options)

    def _run(
        self, name: str, cells: Mapping[str, str], columns: list[str], scored: list[str], cut: bool
    ) -> Run | None:  # fmt: skip
        choices: dict[str, Any] = {}
        settings: dict[str, Any] = {}
        for column in columns:
            label = _cut(column, self.choices) if cut else column
            if cells[column] == "":
                continue
            if cut and _is_seed(label, cells[column]):
                settings["seed"] = int(float(cells[column]))
            else:
                choices[label] = cells[column]
        metrics = {
            _cut(column, self.scores): number for column in scored if (number := number_of(cells[column])) is not None
        }
        seeds = [cell for column, cell in cells.items() if _is_seed(_last(column), cell)]
        if "seed" not in settings and len(set(seeds)) == 1:
            settings["seed"] = int(float(seeds[0]))
        return Run(name, choices, name, settings=settings, metrics=metrics, form="sweep") if choices else None


def _is_seed(name: str, cell: str) -> bool:
    return names_seed(name) and number_of(cell) is not None


def _last(column: str) -> str:
    return column.removeprefix("user_attrs_")


def _cut(column: str, patterns: str) -> str:
    """A column's name without what its pattern has before the star."""
    for pattern in patterns.split(","):
        if pattern.endswith("*") and column.startswith(pattern[:-1]) and len(column) >= len(pattern):
            return column[len(pattern) - 1 :]
    return column


class OptunaTables(ColumnTables):
    """A study as a table, also with the two-line header of ``multi_index=True``."""

    title = "Optuna: study.trials_dataframe().to_csv(...), params_* are the choices"
    source = "optuna.readthedocs.io, Study.trials_dataframe"
    choices, scores = "params_*", "value,values_*"
    names, state, finished = ("number",), "state", ("complete",)

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        table = document.table
        known = table is not None and any(name.startswith("params") for name in table.head)
        return known and any(name.startswith("params_") for name in self.table(document).head)

    def table(self, document: Document) -> Table:
        table = super().table(document)
        if "params" not in table.head or "number" not in table.head or table.column("number")[0]:
            return table
        head = tuple(
            f"{name}_{below}" if below else name for name, below in zip(table.head, table.rows[0], strict=True)
        )
        return Table(table.name, head, table.rows[1:], table.lines[1:], table.notes)


class RayTables(ColumnTables):
    """The last results of the trials of a Ray Tune experiment."""

    title = "Ray Tune: result_grid.get_dataframe().to_csv(...), config/* are the choices"
    source = "docs.ray.io, ResultGrid.get_dataframe"
    choices, names = "config/*", ("trial_id",)
    _own = (
        "timestamp,time_*,pid,iterations_since_restore,training_iteration,done,date,hostname,node_ip,logdir,trial_id,"
        "checkpoint_dir_name,config/*,episodes_total,timesteps_total,should_checkpoint,experiment_*,warmup_time,seed,"
    )

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        table = document.table
        return table is not None and any(name.startswith("config/") for name in table.head)

    def read(self, document: Document, options: ReadOptions) -> Runs:
        table = self.table(document)
        reported = ",".join(name for name in table.head if not matches(name, self._own))
        return super().read(document, options if options.scores else replace(options, scores=reported))


class NePSTables(ColumnTables):
    """The summary that NePS writes of a search; the folder of a search is read as that."""

    title = "NePS: summary/full.csv or the folder that has it, config.* are the choices"
    source = "automl.github.io/neps, Analysing runs"
    choices, scores = "config.*", "objective_to_minimize,loss,result.*,extra.*"
    names, state, finished = ("id", "config_id"), "reported_as", ("success",)

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        if document.is_folder:
            return _summary(document).is_file()
        table = document.table
        return table is not None and any(name.startswith("config.") for name in table.head)

    def read(self, document: Document, options: ReadOptions) -> Runs:
        return super().read(Document.open(_summary(document)) if document.is_folder else document, options)


def _summary(folder: Document) -> Path:
    assert folder.path is not None
    return folder.path / "summary" / "full.csv"


class WandbTables(Importer):
    """The table of runs of a project: as its page downloads it, and as the guide to the API writes it."""

    title = "Weights & Biases: the CSV of a project's table of runs, or that of its API (summary, config, name)"
    source = "docs.wandb.ai, Export data; Public API guide"
    _columns = frozenset({"Name", "State", "Notes", "User", "Tags", "Created", "Runtime", "Sweep"})

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        if document.table is None:
            return False
        head = set(document.table.head)
        return {"summary", "config", "name"} <= head or ("Name" in head and len(self._columns & head) >= 4)

    def read(self, document: Document, options: ReadOptions) -> Runs:
        table = document.read_table()
        runs, left_out = [], []
        for row, line in zip(table.rows, table.lines, strict=True):
            cells = dict(zip(table.head, row, strict=True))
            name = cells.get("name") or cells.get("Name") or f"line {line}"
            if cells.get("State", "finished").lower() not in ("finished", ""):
                left_out.append(f"{name} ({cells['State']})")
                continue
            where = f"{document.name}, line {line}"
            run = self._of_api(cells, where) if "config" in cells else self._of_page(cells)
            if run.genotype:
                runs.append(run.called(name))
        notes = [*table.notes]
        if left_out:
            notes.append(Note("left out", f"Of {document.name}: {', '.join(left_out[:6])}."))
        runs = [replace(run, source=document.name, form="sweep") for run in runs]
        if runs:
            runs, told = plausible(runs, options.choices, options.scores)
            notes += told
        return trials(runs, notes, document.name, options)

    def _of_api(self, cells: Mapping[str, str], where: str) -> Run:
        config, summary = (self._dictionary(cells[key], f"{where}: {key}") for key in ("config", "summary"))
        plain = {key: value for key, value in config.items() if isinstance(value, str | int | float | bool)}
        _, _, metrics = record_of({key: value for key, value in summary.items() if not key.startswith("_")}, ())
        return Run(where, plain, metrics=metrics)

    def _of_page(self, cells: Mapping[str, str]) -> Run:
        return Run("", {key: cell for key, cell in cells.items() if cell and key not in {*self._columns, "ID"}})

    def _dictionary(self, cell: str, where: str) -> dict[str, Any]:
        try:
            value, end = parse_literal(cell)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        if not isinstance(value, dict) or cell[end:].strip():
            raise InputError(f"{where}: expected a dictionary, got {cell[:40]!r}")
        return {str(key): inner for key, inner in value.items()}
