"""Contact sheets of data sets: one row per sample, one column for the image and for each label."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nas_ctx.data.base import DenseDataset
from nas_ctx.errors import InputError
from nas_ctx.files import atomic_write

if TYPE_CHECKING:
    from nas_ctx.tasks import Task

TILE = 176  # height of a tile, pixels
GAP, HEAD, CAPTION = 6, 22, 16  # between tiles; above all rows, the titles of the columns; above each row
KEY = (40, 17)  # width and height of a colour with its number
PAPER, INK = (250, 249, 246), (60, 60, 60)


def contact_sheet(dataset: DenseDataset, tasks: Mapping[str, Task], rows: int) -> NDArray[np.uint8]:
    """``rows`` samples, evenly spread over the data set, as one image: uint8 (H, W, 3)."""
    samples = [dataset.read(index) for index in spread(rows, len(dataset))]
    pictures = [
        (sample["id"], [sample["image"], *(draw_label(task, sample[name]) for name, task in tasks.items())])
        for sample in samples
    ]
    return tile_sheet(("image", *tasks), pictures, tasks)


def spread(count: int, total: int) -> list[int]:
    """At most ``count`` indices, evenly spread over 0..total-1.

    >>> spread(3, 9), spread(5, 2)
    ([0, 4, 8], [0, 1])
    """
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int)).tolist()


def tile_sheet(
    titles: Sequence[str],
    rows: Sequence[tuple[str, Sequence[NDArray[np.uint8] | None]]],
    tasks: Mapping[str, Task] = MappingProxyType({}),
) -> NDArray[np.uint8]:
    """A table of images as one image, uint8 (H, W, 3), with a title above each column and a caption above each row.

    Args:
        titles: of the columns.
        rows: caption and images, each uint8 (h, w, 3) of any size; None leaves a cell empty.
        tasks: below the rows, the colours and numbers of the classes of those that have several.
    """
    width = max(round(TILE * tile.shape[1] / tile.shape[0]) for _, tiles in rows for tile in tiles if tile is not None)
    across, down = GAP + (width + GAP) * len(titles), HEAD + (CAPTION + TILE + GAP) * len(rows) + GAP
    keys = [(name, task) for name, task in tasks.items() if task.label_classes > 2]
    columns = max(1, (across - 2 * GAP) // KEY[0])
    heights = [CAPTION + KEY[1] * -(-task.label_classes // columns) + GAP for _, task in keys]
    sheet = Image.new("RGB", (across, down + sum(heights)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for (name, task), height in zip(keys, heights, strict=True):
        _draw_classes(pen, down, f"{name}: classes", task, columns)
        down += height
    for column, title in enumerate(titles):
        pen.text((GAP + column * (width + GAP), 6), title, fill=INK)
    for row, (caption, tiles) in enumerate(rows):
        top = HEAD + row * (CAPTION + TILE + GAP) + CAPTION
        pen.text((GAP, top - CAPTION + 2), caption, fill=INK)
        for column, tile in enumerate(tiles):
            if tile is not None:
                sheet.paste(_fit(tile, width), (GAP + column * (width + GAP), top))
    return np.asarray(sheet)


def _draw_classes(pen: ImageDraw.ImageDraw, top: int, title: str, task: Task, columns: int) -> None:
    """The colour of every class of a task, with its number."""
    pen.text((GAP, top), title, fill=INK)
    for number, colour in enumerate(task.render(np.arange(task.label_classes)[None])[0].tolist()):
        x, y = GAP + KEY[0] * (number % columns), top + CAPTION + KEY[1] * (number // columns)
        pen.rectangle((x, y + 2, x + 13, y + 13), fill=tuple(colour))
        pen.text((x + 17, y + 2), str(number), fill=INK)


def draw_label(task: Task, label: NDArray[Any] | None) -> NDArray[np.uint8] | None:
    """A label as read, (H, W) or (H, W, 3), as an image; None where there is none."""
    return None if label is None else task.render(task.mark_ignore(label))


def _fit(tile: NDArray[np.uint8], width: int) -> Image.Image:
    height = tile.shape[0]
    size = (min(width, max(1, round(TILE * tile.shape[1] / height))), TILE)
    # Nearest when enlarging, so that labels can be judged pixel by pixel; averages when reducing.
    how = Image.Resampling.NEAREST if height < TILE else Image.Resampling.BOX
    return Image.fromarray(tile).resize(size, how)


def write_sheet(dataset: DenseDataset, tasks: Mapping[str, Task], rows: int, path: str | os.PathLike[str]) -> None:
    """Write :func:`contact_sheet` as a PNG file."""
    if rows < 1:
        raise InputError(f"rows: {rows}, expected at least 1")
    write_png(contact_sheet(dataset, tasks, rows), path)


def write_png(picture: NDArray[np.uint8], path: str | os.PathLike[str]) -> None:
    """Write an image, uint8 (H, W, 3), as a PNG file, whatever its suffix."""
    with atomic_write(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
