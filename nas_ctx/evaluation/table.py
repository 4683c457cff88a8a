"""The numbers of a table of results: means, deviations, delta_m, differences. ``table_text`` lays them out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
from scipy import stats

from nas_ctx.errors import InputError, unknown_name
from nas_ctx.evaluation.contrasts import DELTA, Contrast, resolved
from nas_ctx.evaluation.differences import LEVEL, Difference, estimate
from nas_ctx.evaluation.measures import Measure, merged
from nas_ctx.metrics import delta_m


@dataclass(frozen=True)
class Cell:
    """Mean and sample deviation (n - 1) of one metric over the runs of a row; nan where undefined.

    Attributes:
        interval: of delta_m, 95 %: it includes that the single-task means are means of few runs, too.
    """

    mean: float
    deviation: float
    runs: int
    interval: tuple[float, float] = (math.nan, math.nan)


class TableRow(Protocol):
    """What a table needs of a row: trained networks (:class:`nas_ctx.evaluation.Row`), or scores from elsewhere."""

    name: str

    @property
    def tasks(self) -> tuple[str, ...]: ...
    @property
    def single(self) -> bool: ...
    def by_seed(self, metric: str) -> dict[int, float]: ...
    def metrics(self) -> list[str]: ...
    def measures(self) -> dict[str, Measure]: ...
    def setting(self) -> tuple[str, ...]: ...
    def order(self) -> tuple[object, ...]: ...


@dataclass(frozen=True)
class ResultTable:
    """All numbers of a table.

    Attributes:
        tasks: name -> how it is measured, of every task that a row has.
        columns: the main metric of each task, as ``"<task>/<metric>"``.
        cells: row -> metric -> cell, for every metric and for ``delta_m``.
        reference: the row that the others are compared with; None where there is only one row.
        primary: the contrasts that were declared, with simultaneous intervals.
        exploratory: every row against the reference row, task by task, each interval by itself.
        quoted: rows that were measured elsewhere, see :func:`nas_ctx.evaluation.read_quoted`.
        notes: on what settings were chosen, and the files of weights that backbones began with.
    """

    rows: Sequence[TableRow]
    tasks: dict[str, Measure]
    columns: list[str]
    cells: dict[str, dict[str, Cell]]
    reference: str | None
    primary: list[Difference] = field(default_factory=list)
    exploratory: list[Difference] = field(default_factory=list)
    quoted: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def scales(self) -> dict[str, float]:
        """What to multiply each column by where it is shown."""
        return {column: task.scale for column, task in zip(self.columns, self.tasks.values(), strict=True)}


def make_table(
    rows: Sequence[TableRow],
    against: str | None = None,
    contrasts: Sequence[Contrast] | None = None,
    *,
    place: str = "contrasts",
    paired: bool = False,
) -> ResultTable:
    """Compute a table.

    delta_m of a row compares its mean scores with those of the single-task row that has the same backbone, data and
    tasks. Its deviation is over the row's runs, each against these single-task means.

    Args:
        rows: from :func:`nas_ctx.evaluation.gather` or :func:`nas_ctx.evaluation.read_scores`.
        against: the row that others are compared with; by default the multi-task baseline, else the first row.
        contrasts: the primary ones; by default every row against the reference row in delta_m.
        place: where they are declared, for errors.
        paired: runs of one seed are pairs. They must share more than the seed: the order of the training images.

    Raises:
        InputError: rows that measure a task by different metrics, an unknown row or metric, or ``paired`` for rows that
            were trained in different orders.
    """
    tasks = _tasks_of(rows)
    columns = [f"{name}/{task.metric_name}" for name, task in tasks.items()]
    names = [row.name for row in rows]
    if against is not None and against not in names:
        raise unknown_name("row", against, names)
    values = {row.name: {metric: row.by_seed(metric) for metric in row.metrics()} for row in rows}
    cells = _cells(rows, values, tasks)
    if len(rows) == 1:
        return ResultTable(rows, tasks, columns, cells, None)
    reference = against or next((name for name in names if name == "multi-task baseline"), names[0])
    compared = _comparisons(reference, values, [DELTA, *columns])
    if contrasts is None:
        primary = [contrast for contrast in compared if contrast.metric == DELTA]
    else:
        primary = resolved(contrasts, reference, names, [*columns, DELTA], place)
    others = [contrast for contrast in compared if contrast.metric != DELTA and contrast not in primary]
    if paired:
        _check_pairs([*primary, *others], {row.name: row for row in rows})
    better = {column: task.higher_is_better for column, task in zip(columns, tasks.values(), strict=True)}
    estimates = partial(estimate, values=values, higher_is_better={**better, DELTA: True}, paired=paired)
    return ResultTable(
        rows, tasks, columns, cells, reference, estimates(primary), estimates(others, simultaneous=False)
    )


Values = dict[str, dict[str, dict[int, float]]]
"""Row -> metric -> seed -> value."""


def _cells(rows: Sequence[TableRow], values: Values, tasks: Mapping[str, Measure]) -> dict[str, dict[str, Cell]]:
    """The cells of every row; delta_m, which needs a single-task row, is added to ``values``, too."""
    cells = {
        name: {metric: cell(list(by_seed.values())) for metric, by_seed in metrics.items()}
        for name, metrics in values.items()
    }
    for row in rows:
        single = next((other for other in rows if other.single and _comparable(row, other)), None)
        if single is not None:
            values[row.name][DELTA], cells[row.name][DELTA] = _deltas(row, cells[row.name], cells[single.name], tasks)
    return cells


def _comparisons(reference: str, values: Values, metrics: Sequence[str]) -> list[Contrast]:
    """Every row against the reference row, in every metric that both have."""
    return [
        Contrast(row=row, against=reference, metric=metric)
        for row in values
        for metric in metrics
        if row != reference and all(values[name].get(metric) for name in (row, reference))
    ]


def cell(values: Sequence[float]) -> Cell:
    """Mean and sample deviation.

    >>> cell([1.0, 3.0])
    Cell(mean=2.0, deviation=1.4142135623730951, runs=2, interval=(nan, nan))
    """
    mean = float(np.mean(values)) if values else math.nan
    return Cell(mean, float(np.std(values, ddof=1)) if len(values) > 1 else math.nan, len(values))


def _tasks_of(rows: Sequence[TableRow]) -> dict[str, Measure]:
    """The tasks of all rows, in the order of the network with most tasks."""
    tasks = merged((row.name, row.measures()) for row in rows)
    order = max(rows, key=lambda row: (len(row.tasks), not row.single)).tasks
    return {name: tasks[name] for name in dict.fromkeys([*order, *tasks])}


def _comparable(row: TableRow, single: TableRow) -> bool:
    """Whether delta_m of ``row`` can be taken against ``single``."""
    return set(row.tasks) <= set(single.tasks) and row.setting() == single.setting()


def _check_pairs(contrasts: Sequence[Contrast], rows: Mapping[str, TableRow]) -> None:
    for contrast in contrasts:
        first, second = rows[contrast.row], rows[str(contrast.against)]
        if first.order() != second.order():
            raise InputError(
                f"--paired: runs of {first.name!r} and {second.name!r} share no more than the number of the seed: "
                "their data or batch sizes differ"
            )


def _deltas(
    row: TableRow, own: Mapping[str, Cell], single: Mapping[str, Cell], tasks: Mapping[str, Measure]
) -> tuple[dict[int, float], Cell]:
    """delta_m of each run that has all tasks, by seed; and of the row's means."""
    columns = {name: f"{name}/{tasks[name].metric_name}" for name in row.tasks}
    directions = {name: tasks[name].higher_is_better for name in row.tasks}
    if not {*columns.values()} <= own.keys() & single.keys():  # a run that did not record the metric of its task
        return {}, cell([])
    against = {name: single[column].mean for name, column in columns.items()}
    if 0 in against.values():  # a change relative to 0 is not defined
        return {}, cell([])

    def delta(scores: Mapping[str, float]) -> float:
        return delta_m({name: scores[column] for name, column in columns.items()}, against, directions)

    by_task = {column: row.by_seed(column) for column in columns.values()}
    seeds = set.intersection(*(set(runs) for runs in by_task.values()))
    by_seed = {} if row.single else {s: delta({c: runs[s] for c, runs in by_task.items()}) for s in sorted(seeds)}
    result = replace(cell(list(by_seed.values())), mean=delta({column: own[column].mean for column in by_task}))
    if row.single:
        return by_seed, result
    return by_seed, replace(result, interval=_delta_interval(result, own, {c: single[c] for c in by_task}))


def _delta_interval(delta: Cell, own: Mapping[str, Cell], single: Mapping[str, Cell]) -> tuple[float, float]:
    """Interval of delta_m, from the variances of both sides (delta method; degrees of freedom by Satterthwaite).

    delta_m is a mean over tasks of M / S - 1, with signs: a single-task mean S of variance v adds (M / S²)² v.
    """
    parts = [(delta.deviation**2 / max(delta.runs, 1), delta.runs - 1)]
    for column, reference in single.items():
        slope = 100 * own[column].mean / reference.mean**2 / len(single)
        parts.append((slope**2 * reference.deviation**2 / max(reference.runs, 1), reference.runs - 1))
    variance = sum(part for part, _ in parts)
    if not variance > 0 or min(degrees for _, degrees in parts) < 1:  # a deviation is nan, or nothing varies
        return math.nan, math.nan
    degrees = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    half = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * math.sqrt(variance)
    return delta.mean - half, delta.mean + half
