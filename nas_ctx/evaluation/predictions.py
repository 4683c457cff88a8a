"""The predictions of a trained network as files, one per picture and task, for other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data import DataModule
from nas_ctx.data.reading import read_image
from nas_ctx.errors import InputError, unknown_name
from nas_ctx.files import atomic_write, check_entry, check_folder, write_text
from nas_ctx.runs.network import Network

PICTURES = (".jpeg", ".jpg", ".png")
"""Endings of the files that are taken from a folder of pictures."""
MARK = "predictions.json"
FORMATS = ("png", "npy")

Picture = tuple[str, Callable[[], NDArray[np.uint8]]]
"""A name, and what reads its pixels, uint8 (H, W, 3)."""


def pictures_in(paths: Iterable[str | os.PathLike[str]]) -> list[Picture]:
    """Picture files, and those of folders in the order of their names; each under its name without ending.

    Raises:
        InputError: a path that is missing, a folder without pictures, or two pictures of one name.
    """
    files: dict[str, Path] = {}
    for path in map(Path, paths):
        listed = [path]
        if path.is_dir():
            listed = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
            if not listed:
                raise InputError(f"{path}: expected a run folder, or pictures ({', '.join(PICTURES)}) in it")
        for file in listed:
            if not file.is_file():
                raise InputError(f"{file}: no such picture or folder")
            if file.stem in files:
                raise InputError(f"{file}: has the name of {files[file.stem]}; predict them into two folders")
            files[file.stem] = file
    return [(name, lambda file=file: read_image(file)) for name, file in files.items()]  # type: ignore[misc]


def validation_pictures(network: Network) -> list[Picture]:
    """The validation pictures of the network's data set, under their ids; labels are not read."""
    config = network.config
    dataset = DataModule.from_config(config.data, {}, config.seed).val_set()
    return [(name, lambda index=index: dataset.read(index)["image"]) for index, name in enumerate(dataset.ids)]  # type: ignore[misc]


def write_predictions(
    network: Network,
    pictures: Sequence[Picture],
    folder: str | os.PathLike[str],
    format: str = "png",
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Write ``folder/TASK/NAME.png`` or ``.npy`` for every picture and task, each of the size of its picture.

    Args:
        format: "npy" has the values of :meth:`Network.predict`; "png" what :meth:`nas_ctx.tasks.Task.to_picture` makes
            of them: a class in a palette, millimetres in 16 bits, a probability or a direction in 8.
        progress: wraps the pictures, to show how far it is.

    Raises:
        InputError: an unknown format, a folder with other content, or a picture that cannot be read.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    check_folder(folder, MARK)
    folder = Path(folder)
    for task in network.tasks:
        check_entry(folder / task)
    facts = {"checkpoint": str(network.checkpoint), "tasks": list(network.tasks), "format": format}
    write_text(folder / MARK, json.dumps(facts, indent=1) + "\n")
    for name, read in progress(pictures):
        for task, values in network.predict(read()).items():
            with atomic_write(folder / task / f"{name}.{format}") as temporary:
                if format == "npy":
                    np.save(temporary, values)
                else:
                    network.tasks[task].to_picture(values).save(temporary, format="PNG")
