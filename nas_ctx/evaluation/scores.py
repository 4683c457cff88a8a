"""Rows of a table from scores that were measured elsewhere: a CSV file with a line per run and metric."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from nas_ctx.errors import InputError
from nas_ctx.evaluation.measures import Measure
from nas_ctx.files import read_csv

COLUMNS = ("run", "row", "metric", "value")
DIRECTION = "higher_is_better"
HIGHER = frozenset({"miou", "iou", "ods_f", "ois_f", "max_f", "accuracy", "pixel_accuracy", "psnr", "ssim", "delta_1"})
LOWER = frozenset({"rmse", "mae", "abs_rel", "sq_rel", "mean_angle", "median_angle", "error", "loss", "lpips"})
"""Metrics whose direction everybody knows."""


@dataclass
class ScoreRow:
    """Runs of one network. The row named ``single task`` is the single-task row.

    Attributes:
        scores: metric -> seed -> value.
        known: how each metric is measured, over all rows of the file.
    """

    name: str
    scores: dict[str, dict[int, float]]
    known: Mapping[str, Measure]

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(metric.split("/")[0] for metric in self.scores))

    @property
    def single(self) -> bool:
        return self.name == "single task"

    def by_seed(self, metric: str) -> dict[int, float]:
        return self.scores.get(metric, {})

    def metrics(self) -> list[str]:
        return list(self.scores)

    def measures(self) -> dict[str, Measure]:
        """The first metric of each task is the one that it is measured by."""
        return {metric.split("/")[0]: self.known[metric] for metric in reversed(self.scores)}

    def setting(self) -> tuple[str, ...]:
        return ()

    def order(self) -> tuple[object, ...]:
        return ()


def read_scores(path: str | os.PathLike[str]) -> list[ScoreRow]:
    """The rows of a CSV file with the columns ``run``, ``row``, ``metric`` (``"<task>/<metric>"``) and ``value``.

    Runs of one name are runs of one seed, as ``--paired`` understands it. A column ``higher_is_better`` (true or
    false) says what is better in a metric that is not among the known ones.

    Raises:
        InputError: an unreadable file, a missing column, a line of another length, a value that is no number, a run
            that has a metric twice, or a metric of unknown direction.
    """
    head, *lines = read_csv(path) or [[]]
    missing = [name for name in COLUMNS if name not in head]
    if missing or len(set(head)) < len(head):
        raise InputError(f"{path}: line 1: expected the columns {', '.join(COLUMNS)}, got {', '.join(head)}")
    scores: dict[str, dict[str, dict[int, float]]] = {}
    directions: dict[str, bool] = {}
    runs: dict[str, int] = defaultdict(lambda: len(runs))
    for number, line in enumerate(lines, 2):
        if not any(line):
            continue
        place = f"{path}: line {number}"
        if len(line) != len(head):
            raise InputError(f"{place}: expected {len(head)} cells, got {len(line)}")
        cells = dict(zip(head, map(str.strip, line), strict=True))
        metric = cells["metric"]
        if metric.count("/") != 1 or not all(metric.split("/")):
            raise InputError(f"{place}: metric: {metric!r}: expected TASK/METRIC, such as depth/rmse")
        direction = _direction(cells, metric, place)
        if directions.setdefault(metric, direction) != direction:
            raise InputError(f"{place}: {DIRECTION}: {cells[DIRECTION]!r}: another line of {metric} says otherwise")
        values = scores.setdefault(cells["row"], {}).setdefault(metric, {})
        if runs[cells["run"]] in values:
            raise InputError(f"{place}: run {cells['run']!r} of row {cells['row']!r} has {metric} twice")
        values[runs[cells["run"]]] = _value(cells["value"], place)
    if not scores:
        raise InputError(f"{path}: has no scores")
    return score_rows(scores, directions)


def score_rows(
    scores: Mapping[str, dict[str, dict[int, float]]], higher_is_better: Mapping[str, bool]
) -> list[ScoreRow]:
    """The rows of ``scores`` (row -> metric -> seed -> value), the single-task row first.

    Where higher is better and no value of any row is above 1, values are shares, which tables show in percent.
    """
    known = {}
    for metric, higher in higher_is_better.items():
        values = [value for row in scores.values() for value in row.get(metric, {}).values()]
        share = higher and all(abs(value) <= 1 for value in values if math.isfinite(value))
        known[metric] = Measure(metric.split("/")[1], higher, share)
    return sorted((ScoreRow(name, row, known) for name, row in scores.items()), key=lambda row: not row.single)


def _direction(cells: dict[str, str], metric: str, place: str) -> bool:
    text, name = cells.get(DIRECTION, "").lower(), metric.split("/")[1].lower()
    if text in ("true", "false"):
        return text == "true"
    if text:
        raise InputError(f"{place}: {DIRECTION}: {text!r}: expected true or false")
    if name not in HIGHER | LOWER:
        raise InputError(f"{place}: is {metric} better when it is higher? Add a column {DIRECTION} (true or false)")
    return name in HIGHER


def _value(text: str, place: str) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        raise InputError(f"{place}: value: {text!r}: expected a number") from None
