"""Checks a whole data set before a long run: statistics, and every file that is missing, damaged or implausible."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.base import DATASETS, DenseDataset
from nas_ctx.data.reading import read_image
from nas_ctx.errors import InputError
from nas_ctx.labels import IGNORE
from nas_ctx.tasks import TASKS, Task
from nas_ctx.tasks.checks import not_finite
from nas_ctx.tasks.make import make_task

SPLITS = ("train", "val")


@dataclass
class Column:
    """Statistics of one kind of file (the images, or one task's labels) in one split."""

    read: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    low: float = float("inf")
    high: float = float("-inf")
    pixels: int = 0
    ignored: int = 0

    def add(self, array: NDArray[Any], ignored: NDArray[np.bool_]) -> None:
        """Count one array (H, W, ...); the pixels ``ignored`` (H, W) have no value."""
        self.read += 1
        self.sizes[" x ".join(map(str, array.shape[:2]))] += 1
        self.types[str(array.dtype)] += 1
        self.pixels += ignored.size
        self.ignored += int(ignored.sum())
        values = array[~ignored & np.isfinite(array).reshape(*ignored.shape, -1).all(2)]
        if values.size:
            self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))


@dataclass
class Report:
    """The result of :func:`check`: a column per (split, "image" or task), problems, and tasks without labels."""

    layout: str
    columns: dict[tuple[str, str], Column]
    problems: list[str]
    absent: list[str]

    def lines(self) -> Iterable[str]:
        """The report as lines of text."""
        yield f"{self.layout} layout"
        for (split, kind), column in self.columns.items():
            if not column.read:
                yield f"  {split:<6}{kind:<12} none could be read"
                continue
            sizes = ", ".join(f"{size} ({count})" for size, count in column.sizes.most_common(3))
            more = f", {len(column.sizes) - 3} more sizes" if len(column.sizes) > 3 else ""
            values = f"{column.low:g} to {column.high:g}" if column.low <= column.high else "no values"
            share = 100 * column.ignored / column.pixels
            yield (
                f"  {split:<6}{kind:<12}{column.read:>6} read   {'/'.join(column.types)}   "
                f"{values}   {share:.1f} % ignored   {sizes}{more}"
            )
        for task in self.absent:
            yield f"  no labels for {task}"
        yield from (f"PROBLEM {problem}" for problem in self.problems)


def detect(root: str | os.PathLike[str]) -> type[DenseDataset]:
    """The class of the data set in a folder, recognised by where its lists of ids are.

    Raises:
        InputError: the folder has none of the known layouts.
    """
    for kind in DATASETS.values():
        if (Path(root) / kind.split_folder).is_dir():
            return kind
    places = ", ".join(f"{kind.split_folder} ({name})" for name, kind in DATASETS.items())
    raise InputError(f"{root}: holds no data set of a known layout, expected a folder {places}")


def check(root: str | os.PathLike[str], progress: Callable[[Iterable[str]], Iterable[str]] = lambda ids: ids) -> Report:
    """Read every image and label of both splits.

    Args:
        root: folder of the data set.
        progress: wraps the ids of a split, for a progress bar.

    Raises:
        InputError: no known layout. Everything else is in the report.
    """
    kind = detect(root)
    report = Report(kind.name, {}, [], [])
    for split in SPLITS:
        try:
            dataset = kind(root, split, {})
        except InputError as error:
            report.problems.append(str(error))
            continue
        tasks = {name: _known_task(kind, name) for name in dataset.readers() if _has_label(dataset, name, report)}
        for task in ("image", *tasks):
            report.columns[split, task] = Column()
        for name, count in Counter(dataset.ids).items():
            if count > 1:
                report.problems.append(f"{split}: id {name!r} is listed {count} times")
        for name in progress(list(dict.fromkeys(dataset.ids))):
            _check_sample(dataset, name, tasks, report)
    return report


def _known_task(kind: type[DenseDataset], name: str) -> Task | None:
    """The task of a label's name; None for a label that only a configuration says how to use."""
    return make_task(name, kind.task_options.get(name, {})) if name in TASKS else None


def _has_label(dataset: DenseDataset, task: str, report: Report) -> bool:
    try:
        dataset.check_task(task)
    except InputError:
        if task not in report.absent:
            report.absent.append(task)
        return False
    return True


def _check_sample(dataset: DenseDataset, name: str, tasks: Mapping[str, Task | None], report: Report) -> None:
    size: tuple[int, ...] | None = None
    try:
        image = read_image(dataset.image_path(name))
        size = image.shape[:2]
        report.columns[dataset.split, "image"].add(image, np.zeros(size, dtype=bool))
    except InputError as error:
        report.problems.append(str(error))
    for label_name, task in tasks.items():
        try:
            label = dataset.stored(label_name, name)
        except InputError as error:
            report.problems.append(str(error))
            continue
        where = f"{dataset.split}: {label_name} label of {name!r}"
        if size is not None and label.shape[:2] != size:
            actual, expected = (" x ".join(map(str, shape)) for shape in (label.shape[:2], size))
            report.problems.append(f"{where}: is {actual}, its image {expected} pixels")
        faults = not_finite(label) if task is None else task.check_label(label)
        report.problems += [f"{where}: {fault}" for fault in faults]
        marked = label if task is None else task.mark_ignore(label)
        ignored = (marked == IGNORE).reshape(*label.shape[:2], -1).all(2)
        report.columns[dataset.split, label_name].add(label, ignored)
