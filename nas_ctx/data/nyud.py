"""NYUD-v2 in the layout of the multi-task archives, which the ``rooms`` generator writes, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.base import DenseDataset, finite, register_dataset
from nas_ctx.data.reading import read_array, read_grey

FOLDERS = {"semseg": "segmentation", "depth": "depth", "normals": "normals", "edge": "edge"}


@register_dataset("nyud")
class NYUD(DenseDataset):
    """``images/ID.jpg``, ``segmentation/ID.png``, ``depth/ID.npy``, ``normals/ID.npy``, ``edge/ID.npy``.

    Labels as read: semseg uint8 (H, W), classes from 0, 255 ignored (the files count from 1, 0 ignored); depth float32
    (H, W) metres, 0 invalid; normals float32 (H, W, 3), zero vector invalid; edge float32 (H, W).

    >>> import tempfile
    >>> from nas_ctx.data.rooms import write_rooms
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_rooms(folder, train=1, val=1, size=(24, 32))
    ...     sample = NYUD(folder, "train", tasks={"depth": ...})[0]
    >>> sample["image"].shape, sample["depth"].shape
    ((24, 32, 3), (24, 32))
    """

    name = "nyud"
    image_folder = "images"
    split_folder = "gt_sets"
    task_options: ClassVar = {"semseg": {"classes": 40}}
    first_class: ClassVar = {"semseg": 1}
    usual: ClassVar = {"depth": (0.5, 20.0), "normals": (0.0, 0.5)}  # indoors

    def readers(self) -> Mapping[str, Callable[[str], NDArray[Any]]]:
        return {"semseg": self._semseg, "depth": self._depth, "normals": self._normals, "edge": self._edge}

    def label_folders(self, task: str) -> Sequence[tuple[str, ...]]:
        return [(FOLDERS[task],)]

    def label_files(self, task: str, name: str) -> Sequence[Path]:
        if task not in FOLDERS:  # a label that a subclass adds
            return super().label_files(task, name)
        return [self.root / FOLDERS[task] / f"{name}.{'png' if task == 'semseg' else 'npy'}"]

    def stored(self, task: str, name: str) -> NDArray[Any]:
        if task == "semseg" or task not in FOLDERS:
            return super().stored(task, name)
        return read_array(self.root / FOLDERS[task] / f"{name}.npy", channels=3 if task == "normals" else None)

    def _semseg(self, name: str) -> NDArray[np.uint8]:
        # uint8 arithmetic wraps around: 0, which is "unlabelled", becomes 255, which is "ignore".
        return read_grey(self.root / "segmentation" / f"{name}.png") - np.uint8(1)

    def _depth(self, name: str) -> NDArray[np.float32]:
        return finite(self.stored("depth", name))

    def _normals(self, name: str) -> NDArray[np.float32]:
        return finite(self.stored("normals", name))

    def _edge(self, name: str) -> NDArray[np.float32]:
        return finite(self.stored("edge", name))
