"""Writes rooms as a data set: all scenes into a temporary folder, which then becomes the data set in one step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from nas_ctx.data.rooms.camera import Shot, render
from nas_ctx.data.rooms.furnish import compose
from nas_ctx.data.rooms.layouts import LAYOUTS
from nas_ctx.data.rooms.scene import Scene
from nas_ctx.errors import InputError, unknown_name
from nas_ctx.files import atomic_folder, read_json

# Raised whenever the same parameters would give different files.
VERSION = 1
MANIFEST = "rooms.json"
SPLITS = ("train", "val")


def write_rooms(
    root: str | os.PathLike[str],
    train: int = 400,
    val: int = 100,
    size: tuple[int, int] = (96, 128),
    seed: int = 0,
    layout: str = "nyud",
    progress: bool = False,
) -> bool:
    """Write a data set of furnished rooms in the layout of NYUD-v2 or of PASCAL-Context.

    Scene i of a split depends on ``seed`` and i only, not on how many are written. A data set with the same
    parameters is reused at once; anything else in ``root`` is left alone.

    Args:
        root: folder to create, with its parents.
        train, val: how many scenes of each split.
        size: height and width of the pictures.
        seed: of all randomness.
        layout: "nyud", or "pascal", with people in the rooms, saliency and human parts.
        progress: show a progress bar on standard error.

    Returns:
        True if the data set was written, False if it existed already.

    Raises:
        InputError: a number is out of range, or ``root`` holds something else or cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_rooms(Path(folder) / "rooms", train=1, val=1, size=(24, 32))
    ...     write_rooms(Path(folder) / "rooms", train=1, val=1, size=(24, 32))
    ...     sorted(path.name for path in (Path(folder) / "rooms").iterdir())
    True
    False
    ['depth', 'edge', 'gt_sets', 'images', 'normals', 'rooms.json', 'segmentation']
    """
    root = Path(root)
    _check(train, val, size, seed)
    if layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    manifest = {
        "format": f"nas_ctx.rooms/{VERSION}", "layout": layout, "train": train, "val": val, "size": list(size),
        "seed": seed, "classes": list(LAYOUTS[layout].classes),
    }  # fmt: skip
    return not _already_there(root, manifest) and _write_whole(root, manifest, progress)


def _write_whole(root: Path, manifest: dict[str, Any], progress: bool) -> bool:
    """Write what ``manifest`` describes beside ``root``, then move it there; False if another process was faster."""
    try:
        with atomic_folder(root) as temporary:
            _write(temporary, manifest, progress)
            (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    except OSError as error:
        if _already_there(root, manifest):
            return False
        raise InputError(f"{root}: cannot be written ({error.strerror or error})") from None
    return True


def _write(folder: Path, manifest: dict[str, Any], progress: bool) -> None:
    layout = LAYOUTS[manifest["layout"]]
    for name in layout.folders:
        (folder / name).mkdir(parents=True)
    total = sum(manifest[split] for split in SPLITS)
    with tqdm(total=total, desc="rooms", unit="scene", disable=not progress) as bar:
        for number, split in enumerate(SPLITS):
            names, records = [f"{split}_{i:05d}" for i in range(manifest[split])], []
            for i, name in enumerate(names):
                scene, shot = take(manifest["seed"], number, i, manifest["size"], layout.figures)
                records.append(layout.write(folder, name, scene, shot))
                bar.update()
            layout.finish(folder, split, names, records)


def take(seed: int, split: int, index: int, size: tuple[int, int], figures: bool = False) -> tuple[Scene, Shot]:
    """Scene ``index`` of split 0 (train) or 1 (val), and its picture and labels. The scene is the same at any size."""
    scene = compose(np.random.default_rng([seed, split, index, 0]), figures)
    return scene, render(scene, size, np.random.default_rng([seed, split, index, 1]))


def _check(train: int, val: int, size: tuple[int, int], seed: int) -> None:
    for name, value, least in (("train", train, 1), ("val", val, 1), ("seed", seed, 0)):
        if value < least:
            raise InputError(f"rooms: {name} is {value}, expected at least {least}")
    if len(size) != 2 or not all(16 <= side <= 4096 for side in size):
        raise InputError(f"rooms: size is {' x '.join(map(str, size))}, expected height and width of 16 to 4096 pixels")


def _already_there(root: Path, wanted: dict[str, Any]) -> bool:
    """Whether ``root`` holds the wanted data set; InputError if it holds something else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    if not (root / MANIFEST).is_file():
        raise InputError(f"{root}: is not empty and holds no {MANIFEST}; choose another folder for the rooms")
    present = read_json(root / MANIFEST)
    for key, value in wanted.items():
        other = present.get(key) if isinstance(present, dict) else None
        if other != value:
            raise InputError(
                f"{root}: holds rooms with {key} {other!r}, asked for {value!r}; remove it or choose another folder"
            )
    return True
