"""Requirements on every data set."""

from __future__ import annotations

import inspect
import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas_ctx.data import DATASETS, DataModule, DenseDataset
from nas_ctx.errors import InputError
from nas_ctx.labels import IGNORE
from nas_ctx.tasks import Task, make_tasks
from nas_ctx.testing.messages import about, doing, expect, name_of

SIZE = (24, 32)
"""Height and width of the training crops in the checks."""

CLASSES_DIFFER = "Do the files count from 1? Does the task have as many classes as the data?"

Root = str | os.PathLike[str]


def check_dataset(
    dataset: type[DenseDataset] | str,
    root: Root,
    tasks: Mapping[str, Task] | Mapping[str, Mapping[str, Any]],
    *,
    samples: int = 5,
) -> None:
    """Check a data set: its files are read as the tasks expect them, and missing files are reported in one line.

    Args:
        dataset: the class, or a name in ``DATASETS``.
        root: a folder in its layout, with at least two training images.
        tasks: task name -> task, or the options of tasks as in a configuration.
        samples: how many images of each split are looked at.

    >>> from nas_ctx.data.rooms import write_rooms
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_rooms(folder, train=2, val=1, size=(48, 64))
    ...     check_dataset("nyud", folder, {"semseg": {}, "depth": {}})
    """
    kind = DATASETS[dataset] if isinstance(dataset, str) else dataset
    by_name = {name: task if isinstance(task, Task) else make_tasks({name: task})[name] for name, task in tasks.items()}
    with about(f"{name_of(kind)}: "):
        is_dataset = inspect.isclass(kind) and issubclass(kind, DenseDataset)
        expect(is_dataset, "expected a subclass of nas_ctx.data.DenseDataset")
        abstract = sorted(getattr(kind, "__abstractmethods__", ()))
        expect(not inspect.isabstract(kind), f"does not define {', '.join(abstract)}")
        for key in ("name", "image_folder", "split_folder", "task_options"):
            expect(hasattr(kind, key), f"the attribute {key} is missing; see nas_ctx.data.DenseDataset")
        train, val = (_check_split(kind, root, split, by_name, samples) for split in ("train", "val"))
        both = sorted(set(train) & set(val))
        expect(not both, f"{both[:3]} are in both splits: a validation on training images is meaningless")
        _missing_things_are_told(kind, root, by_name)
        _batches_can_be_trained_on(kind, root, by_name)


def _check_split(
    kind: type[DenseDataset], root: Root, split: str, tasks: Mapping[str, Task], samples: int
) -> list[str]:
    """Check some samples of a split; its ids."""
    with doing(f"called with ({str(root)!r}, {split!r}, {list(tasks)})"):
        dataset = kind(root, split, tasks)
    expect(len(dataset) > 0, f"the split {split!r} is empty")
    expect(len(set(dataset.ids)) == len(dataset), f"an id is listed twice in the split {split!r}")
    for index in range(min(samples, len(dataset))):
        what = f"[{index}] of {split!r}"
        with doing(what):
            sample, again = dataset[index], dataset[index]
        image, name = sample["image"], dataset.ids[index]
        is_rgb = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        expect(is_rgb, f"{what}: the image is {image.dtype} {image.shape}: expected uint8 (H, W, 3), RGB")
        expect(sample["id"] == name, f"{what}: its id is {sample['id']!r}, listed is {name!r}")
        for task_name, task in tasks.items():
            if sample[task_name] is None and again[task_name] is None:
                continue  # the image has no label for the task
            _check_label(sample[task_name], again[task_name], image.shape[:2], task, f"{what}: the {task_name} label")
    return list(dataset.ids)


def _check_label(label: Any, again: Any, size: tuple[int, int], task: Task, what: str) -> None:
    shape = getattr(label, "shape", name_of(label))
    expect(
        isinstance(label, np.ndarray) and label.shape[:2] == size,
        f"{what}: is {shape}: expected an array (H, W) or (H, W, C) of its image's size {size}",
    )
    expect(np.array_equal(label, again, equal_nan=True), f"{what}: is another one when it is read again")
    with doing(f"{what} on its way into a batch (mark_ignore, to_tensor, partition)", CLASSES_DIFFER):
        tensor = task.to_tensor(task.mark_ignore(label))
        regions = task.partition(tensor[None])
    expect(
        bool(torch.isfinite(tensor.float()).all()),
        f"{what}: has values that are not finite: a reader gives the task's value for `invalid` there "
        "(`nas_ctx.data.base.finite` writes 0)",
    )
    valid = regions[regions != IGNORE]
    low, high = (int(valid.min()), int(valid.max())) if valid.numel() else (0, 0)
    expect(
        low >= 0 and high < task.regions,
        f"{what}: falls into the regions {low} to {high}: the task has 0..{task.regions - 1}. {CLASSES_DIFFER}",
    )


def _missing_things_are_told(kind: type[DenseDataset], root: Root, tasks: Mapping[str, Task]) -> None:
    hint = (
        "expected nas_ctx.errors.InputError, whose one line is what users see; DenseDataset.__init__ raises it if "
        "`super().__init__` is called"
    )
    with tempfile.TemporaryDirectory() as empty:
        for what, place, wanted in (
            ("a root that does not exist", Path(empty) / "nowhere", tasks),
            ("an empty root", empty, tasks),
            ("a task without labels", root, {"no-such-task": next(iter(tasks.values()))}),
        ):
            try:
                kind(place, "train", wanted)
            except InputError:
                continue
            except Exception as error:
                raise AssertionError(f"{what} raises {type(error).__name__}: {error}; {hint}") from error
            raise AssertionError(f"{what} is not noticed: {hint}")


def _batches_can_be_trained_on(kind: type[DenseDataset], root: Root, tasks: Mapping[str, Task]) -> None:
    with doing("pickling it, as processes that load data need", "Keep no open files and no lambdas"):
        pickle.loads(pickle.dumps(kind(root, "train", {})))
    name = f"<{name_of(kind)}>"
    DATASETS.register(name)(kind)
    try:
        with doing("a batch of two augmented training images"):
            batch = next(iter(DataModule(name, root, tasks, SIZE, batch_size=2).train_dataloader()))
    finally:
        DATASETS.pop(name, None)
    shape, wanted = tuple(batch["image"].shape), (2, 3, *SIZE)
    expect(shape == wanted, f"images of a batch are {shape}: expected {wanted}")
    for task_name, task in tasks.items():
        loss = float(task.loss(torch.zeros(2, task.channels, *SIZE), batch[task_name]))
        expect(np.isfinite(loss), f"the loss of {task_name} on a training batch is {loss}")
