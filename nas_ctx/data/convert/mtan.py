"""NYUD-v2 as MTAN publishes it (Liu et al., CVPR 2019): ``train/image/0.npy`` ..., 13 classes, 288 x 384 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.convert.writing import save_nyud, write_list
from nas_ctx.data.reading import read_array
from nas_ctx.errors import InputError


def recognises(path: Path) -> bool:
    """A folder with images of both splits as arrays."""
    return all(any((path / split / "image").glob("*.npy")) for split in ("train", "val"))


def write(source: Path, target: Path, files: Mapping[str, Path], progress: Any) -> list[str]:
    """Write both splits; the ids are the split and the number of the file."""
    counts = {}
    for split in ("train", "val"):
        paths = sorted((source / split / "image").glob("*.npy"), key=lambda path: (len(path.stem), path.stem))
        for path in progress(paths):
            save_nyud(target, f"{split}_{path.stem}", **_labels(source / split, path.name))
        write_list(target / "gt_sets" / f"{split}.txt", (f"{split}_{path.stem}" for path in paths))
        counts[split] = len(paths)
    return [
        f"{counts['train']} training and {counts['val']} validation images with semseg, depth and normals",
        "edge: left out, the source has no boundaries; tasks.semseg.classes of a configuration is 13",
    ]


def _labels(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    """An image and its labels, in the conventions of the NYUD-v2 layout."""
    path = folder / "image" / name
    image = read_array(path, channels=3)
    if not 0 <= image.min() <= image.max() <= 1:
        raise InputError(f"{path}: has values of {image.min():g} to {image.max():g}, expected 0 to 1")
    path = folder / "label" / name
    classes = read_array(path)
    if classes.min() < -1 or classes.max() > 39 or (classes != np.round(classes)).any():
        raise InputError(f"{path}: has values of {classes.min():g} to {classes.max():g}, expected classes, -1 for none")
    normals = read_array(folder / "normal" / name, channels=3).astype(np.float32)
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    labels = {
        "image": np.rint(image * 255).astype(np.uint8),
        "semseg": (classes + 1).astype(np.uint8),
        "depth": read_array(folder / "depth" / name).astype(np.float32),
        "normals": np.where(length > 0.5, normals / np.maximum(length, 0.5), 0).astype(np.float32),
    }
    for task, array in labels.items():
        if array.shape[:2] != image.shape[:2]:
            have, want = (" x ".join(map(str, shape[:2])) for shape in (array.shape, image.shape))
            raise InputError(f"{path.parent.parent}: the {task} label of {name} is {have}, its image {want} pixels")
    return labels
