"""The record behind a table of results: means, deviations, delta_m, and paired tests. Drawn by ``table_text``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nas_ctx.errors import InputError, unknown_name
from nas_ctx.evaluation.results import Row
from nas_ctx.metrics import delta_m
from nas_ctx.plugins import load_plugins
from nas_ctx.tasks import Task, make_tasks

DELTA = "delta_m"


@dataclass(frozen=True)
class Cell:
    """Mean and sample deviation (n - 1) of one number over the runs of a row; nan where there is none."""

    mean: float
    deviation: float
    runs: int


@dataclass(frozen=True)
class Comparison:
    """A row against the reference row in one number, over the seeds that both have.

    Attributes:
        difference: mean of row minus reference.
        p: of the two-sided paired t test; nan with fewer than two seeds or no difference at all.
        adjusted: p after Holm's correction over all comparisons of the table.
    """

    row: str
    metric: str
    seeds: int
    difference: float
    p: float
    adjusted: float


@dataclass(frozen=True)
class ResultTable:
    """All numbers of a table.

    Attributes:
        tasks: task -> task, every one that a row has.
        columns: the main metric of each task, as ``"<task>/<metric>"``.
        cells: row -> number -> cell, for every metric and for ``delta_m``.
        reference: the row that others are compared with, None where there is but one.
    """

    rows: list[Row]
    tasks: dict[str, Task]
    columns: list[str]
    cells: dict[str, dict[str, Cell]]
    reference: str | None
    comparisons: list[Comparison]


def make_table(rows: Sequence[Row], against: str | None = None) -> ResultTable:
    """Compute a table.

    delta_m of a row is that of its mean scores against those of the single-task row of the same backbone and data that
    has all its tasks. Its deviation is over the row's runs, each against these single-task means.

    Args:
        rows: from :func:`nas_ctx.evaluation.results.gather`.
        against: the row that others are compared with; by default the multi-task baseline, else the first row.

    Raises:
        InputError: rows that measure a task by different metrics, or an unknown row.
    """
    tasks = _tasks_of(rows)
    columns = [f"{name}/{task.metric_name}" for name, task in tasks.items()]
    names = [row.name for row in rows]
    if against is not None and against not in names:
        raise unknown_name("row", against, names)
    values = {row.name: {metric: row.by_seed(metric) for metric in row.metrics()} for row in rows}
    cells = {name: {metric: cell(list(of.values())) for metric, of in found.items()} for name, found in values.items()}
    for row in rows:
        single = _single_row(row, rows)
        if single is not None:
            by_seed, whole = _deltas(row, cells[row.name], cells[single.name], tasks)
            values[row.name][DELTA] = by_seed
            spread = cell(list(by_seed.values()))
            cells[row.name][DELTA] = Cell(whole, spread.deviation, spread.runs)
    reference = against or next((n for n in names if n == "multi-task baseline"), names[0])
    comparisons = _comparisons(values, reference, [*columns, DELTA]) if len(rows) > 1 else []
    return ResultTable(list(rows), tasks, columns, cells, reference if len(rows) > 1 else None, comparisons)


def cell(values: Sequence[float]) -> Cell:
    """Mean and sample deviation.

    >>> cell([1.0, 3.0])
    Cell(mean=2.0, deviation=1.4142135623730951, runs=2)
    """
    array = np.asarray(values, dtype=np.float64)
    deviation = float(array.std(ddof=1)) if len(array) > 1 else math.nan
    return Cell(float(array.mean()) if len(array) else math.nan, deviation, len(array))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction; a nan is no comparison and stays nan.

    >>> holm([0.01, 0.04, float("nan"), 0.03])
    [0.03, 0.06, nan, 0.06]
    """
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _tasks_of(rows: Sequence[Row]) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    for row in rows:
        for result in row.results:
            load_plugins(result.config)
            for name, task in make_tasks(result.config.tasks).items():
                known = tasks.setdefault(name, task)
                if known.metric_name != task.metric_name:
                    raise InputError(
                        f"{result.folder}: tasks.{name} is measured by {task.metric_name}, other runs by "
                        f"{known.metric_name}"
                    )
    # In the order of the network with most tasks, which is that of its grid.
    order = max(rows, key=lambda row: (len(row.tasks), not row.single)).tasks
    return {name: tasks[name] for name in dict.fromkeys([*order, *tasks])}


def _single_row(row: Row, rows: Sequence[Row]) -> Row | None:
    """The single-task row that ``row`` is measured against."""

    def matches(other: Row) -> bool:
        ours, theirs = (r.results[0].config for r in (row, other))
        return (
            other.single
            and set(row.tasks) <= set(other.tasks)
            and ours.model.backbone == theirs.model.backbone
            and ours.data.root == theirs.data.root
        )

    return next((other for other in rows if matches(other)), None)


def _deltas(
    row: Row, own: Mapping[str, Cell], single: Mapping[str, Cell], tasks: Mapping[str, Task]
) -> tuple[dict[int, float], float]:
    """delta_m of each run that has all tasks, by seed, and of the row's means."""
    columns = {name: f"{name}/{tasks[name].metric_name}" for name in row.tasks}
    directions = {name: tasks[name].higher_is_better for name in row.tasks}
    against = {name: single[column].mean for name, column in columns.items()}
    if 0 in against.values():  # nothing is a relative change of nothing
        return {}, math.nan
    by_seed = {
        result.config.seed: delta_m({n: result.scores[c] for n, c in columns.items()}, against, directions)
        for result in row.results
        if not row.single
    }
    return by_seed, delta_m({n: own[c].mean for n, c in columns.items()}, against, directions)


def _comparisons(
    values: Mapping[str, Mapping[str, Mapping[int, float]]], reference: str, metrics: Sequence[str]
) -> list[Comparison]:
    found = []
    for row, of in values.items():
        for metric in metrics:
            theirs, ours = values[reference].get(metric, {}), of.get(metric, {})
            seeds = sorted(ours.keys() & theirs.keys())
            if row == reference or not seeds:
                continue
            differences = np.array([ours[seed] - theirs[seed] for seed in seeds])
            testable = len(seeds) > 1 and bool(differences.std() > 0)
            p = float(stats.ttest_1samp(differences, 0.0).pvalue) if testable else math.nan
            found.append((row, metric, len(seeds), float(differences.mean()), p))
    adjusted = holm([p for *_, p in found])
    return [Comparison(*parts, corrected) for parts, corrected in zip(found, adjusted, strict=True)]
