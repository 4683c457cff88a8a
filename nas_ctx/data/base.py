"""The base class of data sets: a root, a split, a reader per label, and how they form a sample."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.locate import find_picture, find_root, id_of
from nas_ctx.data.reading import MissingFile, read_array, read_grey, read_image, read_lines
from nas_ctx.errors import InputError, unknown_name
from nas_ctx.labels import NoClass
from nas_ctx.plugins import Registry, subclass_of

if TYPE_CHECKING:
    from nas_ctx.tasks import Task

Sample = dict[str, Any]  # "image", "id", and a label per task, None where an image has none


@dataclass(frozen=True)
class Draw:
    """The index of a sample and the epoch: with the seed, all that its augmentation depends on."""

    epoch: int
    index: int


Transform = Callable[[Sample, Draw], Sample]


class DenseDataset(ABC):
    """Images with dense labels: a map-style data set, as ``torch.utils.data.DataLoader`` takes it.

    Only the list of ids is read at first, and only the labels of the given tasks later, so a missing folder matters
    only to the tasks that need it.

    Args:
        root: folder of the data set, or one that holds it, as an unpacked archive does.
        split: "train" or "val".
        tasks: task name -> task; their labels are read.
        transform: applied to every sample; None returns the arrays as read.

    Raises:
        InputError: the folder or the list of ids is missing or empty, or there are no labels for a task.
    """

    name: ClassVar[str]
    image_folder: ClassVar[str]
    split_folder: ClassVar[str]
    # The label whose classes decide whether a random crop is varied enough, also where it is no task's.
    crop_by: ClassVar[str] = "semseg"
    # Options of tasks that the layout fixes: how many classes its label files count.
    task_options: ClassVar[Mapping[str, Mapping[str, Any]]]
    # The number that label files have for class 0, where it is another one; messages speak in stored numbers.
    first_class: ClassVar[Mapping[str, int]] = {}
    # Type of a task -> the range that a number which sums its labels up usually lies in (``nas_ctx.data.notes``).
    usual: ClassVar[Mapping[str, tuple[float, float]]] = {}

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str,
        tasks: Mapping[str, Task],
        transform: Transform | None = None,
    ) -> None:
        self.root = find_root(root, self.split_folder)
        self.split = split
        self.tasks = tasks
        self.transform = transform
        self.ids = self.list_ids()
        if not self.ids:
            raise InputError(f"{self.root / self.split_folder / (split + '.txt')}: lists no ids")
        for name in self.ids:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise InputError(f"{self.root}: the id {name!r} points outside the data set")
        for task in tasks:
            self.check_labels(task)

    @abstractmethod
    def readers(self) -> Mapping[str, Callable[[str], NDArray[Any]]]:
        """Task name -> function that reads the label of an id."""

    @abstractmethod
    def label_folders(self, task: str) -> Sequence[tuple[str, ...]]:
        """The folders that a task needs; where several are given in its place, one of them must exist."""

    def list_ids(self) -> list[str]:
        """The ids of the split, in the order of its file."""
        lines = read_lines(self.root / self.split_folder / f"{self.split}.txt")
        return [id_of(line, self.image_folder) for line in lines]

    def check_task(self, task: str) -> None:
        """MissingFile, an InputError, when the folder with the labels of ``task`` is missing."""
        for places in self.label_folders(task):
            if not any((self.root / folder).is_dir() for folder in places):
                raise MissingFile(f"{self.root / places[0]}: no such folder, task {task!r} needs its labels")

    def own_folder(self, task: str) -> Path | None:
        """The folder that the option ``labels`` of a task names, with ``ID.png`` or ``ID.npy``; None without it."""
        labels = getattr(self.tasks.get(task), "labels", None)
        return None if labels is None else self.root / labels

    def check_labels(self, task: str) -> None:
        """InputError when the layout does not know the labels of ``task``, or their folder or its own is missing."""
        folder = self.own_folder(task)
        if folder is None:
            if task not in self.readers():
                raise unknown_name(f"label of the {self.name} layout", task, self.readers())
            self.check_task(task)
        elif not folder.is_dir():
            raise MissingFile(f"{folder}: no such folder, which tasks.{task}.labels names")

    def image_path(self, name: str) -> Path:
        """The path of the image of an id, a JPEG or PNG file."""
        return find_picture(self.root / self.image_folder / name)

    def label_files(self, task: str, name: str) -> Sequence[Path]:
        """The files that an id needs to have a label; none where only reading can tell."""
        return ()

    def other_files(self, task: str) -> str:
        """What is in place of the label files of a task that are not there, as the end of a message; else nothing."""
        if self.own_folder(task) is not None:
            return ""  # either kind is read
        for path in self.label_files(task, self.ids[0]):
            folder = path.parent
            kinds = sorted({file.suffix for file in folder.iterdir()} - {""}) if folder.is_dir() else []
            if kinds and path.suffix not in kinds:
                where = folder.relative_to(self.root)
                own = f" (or set tasks.{task}.labels: {where})" if {".png", ".npy"} & {*kinds} else ""
                return f": {where} holds {', '.join(kinds[:3])}, expected ID{path.suffix}{own}"
        return ""

    def unlabelled(self, task: str) -> list[str]:
        """The ids that have no label for a task, in their order, as far as :meth:`label_files` tells."""
        listed: dict[Path, set[str]] = {}  # a folder once, not a file at a time

        def there(path: Path) -> bool:
            if path.parent not in listed:
                listed[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
            return path.name in listed[path.parent]

        def has_one(name: str) -> bool:
            folder = self.own_folder(task)
            if folder is None:
                return all(map(there, self.label_files(task, name)))
            return there(folder / f"{name}.png") or there(folder / f"{name}.npy")

        return [name for name in self.ids if not has_one(name)]

    def label(self, task: str, name: str) -> NDArray[Any] | None:
        """The label of an id; None where its file is missing."""
        try:
            if self.own_folder(task) is None:
                return self.readers()[task](name)
            label = self.to_check(task, name)
            return finite(label) if label.dtype.kind == "f" else label
        except MissingFile:
            return None

    def to_check(self, task: str, name: str) -> NDArray[Any]:
        """The label of an id as its file has it, the layout's or the task's own."""
        folder = self.own_folder(task)
        if folder is None:
            return self.stored(task, name)
        shape = self.tasks[task].no_label((1, 1)).shape
        return read_own(folder / name, channels=shape[0] if len(shape) == 3 and shape[0] > 1 else None)

    def stored(self, task: str, name: str) -> NDArray[Any]:
        """The label of an id as stored, before invalid values are replaced: what ``nas-ctx data check`` checks."""
        return self.readers()[task](name)

    def faults(self, task: str, label: NDArray[Any]) -> list[str]:
        """What a task finds wrong with a label as stored, one phrase each, in the numbers of its file."""
        first = self.shift(task)
        found = self.tasks[task].check_label(label)
        return [fault.counted_from(first) if isinstance(fault, NoClass) else fault for fault in found]

    def shift(self, task: str) -> int:
        """What class 0 of a task is stored as."""
        return self.first_class.get(task, 0) if self.own_folder(task) is None else 0

    def layout_faults(self, task: str, name: str) -> list[str]:
        """Faults of the label files of an id that only this layout knows: one phrase each, which ``check`` lists."""
        return []

    def crop_classes(self, sample: Sample) -> NDArray[Any] | None:
        """The class label of a sample by which its crops are chosen; None where there is none."""
        if self.crop_by in sample:
            return sample[self.crop_by]
        reader = self.readers().get(self.crop_by)
        try:
            return None if reader is None else reader(sample["id"])
        except InputError:  # no task needs it
            return None

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> Sample:
        """A sample as stored: image uint8 (H, W, 3), labels as numpy arrays, None where they are missing, id."""
        name = self.ids[index]
        image = read_image(self.image_path(name))
        sample: Sample = {"image": image, "id": name}
        for task in self.tasks:
            label = self.label(task, name)
            if label is not None and label.shape[:2] != image.shape[:2]:
                have, want = (" x ".join(map(str, a.shape[:2])) for a in (label, image))
                raise InputError(f"{self.root}: the {task} label of {name!r} is {have}, its image {want} pixels")
            sample[task] = label
        return sample

    def __getitem__(self, which: Draw | int) -> Sample:
        draw = which if isinstance(which, Draw) else Draw(0, which)
        sample = self.read(draw.index)
        if self.transform is None:
            return sample
        try:
            return self.transform(sample, draw)
        except InputError as error:  # a task has refused the content of a label: name the sample
            raise InputError(f"{self.root}: {sample['id']!r}: {self._no_class(sample) or error}") from None

    def _no_class(self, sample: Sample) -> str | None:
        """What is no class in the labels of a sample, with its task; None where all are classes."""
        there = {task: sample[task] for task in self.tasks if sample[task] is not None}
        found = ((task, fault) for task, label in there.items() for fault in self.faults(task, label))
        return next((f"{task} label {fault}" for task, fault in found if isinstance(fault, NoClass)), None)


def read_own(path: Path, channels: int | None) -> NDArray[Any]:
    """The numbers of ``path.png``, 8 bits, or else of ``path.npy``: (H, W), or (H, W, channels)."""
    picture, array = (path.with_name(f"{path.name}.{ending}") for ending in ("png", "npy"))
    return read_grey(picture) if picture.exists() else read_array(array, channels)


def finite(label: NDArray[Any]) -> NDArray[np.float32]:
    """``label`` as float32, with 0 (the value for "invalid") where it is no finite number or vector."""
    values = label.astype(np.float32, copy=False)
    known = np.isfinite(values)
    return (
        values
        if known.all()
        else np.where(known if known.ndim == 2 else known.all(2, keepdims=True), values, np.float32(0))
    )


DATASETS: Registry[type[DenseDataset]] = Registry(
    "data set", group="nas_ctx.datasets", validator=subclass_of(DenseDataset)
)
register_dataset = DATASETS.register
