"""PASCAL VOC with the annotations of PASCAL-Context, and of PASCAL-Part, in the layout of the multi-task archives."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_ctx.data.context_classes import VOC_CLASSES
from nas_ctx.data.convert.writing import write_list
from nas_ctx.data.reading import read_lines, read_mat
from nas_ctx.errors import InputError

FOLDERS = {
    "image": "JPEGImages", "VOC12": "semseg/VOC12", "context": "semseg/pascal-context",
    "label map": "pascal-context/trainval", "parts": "human_parts",
}  # fmt: skip
OTHER_NAMES = {"diningtable": "table"}
"""Names of VOC's classes that PASCAL-Context has under another one."""


def recognises(path: Path) -> bool:
    """A folder ``VOC2010`` and the like."""
    return (path / "JPEGImages").is_dir() and (path / "ImageSets/Main").is_dir()


def write(source: Path, target: Path, files: Mapping[str, Path], progress: Any) -> list[str]:
    """Write the splits of ``ImageSets/Main`` as far as ``files["context"]`` has label maps.

    The other ``files`` are ``labels``, the list of its 459 classes, and ``parts``, the folder of PASCAL-Part.
    """
    table = class_table(files["labels"])
    for folder in FOLDERS.values():
        (target / folder).mkdir(parents=True)
    counts, without = {}, 0
    for split in ("train", "val"):
        listed = read_lines(source / "ImageSets/Main" / f"{split}.txt")
        names = [name for name in listed if (files["context"] / f"{name}.mat").is_file()]
        if not names:
            raise InputError(f"{files['context']}: has no ID.mat of the {len(listed)} ids of {split}")
        for name in progress(names):
            _write_sample(source, target, files["context"], table, name)
        write_list(target / "ImageSets/Context" / f"{split}.txt", names)
        if "parts" in files:
            people = {name: _copy_parts(files["parts"], target, name) for name in progress(names)}
            write_list(target / "ImageSets/Parts" / f"{split}.txt", [json.dumps(people)])
        counts[split], without = len(names), without + len(listed) - len(names)
    if "parts" not in files:
        (target / FOLDERS["parts"]).rmdir()
    labels = f"semseg, edge{', human_parts' if 'parts' in files else ''}"
    return [
        f"{counts['train']} training and {counts['val']} validation images with {labels}",
        *([f"{without} listed images are left out, they have no label map"] if without else []),
        "normals and saliency: left out, they are distilled labels that only the multi-task archive has",
    ]


def class_table(path: Path) -> NDArray[np.uint8]:
    """VOC's class, 0 for none, of each number in a ``LabelMap``, by the names in a list with lines ``NUMBER: NAME``."""
    numbers = {}
    for line in read_lines(path):
        if not (found := re.fullmatch(r"(\d{1,4})\s*[:,]?\s*(\S.*)", line)):
            raise InputError(f"{path}: has the line {line[:60]!r}, expected NUMBER: NAME")
        numbers[found[2]] = int(found[1])
    table = np.zeros(max(numbers.values(), default=0) + 1, np.uint8)
    for number, name in enumerate(VOC_CLASSES[1:], start=1):
        known = next((other for other in (name, OTHER_NAMES.get(name)) if other in numbers), None)
        if known is None:
            raise InputError(f"{path}: has no class {name!r}")
        table[numbers[known]] = number
    return table


def _write_sample(source: Path, target: Path, context: Path, table: NDArray[np.uint8], name: str) -> None:
    """Copy an image and its label map; VOC's segmentation where it has one, else its classes in the label map."""
    image, segmented = source / "JPEGImages" / f"{name}.jpg", source / "SegmentationClass" / f"{name}.png"
    label_map = context / f"{name}.mat"
    if not image.is_file():
        raise InputError(f"{image}: file not found")
    shutil.copyfile(image, target / FOLDERS["image"] / image.name)
    shutil.copyfile(label_map, target / FOLDERS["label map"] / label_map.name)
    if segmented.is_file():
        shutil.copyfile(segmented, target / FOLDERS["VOC12"] / segmented.name)
        return
    classes = read_mat(label_map, "LabelMap", lambda values: values.astype(np.int64))
    if classes.ndim != 2 or classes.min() < 0 or classes.max() >= len(table):
        raise InputError(f"{label_map}: LabelMap has classes up to {classes.max()}, expected 0 to {len(table) - 1}")
    Image.fromarray(table[classes]).save(target / FOLDERS["context"] / f"{name}.png")


def _copy_parts(source: Path, target: Path, name: str) -> list[int]:
    """Copy an annotation of PASCAL-Part; the classes of its objects, none where there is no annotation."""
    path = source / f"{name}.mat"
    if not path.is_file():
        return []
    shutil.copyfile(path, target / FOLDERS["parts"] / path.name)
    return read_mat(path, "anno", classes_in)


def classes_in(annotation: NDArray[Any]) -> list[int]:
    """The classes of the objects in an annotation of PASCAL-Part, by position as in ``nas_ctx.data.pascal``."""
    objects = annotation[0][0][1]
    return [int(thing[1][0][0]) for thing in objects[0]] if objects.size else []
