"""What is wrong with the labels of a data set: one set of rules, for ``nas-ctx data check`` and the start of a run."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.base import DenseDataset
from nas_ctx.data.reading import MissingFile
from nas_ctx.data.show import spread
from nas_ctx.errors import InputError
from nas_ctx.labels import IGNORE, NoClass, Unusable
from nas_ctx.tasks import Task
from nas_ctx.tasks.checks import class_counts, not_finite

LOOKED_AT = 8
"""How many images of a split the start of a run looks at, evenly spread over it."""


def faults_of(dataset: DenseDataset, task_name: str, name: str, label: NDArray[Any]) -> list[str]:
    """Faults of the label of an id, given as stored: one phrase each. Without a task, it must be finite."""
    found = dataset.faults(task_name, label) if task_name in dataset.tasks else not_finite(label)
    return found if dataset.own_folder(task_name) else found + dataset.layout_faults(task_name, name)


def faults_together(dataset: DenseDataset, task_name: str, valid: int, counts: NDArray[np.int64]) -> list[str]:
    """Faults of the labels of many ids, as marked for a batch: of their number of valid pixels, and of each value."""
    task = dataset.tasks.get(task_name)
    if not valid:
        return ["no valid pixel"]
    return task.check_counts(counts) if task is not None and task.label_classes else []


def judge(dataset: DenseDataset) -> list[str]:
    """Look at some labels of a split before a run: what is odd about them, one line each.

    Raises:
        InputError: a file is missing or damaged, a label has another size than its image, or all labels of a task that
            are looked at are unusable.
    """
    return [line for task in dataset.tasks for line in _judge_task(dataset, task)]


def _judge_task(dataset: DenseDataset, task_name: str) -> list[str]:
    task, odd = dataset.tasks[task_name], []
    where = f"{dataset.root}: {dataset.split}: {task_name}"
    missing = set(dataset.unlabelled(task_name))
    names = [name for name in dataset.ids if name not in missing]
    if missing:
        odd.append(f"{where}: {len(missing)} of {len(dataset)} images have no label")
    unusable: dict[str, str] = {}  # id -> fault
    counts, valid, looked_at = np.zeros(IGNORE + 1, np.int64), 0, 0
    for name in (names[index] for index in spread(LOOKED_AT, len(names))):
        with suppress(MissingFile):
            label = dataset.to_check(task_name, name)
            looked_at += 1
            for fault in faults_of(dataset, task_name, name, label):
                if isinstance(fault, NoClass):
                    raise InputError(f"{where} label of {name!r}: {fault}")  # as a batch with it would be
                if isinstance(fault, Unusable):
                    unusable.setdefault(name, fault)
            marked = task.mark_ignore(label)
            valid += int(np.count_nonzero(marked != IGNORE))
            if task.label_classes:
                _refuse_classes(task, marked, f"{where} label of {name!r}")
                counts += class_counts(marked)
    if not looked_at:
        raise InputError(f"{where}: no image has a label{dataset.other_files(task_name)}")
    for name, fault in [*unusable.items()][:1]:
        if len(unusable) == looked_at:
            raise InputError(f"{where} label of {name!r}, and all {looked_at} that were looked at: {fault}")
        odd.append(f"{where}: {len(unusable)} of {looked_at} labels looked at, such as that of {name!r}: {fault}")
    together = faults_together(dataset, task_name, valid, counts)
    return odd + [f"{where}: {fault} in any of the {looked_at} labels looked at" for fault in together]


def _refuse_classes(task: Task, marked: NDArray[Any], what: str) -> None:
    """What a batch would refuse is refused at once, with the name of the label."""
    try:
        task.to_tensor(marked)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
