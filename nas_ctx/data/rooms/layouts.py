"""The layouts that rooms are written in: one file per sample and label, as in the real archives."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_ctx.data.context_classes import HAVE_NORMALS, UNKNOWN, VOC_CLASSES
from nas_ctx.data.context_classes import PERSON as VOC_PERSON
from nas_ctx.data.rooms.camera import Shot
from nas_ctx.data.rooms.labels import class_map, outlines, salient_item
from nas_ctx.data.rooms.scene import PERSON, ROOMS_CLASSES, UNLABELLED, Scene


@dataclass(frozen=True)
class Layout:
    """How one layout is written.

    Args:
        folders: to make.
        classes: names of the semantic classes, for the manifest.
        figures: whether there are people in the rooms.
        write: writes a sample's files; its result is passed to ``finish``.
        finish: writes the lists of a split, from its name, its ids and what ``write`` returned for each.
    """

    folders: tuple[str, ...]
    classes: tuple[str, ...]
    figures: bool
    write: Callable[[Path, str, Scene, Shot], Any]
    finish: Callable[[Path, str, Sequence[str], Sequence[Any]], None]


_NYUD_VALUES = {name: value for value, name in enumerate(ROOMS_CLASSES, start=1)}


def _write_nyud(root: Path, name: str, scene: Scene, shot: Shot) -> None:
    Image.fromarray(shot.image).save(root / "images" / f"{name}.jpg", quality=95)
    semantic = class_map(shot.items, scene.items, _NYUD_VALUES)
    Image.fromarray(semantic).save(root / "segmentation" / f"{name}.png")
    np.save(root / "depth" / f"{name}.npy", shot.depth)
    np.save(root / "normals" / f"{name}.npy", shot.normals)
    np.save(root / "edge" / f"{name}.npy", outlines(shot.items, shot.depth))


def _finish_nyud(root: Path, split: str, names: Sequence[str], _: Sequence[Any]) -> None:
    (root / "gt_sets" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


# Of the classes of PASCAL VOC rooms show five; all else is background.
_VOC_VALUES = {"table": 11, "chair": 9, PERSON: VOC_PERSON, "plant": 16, "sofa": 18, UNLABELLED: 255}
_CONTEXT_VALUES = {
    **{name: HAVE_NORMALS[name] for name in (*ROOMS_CLASSES, PERSON) if name in HAVE_NORMALS},
    "lamp": HAVE_NORMALS["light"],
    UNLABELLED: UNKNOWN,
}
_PART_NAMES = {1: "head", 2: "torso", 3: "luarm", 4: "llarm", 5: "luleg", 6: "llleg"}


def _write_pascal(root: Path, name: str, scene: Scene, shot: Shot) -> list[int]:
    from scipy.io import savemat

    Image.fromarray(shot.image).save(root / "JPEGImages" / f"{name}.jpg", quality=95)
    semantic = class_map(shot.items, scene.items, _VOC_VALUES)
    # The archives store an image's classes in one of two folders; rooms alternate between them.
    place = "VOC12" if int(name[-1]) % 2 == 0 else "pascal-context"
    Image.fromarray(semantic).save(root / "semseg" / place / f"{name}.png")
    context = np.array([_CONTEXT_VALUES[item] for item in scene.items], dtype=np.uint16)[shot.items]
    savemat(root / "pascal-context/trainval" / f"{name}.mat", {"LabelMap": context}, do_compression=True)
    coded = np.rint((shot.normals + 1) * 127.5).astype(np.uint8)
    Image.fromarray(coded).save(root / "normals_distill" / f"{name}.png")
    salient = shot.items == salient_item(shot.items, scene.items)
    Image.fromarray(salient.astype(np.uint8) * np.uint8(255)).save(root / "sal_distill" / f"{name}.png")
    annotation, classes = _annotate(name, scene, shot)
    savemat(root / "human_parts" / f"{name}.mat", {"anno": annotation}, do_compression=True)
    return classes


def _annotate(name: str, scene: Scene, shot: Shot) -> tuple[NDArray[Any], list[int]]:
    """The annotation of PASCAL-Part: every visible object of a VOC class, people with their parts; and the classes."""
    objects = []
    for item in np.unique(shot.items):
        kind = scene.items[item]
        number = _VOC_VALUES.get(kind, 0)
        if number in (0, 255):
            continue
        mask = shot.items == item
        parts = []
        if kind == PERSON:
            for role in np.unique(shot.roles[mask]):
                part_mask = mask & (shot.roles == role)
                parts.append((_PART_NAMES[int(role)], part_mask.astype(np.uint8)))
        objects.append((VOC_CLASSES[number], number, mask.astype(np.uint8), _struct(("part_name", "mask"), parts)))
    if not objects:  # the archives have an object in every file; a room without one gets an empty person
        objects.append(("person", VOC_PERSON, np.zeros(shot.items.shape, np.uint8), _struct(("part_name", "mask"), [])))
    annotation = _struct(("imname", "objects"), [(name, _struct(("class", "class_ind", "mask", "parts"), objects))])
    return annotation, [number for _, number, _, _ in objects]


def _struct(fields: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> NDArray[Any]:
    """A MATLAB struct array of 1 x len(rows); without rows the empty array of 0 x 0."""
    table = np.empty((1, len(rows)) if rows else (0, 0), dtype=[(field, object) for field in fields])
    for i, row in enumerate(rows):
        table[0, i] = row
    return table


def _finish_pascal(root: Path, split: str, names: Sequence[str], classes: Sequence[Any]) -> None:
    (root / "ImageSets/Context" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    index = dict(zip(names, classes, strict=True))
    (root / "ImageSets/Parts" / f"{split}.txt").write_text(json.dumps(index))


LAYOUTS = {
    "nyud": Layout(
        ("images", "segmentation", "depth", "normals", "edge", "gt_sets"),
        ROOMS_CLASSES, False, _write_nyud, _finish_nyud,
    ),
    "pascal": Layout(
        (
            "JPEGImages", "semseg/VOC12", "semseg/pascal-context", "pascal-context/trainval", "normals_distill",
            "sal_distill", "human_parts", "ImageSets/Context", "ImageSets/Parts",
        ),
        VOC_CLASSES, True, _write_pascal, _finish_pascal,
    ),
}  # fmt: skip
