"""PASCAL-Context in the layout of the multi-task archives, with human parts, saliency and distilled normals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.base import DenseDataset, register_dataset
from nas_ctx.data.context_classes import HAVE_NORMALS, HUMAN_PARTS, PERSON
from nas_ctx.data.reading import read_grey, read_image, read_mask, read_mat
from nas_ctx.errors import InputError, unknown_name
from nas_ctx.files import read_json
from nas_ctx.labels import Unusable

_LABEL_MAPS = "pascal-context/trainval"
_ENDINGS = (".jpg", ".jpeg", ".png", ".mat")
_SEMSEG = ("semseg/VOC12", "semseg/pascal-context")


@register_dataset("pascal")
class PASCAL(DenseDataset):
    """``JPEGImages/ID.jpg`` and labels in the folders and formats that ``docs/data.md`` lists.

    Labels as read: semseg uint8 (H, W), 0..20, 255 ignored; edge float32 (H, W) from the label map; normals float32
    (H, W, 3), zero vector where the class has none; saliency uint8 (H, W); human_parts uint8 (H, W), 0..6.
    """

    name = "pascal"
    image_folder = "JPEGImages"
    split_folder = "ImageSets/Context"
    task_options: ClassVar = {"semseg": {"classes": 21}}
    usual: ClassVar = {"normals": (0.0, 0.5)}

    def readers(self) -> Mapping[str, Callable[[str], NDArray[Any]]]:
        return {
            "semseg": self._semseg,
            "edge": self._edge,
            "normals": self._normals,
            "saliency": self._saliency,
            "human_parts": self._human_parts,
        }

    def label_folders(self, task: str) -> Sequence[tuple[str, ...]]:
        folders: dict[str, list[tuple[str, ...]]] = {
            "semseg": [_SEMSEG],
            "edge": [(_LABEL_MAPS,)],
            "normals": [("normals_distill",), (_LABEL_MAPS,)],
            "saliency": [("sal_distill",)],
            "human_parts": [("human_parts",)],
        }
        return folders[task]

    def check_task(self, task: str) -> None:
        super().check_task(task)
        if task == "human_parts":
            self._people = people_of(self.root / "ImageSets/Parts" / f"{self.split}.txt")

    def label_files(self, task: str, name: str) -> Sequence[Path]:
        if task == "human_parts" and not self._may_show_people(name):
            return []
        files = {
            "semseg": [self._semseg_file(name)],
            "edge": [self.root / _LABEL_MAPS / f"{name}.mat"],
            "normals": [self.root / "normals_distill" / f"{name}.png", self.root / _LABEL_MAPS / f"{name}.mat"],
            "saliency": [self.root / "sal_distill" / f"{name}.png"],
            "human_parts": [self.root / "human_parts" / f"{name}.mat"],
        }
        return files.get(task, [])  # none of a label that a subclass adds

    def stored(self, task: str, name: str) -> NDArray[Any]:
        return self._coded_normals(name) if task == "normals" else super().stored(task, name)

    def layout_faults(self, task: str, name: str) -> list[str]:
        if task == "saliency" and read_mask(self.root / "sal_distill" / f"{name}.png").max() == 1:
            return [Unusable("holds 0 and 1: expected grey from 0 to 255, salient above 127")]
        return []

    def _semseg_file(self, name: str) -> Path:
        first, second = (self.root / folder / f"{name}.png" for folder in _SEMSEG)
        return first if first.exists() or not second.exists() else second

    def _semseg(self, name: str) -> NDArray[np.uint8]:
        return read_grey(self._semseg_file(name))

    def _label_map(self, name: str) -> NDArray[np.int32]:
        path = self.root / _LABEL_MAPS / f"{name}.mat"
        label_map = read_mat(path, "LabelMap", lambda values: values.astype(np.int32))
        if label_map.ndim != 2:
            raise InputError(f"{path}: LabelMap has {label_map.ndim} axes, expected H x W")
        return label_map

    def _edge(self, name: str) -> NDArray[np.float32]:
        return label_edges(self._label_map(name))

    def _coded_normals(self, name: str) -> NDArray[np.float32]:
        path = self.root / "normals_distill" / f"{name}.png"
        coded, label_map = read_image(path), self._label_map(name)
        if coded.shape[:2] != label_map.shape:
            have, want = (" x ".join(map(str, shape)) for shape in (coded.shape[:2], label_map.shape))
            raise InputError(f"{path}: is {have}, its label map {want} pixels")
        return decode_normals(coded, np.isin(label_map, list(HAVE_NORMALS.values())))

    def _normals(self, name: str) -> NDArray[np.float32]:
        normals = self._coded_normals(name)
        length = np.sqrt(np.square(normals).sum(2, keepdims=True))
        return normals / np.maximum(length, np.float32(0.5))

    def _saliency(self, name: str) -> NDArray[np.uint8]:
        return (read_mask(self.root / "sal_distill" / f"{name}.png") > 127).astype(np.uint8)

    def _may_show_people(self, name: str) -> bool:
        """Whether the annotation of an id is to be read: the index says so, or does not know the id."""
        return self._people is None or PERSON in self._people.get(name, (PERSON,))

    def _human_parts(self, name: str) -> NDArray[np.uint8]:
        if not self._may_show_people(name):
            return self._nobody(name)
        labels = read_mat(self.root / "human_parts" / f"{name}.mat", "anno", human_parts)
        return labels if labels.size else self._nobody(name)

    def _nobody(self, name: str) -> NDArray[np.uint8]:
        return np.zeros(read_image(self.image_path(name)).shape[:2], dtype=np.uint8)


def people_of(path: Path) -> dict[str, list[int]] | None:
    """The classes in each image, from the index of parts; None without an index: then every annotation is read."""
    if not path.exists():
        return None
    form = "expected JSON of the form {id: [class numbers]}, or no such file"
    try:
        index = read_json(path)
        return {_id_of(str(name)): [int(value) for value in values] for name, values in index.items()}  # type: ignore[attr-defined]
    except (TypeError, AttributeError, OverflowError):
        raise InputError(f"{path}: {form}") from None
    except InputError as error:
        raise InputError(f"{error}: {form}") from None


def _id_of(name: str) -> str:
    """A name in an index without the ending of a picture or annotation.

    >>> _id_of("2008_000002.jpg"), _id_of("2008.02")
    ('2008_000002', '2008.02')
    """
    return name.removesuffix(Path(name).suffix) if Path(name).suffix.lower() in _ENDINGS else name


def label_edges(label_map: NDArray[np.int32]) -> NDArray[np.float32]:
    """Where the Laplacian of a label map is not zero, thinned to lines of one pixel: float32 (H, W) in {0, 1}.

    >>> label_edges(np.repeat([[1, 1, 1, 2, 2, 2]], 5, axis=0)).max(axis=0).tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    from scipy import ndimage
    from skimage.morphology import thin

    return thin(ndimage.laplace(label_map, mode="mirror") != 0).astype(np.float32)


def decode_normals(coded: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Normals (H, W, 3) from 8 bits per component, 0 where not ``valid`` and where the code is no direction.

    Rounding leaves lengths of 0.99 to 1.01; metrics expect 1.
    """
    normals = coded * np.float32(2 / 255) - np.float32(1)
    # Grey encodes "none": decoded, only its rounding error is left.
    return np.where(valid[:, :, None] & (np.square(normals).sum(2, keepdims=True) > 0.25), normals, np.float32(0))


def human_parts(annotation: NDArray[Any]) -> NDArray[np.uint8]:
    """The parts of all people in a PASCAL-Part annotation: uint8 (H, W), 0 background, 1..6 parts.

    Without objects, which alone know the size, it is (0, 0). Fields are taken by position: an object is (class,
    class_ind, mask, parts), a part is (name, mask).
    """
    if not annotation[0][0][1].size:
        return np.zeros((0, 0), dtype=np.uint8)
    objects = annotation[0][0][1][0]
    labels = np.zeros(objects[0][2].shape, dtype=np.uint8)
    for thing in objects:
        if int(thing[1][0][0]) != PERSON or thing[3].size == 0:
            continue
        for part in thing[3][0]:
            if (what := str(part[0][0])) not in HUMAN_PARTS:
                raise unknown_name("part of a person", what, HUMAN_PARTS)
            labels[part[1].astype(bool)] = HUMAN_PARTS[what]
    return labels
