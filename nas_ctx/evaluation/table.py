"""The numbers of a table of results: means, deviations, delta_m and paired tests. ``table_text`` lays them out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from nas_ctx.errors import InputError, unknown_name
from nas_ctx.evaluation.measures import Measure, measures
from nas_ctx.evaluation.results import Row
from nas_ctx.metrics import delta_m

DELTA = "delta_m"


@dataclass(frozen=True)
class Cell:
    """Mean and sample deviation (n - 1) of one metric over the runs of a row; nan where undefined."""

    mean: float
    deviation: float
    runs: int


@dataclass(frozen=True)
class Comparison:
    """A row against the reference row in one metric, over the seeds that both have.

    Attributes:
        difference: mean of row minus reference.
        p: of the two-sided paired t test; nan with fewer than two seeds, or where all differences are equal.
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
        tasks: name -> how it is measured, of every task that a row has.
        columns: the main metric of each task, as ``"<task>/<metric>"``.
        cells: row -> metric -> cell, for every metric and for ``delta_m``.
        reference: the row that the others are compared with; None where there is only one row.
        quoted: rows that were measured elsewhere, see :func:`nas_ctx.evaluation.read_quoted`.
    """

    rows: list[Row]
    tasks: dict[str, Measure]
    columns: list[str]
    cells: dict[str, dict[str, Cell]]
    reference: str | None
    comparisons: list[Comparison]
    quoted: list[dict[str, str]] = field(default_factory=list)


def make_table(rows: Sequence[Row], against: str | None = None) -> ResultTable:
    """Compute a table.

    delta_m of a row compares its mean scores with those of the single-task row that has the same backbone, data and
    tasks. Its deviation is over the row's runs, each against these single-task means.

    Args:
        rows: from :func:`nas_ctx.evaluation.gather`.
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
    cells = {
        name: {metric: cell(list(by_seed.values())) for metric, by_seed in metrics.items()}
        for name, metrics in values.items()
    }
    for row in rows:
        single = next((other for other in rows if other.single and _comparable(row, other)), None)
        if single is not None:
            by_seed, of_means = _deltas(row, cells[row.name], cells[single.name], tasks)
            values[row.name][DELTA] = by_seed
            cells[row.name][DELTA] = replace(cell(list(by_seed.values())), mean=of_means)
    if len(rows) == 1:
        return ResultTable(list(rows), tasks, columns, cells, None, [])
    reference = against or next((name for name in names if name == "multi-task baseline"), names[0])
    comparisons = _comparisons(values, reference, [*columns, DELTA])
    return ResultTable(list(rows), tasks, columns, cells, reference, comparisons)


def cell(values: Sequence[float]) -> Cell:
    """Mean and sample deviation.

    >>> cell([1.0, 3.0])
    Cell(mean=2.0, deviation=1.4142135623730951, runs=2)
    """
    mean = float(np.mean(values)) if values else math.nan
    return Cell(mean, float(np.std(values, ddof=1)) if len(values) > 1 else math.nan, len(values))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction; nan is no comparison and stays nan.

    >>> holm([0.01, 0.04, float("nan"), 0.03])
    [0.03, 0.06, nan, 0.06]
    """
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _tasks_of(rows: Sequence[Row]) -> dict[str, Measure]:
    """The tasks of all rows, in the order of the network with most tasks."""
    tasks: dict[str, Measure] = {}
    for result in (result for row in rows for result in row.results):
        for name, task in measures(result).items():
            metric = tasks.setdefault(name, task).metric_name
            if metric != task.metric_name:
                raise InputError(
                    f"{result.folder}: tasks.{name} is measured by {task.metric_name}, in other runs by {metric}"
                )
    order = max(rows, key=lambda row: (len(row.tasks), not row.single)).tasks
    return {name: tasks[name] for name in dict.fromkeys([*order, *tasks])}


def _comparable(row: Row, single: Row) -> bool:
    """Whether delta_m of ``row`` can be taken against ``single``."""
    return set(row.tasks) <= set(single.tasks) and row.results[0].setting() == single.results[0].setting()


def _deltas(
    row: Row, own: Mapping[str, Cell], single: Mapping[str, Cell], tasks: Mapping[str, Measure]
) -> tuple[dict[int, float], float]:
    """delta_m of each run that has all tasks, by seed; and of the row's means."""
    columns = {name: f"{name}/{tasks[name].metric_name}" for name in row.tasks}
    directions = {name: tasks[name].higher_is_better for name in row.tasks}
    against = {name: single[column].mean for name, column in columns.items()}
    if 0 in against.values():  # a change relative to 0 is not defined
        return {}, math.nan

    def delta(scores: Mapping[str, float]) -> float:
        return delta_m({name: scores[column] for name, column in columns.items()}, against, directions)

    by_seed = {} if row.single else {result.config.seed: delta(result.scores) for result in row.results}
    return by_seed, delta({column: own[column].mean for column in columns.values()})


def _comparisons(
    values: Mapping[str, Mapping[str, Mapping[int, float]]], reference: str, metrics: Sequence[str]
) -> list[Comparison]:
    comparisons = []
    for row in (name for name in values if name != reference):
        for metric in metrics:
            ours, theirs = values[row].get(metric, {}), values[reference].get(metric, {})
            seeds = sorted(ours.keys() & theirs.keys())
            if not seeds:
                continue
            differences = np.array([ours[seed] - theirs[seed] for seed in seeds])
            testable = len(seeds) > 1 and bool(differences.std() > 0)
            p = float(stats.ttest_1samp(differences, 0.0).pvalue) if testable else math.nan
            comparisons.append(Comparison(row, metric, len(seeds), float(differences.mean()), p, math.nan))
    adjusted = holm([comparison.p for comparison in comparisons])
    return [replace(comparison, adjusted=p) for comparison, p in zip(comparisons, adjusted, strict=True)]
