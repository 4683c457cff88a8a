"""The official file of NYUD-v2, ``nyu_depth_v2_labeled.mat``, in the layout of the multi-task archives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.convert.surfaces import Camera, boundaries, normals_from_depth
from nas_ctx.data.convert.writing import save_nyud, write_list
from nas_ctx.data.reading import read_mat
from nas_ctx.errors import InputError

CAMERA = Camera(fx=518.85790117450188, fy=519.46961112127485, cx=324.58244941119034, cy=252.73616633400465)
"""Of the colour camera, onto which depth is projected: ``camera_params.m`` of the toolbox, which counts from 1."""
SIZE = (480, 640)
CROP = (slice(45, 470), slice(41, 601))
"""425 x 560 of the 427 x 561 pixels that both cameras see (``get_projection_mask.m`` of the toolbox)."""
VARIABLES = ("images", "depths", "rawDepths", "labels", "instances", "names")


def recognises(path: Path) -> bool:
    """A file of MATLAB 7.3, which is HDF5."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(19) == b"MATLAB 7.3 MAT-file"


def write(source: Path, target: Path, files: Mapping[str, Path], progress: Any) -> list[str]:
    """Write the two standard splits; ``files`` are ``splits`` (splits.mat) and ``classes`` (classMapping40.mat)."""
    with _open(source) as stored:
        count = len(stored["images"])
        splits = _splits(files["splits"], count)
        classes = _classes(files["classes"], stored["names"].size)
        numbers = [number for chosen in splits.values() for number in chosen]
        for number in progress(numbers):
            save_nyud(target, name_of(number), **_labels(source, stored, number, classes))
    for split, chosen in splits.items():
        write_list(target / "gt_sets" / f"{split}.txt", map(name_of, chosen))
    left = count - len(numbers)
    return [
        f"{len(splits['train'])} training and {len(splits['val'])} validation images of 425 x 560 pixels",
        *([f"{left} images are in neither split"] if left else []),
    ]


def name_of(number: int) -> str:
    """The id of an image by its number, which counts from 1.

    >>> name_of(7)
    '0007'
    """
    return f"{number:04d}"


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Whatever HDF5 says of a damaged file becomes an InputError."""
    try:
        yield
    except (OSError, RuntimeError, KeyError) as error:
        raise InputError(f"{path}: damaged ({(str(error).splitlines() or [type(error).__name__])[0]})") from None


def _open(path: Path) -> Any:
    """The file, with all variables in the expected form."""
    try:
        import h5py
    except ImportError:
        raise InputError(f"{path}: reading it needs h5py: pip install 'nas_ctx[convert]'") from None
    with _named(path):
        file = h5py.File(path, "r")
        for name in VARIABLES:
            if not isinstance(file.get(name), h5py.Dataset):
                raise InputError(f"{path}: holds no variable {name}")
        count = file["images"].shape[0]
        for name in VARIABLES[:-1]:
            expected = (count, 3, *SIZE[::-1]) if name == "images" else (count, *SIZE[::-1])
            if file[name].shape != expected:
                have, want = (" x ".join(map(str, shape)) for shape in (file[name].shape, expected))
                raise InputError(f"{path}: {name} is stored as {have}, expected {want}")
        return file


def _labels(path: Path, stored: Any, number: int, classes: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """The image and the labels of an image by its number; MATLAB's axes are stored in reverse."""
    with _named(path):
        image, depth, raw, labels, instances = (stored[name][number - 1].T for name in VARIABLES[:-1])
    if labels.max() >= len(classes):
        raise InputError(f"{path}: image {number} has label {labels.max()}, of {len(classes) - 1} names")
    regions = np.where(labels > 0, labels.astype(np.int64) * 256 + instances, 0)
    whole = {
        "image": image,
        "semseg": classes[labels],
        "depth": depth.astype(np.float32),
        "normals": normals_from_depth(raw, CAMERA),
        "edge": boundaries(regions, depth),
    }
    return {name: array[CROP] for name, array in whole.items()}


def _splits(path: Path, count: int) -> dict[str, list[int]]:
    """The numbers of the images of each split, from 1."""
    chosen = {}
    for split, variable in (("train", "trainNdxs"), ("val", "testNdxs")):
        numbers = read_mat(path, variable, lambda values: values.astype(np.int64).ravel().tolist())
        if not numbers or min(numbers) < 1 or max(numbers) > count or len(set(numbers)) < len(numbers):
            raise InputError(f"{path}: {variable} are not different numbers of 1 to {count}")
        chosen[split] = numbers
    if common := set(chosen["train"]) & set(chosen["val"]):
        raise InputError(f"{path}: image {min(common)} is in both splits")
    return chosen


def _classes(path: Path, names: int) -> NDArray[np.uint8]:
    """The value in ``segmentation/ID.png`` of each of the labels 0 (none) to ``names``."""
    classes = read_mat(path, "mapClass", lambda values: values.astype(np.int64).ravel())
    if len(classes) != names:
        raise InputError(f"{path}: mapClass has {len(classes)} entries for {names} names")
    if classes.min() < 0 or classes.max() > 254:
        raise InputError(f"{path}: mapClass has values of {classes.min()} to {classes.max()}, expected 0 to 40")
    return np.concatenate([[0], classes]).astype(np.uint8)
