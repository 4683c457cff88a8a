"""Checks a whole data set before a long run: statistics, and every file that is missing, damaged or implausible."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.base import DATASETS, DenseDataset
from nas_ctx.data.judging import faults_of, faults_together
from nas_ctx.data.locate import find_roots, one_of
from nas_ctx.data.notes import Seen
from nas_ctx.data.reading import MissingFile, conversions, read_image
from nas_ctx.data.rooms.writing import MANIFEST
from nas_ctx.errors import InputError, counted
from nas_ctx.files import read_json
from nas_ctx.labels import IGNORE
from nas_ctx.tasks import TASKS, Task, make_tasks
from nas_ctx.tasks.checks import class_counts

SPLITS = ("train", "val")


@dataclass
class Column:
    """Statistics of one kind of file (the images, or one task's labels) in one split."""

    read: int = 0
    missing: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    low: float = float("inf")
    high: float = float("-inf")
    pixels: int = 0
    ignored: int = 0
    converted: Counter[str] = field(default_factory=Counter)
    first: int = 0
    """What class 0 is stored as."""
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(IGNORE + 1, np.int64))
    seen: Seen = field(default_factory=Seen)

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
    absent: dict[str, list[str]]
    """Task -> splits without a folder of its labels, which is no problem where no configuration asks for them."""
    notes: list[str] = field(default_factory=list)
    """What may be right and may be a mistake."""
    classes: dict[str, int] = field(default_factory=dict)
    """How many classes the labels of a task name, of those that are scored by a mean over classes."""

    def lines(self) -> Iterable[str]:
        """The report as lines of text."""
        yield f"{self.layout} layout"
        for (split, kind), column in self.columns.items():
            missing = f", {counted(column.missing, 'image')} without" if column.missing else ""
            if not column.read:
                yield f"  {split:<6}{kind:<12} none could be read{missing}"
                continue
            sizes = ", ".join(f"{size} ({count})" for size, count in column.sizes.most_common(3))
            more = f", {len(column.sizes) - 3} more sizes" if len(column.sizes) > 3 else ""
            low, high = column.low + column.first, column.high + column.first  # as stored
            values = f"{low:g} to {high:g}" if low <= high else "no values"
            share = 100 * column.ignored / column.pixels
            converted = "".join(f"   {count} {how}" for how, count in column.converted.items())
            yield (
                f"  {split:<6}{kind:<12}{column.read:>6} read{missing}   {'/'.join(column.types)}   "
                f"{values}   {share:.1f} % ignored   {sizes}{more}{converted}"
            )
            if kind in self.classes:
                yield from class_lines(column.counts[: self.classes[kind]], column.first)
            if line := column.seen.line():
                yield f"        {line}"
        for task, splits in self.absent.items():
            yield f"  no labels for {task} ({', '.join(splits)})"
        yield from (f"NOTE {note}" for note in self.notes)
        for first, *others in self.kinds():
            yield f"PROBLEM {first}{f'   (and {len(others)} more like this)' if others else ''}"

    def kinds(self) -> list[list[str]]:
        """The problems, those together that differ in numbers and names of files only."""
        alike: defaultdict[str, list[str]] = defaultdict(list)
        for problem in self.problems:
            alike[re.sub(r"'[^']*'|(?<=/)[^/:]+(?=\.\w+:)|\d+(\.\d+)?", "#", problem)].append(problem)
        return list(alike.values())


def class_lines(counts: NDArray[np.int64], first: int = 0) -> Iterable[str]:
    """The shares of the classes in percent, and which never occur; ``first`` is what class 0 is stored as.

    >>> list(class_lines(np.array([3, 0, 1])))[0].strip()
    'class: % of the labelled pixels   0: 75   2: 25'
    """
    total = counts.sum()
    shares = "   ".join(f"{number}: {100 * count / total:.2g}" for number, count in enumerate(counts) if count)
    stored = f" (stored as class + {first})" if first else ""
    yield f"        class{stored}: % of the labelled pixels   {shares or 'none'}"
    never = ", ".join(map(str, np.flatnonzero(counts == 0)))
    if never:
        yield f"        never: {never} (a class that is neither true nor predicted counts 0 in the mean IoU)"


def detect(root: str | os.PathLike[str]) -> type[DenseDataset]:
    """The class of the data set in a folder or below it, recognised by where its lists of ids are.

    Raises:
        InputError: no such folder, or it has none of the known layouts, or several data sets.
    """
    found = [(kind, place) for kind in DATASETS.values() for place in find_roots(root, kind.split_folder)]
    chosen = [pair for pair in found if pair[1] == Path(root)][:1] or found
    if chosen:
        one_of(root, [place for _, place in chosen])
        return chosen[0][0]
    places = ", ".join(f"{kind.split_folder} ({name})" for name, kind in DATASETS.items())
    raise InputError(
        f"{root}: holds no data set of a known layout, expected a folder {places}; of data of your own docs/data.md "
        'says how, in "Label folders of your own"'
    )


def check(
    root: str | os.PathLike[str],
    progress: Callable[[Iterable[str]], Iterable[str]] = lambda ids: ids,
    layout: type[DenseDataset] | None = None,
    tasks: Mapping[str, Task] | None = None,
) -> Report:
    """Read every image and label of both splits.

    Args:
        root: folder of the data set.
        progress: wraps the ids of a split, for a progress bar.
        layout: of the folder; recognised by default.
        tasks: whose labels are checked; by default all that the layout has, with its usual classes.

    Raises:
        InputError: no known layout. Everything else is in the report.
    """
    kind = layout or detect(root)
    report = Report(kind.name, {}, [], {})
    listed: dict[str, str] = {}  # id -> the first split that lists it
    for split in SPLITS:
        try:
            dataset = kind(root, split, {})
        except InputError as error:
            report.problems.append(str(error))
            continue
        dataset.tasks = tasks or {}
        labels = [
            name for name in tasks or dataset.readers() if _has_label(dataset, name, report, needed=tasks is not None)
        ]
        dataset.tasks = tasks or usual_tasks(dataset, labels)
        report.classes |= {name: t.label_classes for name, t in dataset.tasks.items() if t.metric_name == "miou"}
        for label in ("image", *labels):
            report.columns[split, label] = Column(first=dataset.shift(label))
        for name, count in Counter(dataset.ids).items():
            if count > 1:
                report.problems.append(f"{split}: id {name!r} is listed {count} times")
            if listed.setdefault(name, split) != split:
                report.problems.append(f"{split}: id {name!r} is listed in {listed[name]} too")
        for name in progress(list(dict.fromkeys(dataset.ids))):
            _check_sample(dataset, name, labels, report)
        for label in labels:
            _check_column(dataset, label, report)
    return report


def usual_tasks(dataset: DenseDataset, labels: Iterable[str]) -> dict[str, Task]:
    """The tasks of labels' names; not of a label that only a configuration says how to use.

    Rooms have the classes that their manifest lists, other data sets those of their layout.
    """
    options = dict(dataset.task_options)
    if (Path(dataset.root) / MANIFEST).is_file():
        rooms = read_json(Path(dataset.root) / MANIFEST)
        classes = rooms.get("classes") if isinstance(rooms, dict) else None
        if isinstance(classes, list) and 2 <= len(classes) <= 255:
            options["semseg"] = {"classes": len(classes)}
    return make_tasks({name: options.get(name, {}) for name in labels if name in TASKS})


def _has_label(dataset: DenseDataset, task: str, report: Report, needed: bool) -> bool:
    """Whether there is a folder with labels; that there is none of a task that is ``needed`` is a problem."""
    try:
        dataset.check_labels(task)
    except InputError as error:
        if isinstance(error, MissingFile) and not needed:
            report.absent.setdefault(task, []).append(dataset.split)
        elif str(error) not in report.problems:  # of the other split too
            report.problems.append(str(error))
        return False
    return True


def _check_sample(dataset: DenseDataset, name: str, labels: Iterable[str], report: Report) -> None:
    size: tuple[int, ...] | None = None
    try:
        path, column = dataset.image_path(name), report.columns[dataset.split, "image"]
        image = read_image(path)
        size = image.shape[:2]
        column.add(image, np.zeros(size, dtype=bool))
        column.converted.update(conversions(path))
    except InputError as error:
        report.problems.append(str(error))
    for label_name in labels:
        column, task = report.columns[dataset.split, label_name], dataset.tasks.get(label_name)
        try:
            label = dataset.to_check(label_name, name)
            faults = faults_of(dataset, label_name, name, label)
        except MissingFile:
            column.missing += 1
            continue
        except InputError as error:
            if str(error) not in report.problems:  # several labels may come from a file
                report.problems.append(str(error))
            continue
        if size is not None and label.shape[:2] != size:
            actual, expected = (" x ".join(map(str, shape)) for shape in (label.shape[:2], size))
            faults.insert(0, f"is {actual}, its image {expected} pixels")
        report.problems += [f"{dataset.split}: {label_name} label of {name!r}: {fault}" for fault in faults]
        marked = label if task is None else task.mark_ignore(label)
        ignored = (marked == IGNORE).reshape(*label.shape[:2], -1).all(2)
        column.add(label, ignored)
        if task is not None:
            counts = class_counts(marked if task.label_classes else np.where(ignored, IGNORE, 0))
            column.seen.add(dataset, label_name, name, label, counts)
            column.counts += counts if task.label_classes else 0


def _check_column(dataset: DenseDataset, label: str, report: Report) -> None:
    """What is at fault with all labels of a split together."""
    column = report.columns[dataset.split, label]
    if column.missing and not column.read:
        report.problems.append(f"{dataset.split}: {label}: no image has a label{dataset.other_files(label)}")
    if column.read and label in dataset.tasks:
        report.notes += [f"{dataset.split}: {label}: {n}" for n in column.seen.notes(dataset, label, column.counts)]
    if column.read:
        faults = faults_together(dataset, label, column.pixels - column.ignored, column.counts)
        report.problems += [f"{dataset.split}: {label}: {fault} in any of {column.read} labels" for fault in faults]
