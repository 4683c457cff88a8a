"""A contact sheet of a data set: a row per sample, a column for the picture and for each label."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nas_ctx.data.base import DenseDataset
from nas_ctx.errors import InputError
from nas_ctx.files import written_whole

if TYPE_CHECKING:
    from nas_ctx.tasks import Task

TILE = 176  # height of a tile, pixels
GAP, HEAD = 6, 22
PAPER, INK = (250, 249, 246), (60, 60, 60)


def contact_sheet(dataset: DenseDataset, tasks: Mapping[str, Task], rows: int) -> NDArray[np.uint8]:
    """``rows`` samples, evenly spread over the data set, as one picture: uint8 (H, W, 3)."""
    count = min(rows, len(dataset))
    chosen = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(int))
    samples = [dataset.read(int(index)) for index in chosen]
    width = max(round(TILE * sample["image"].shape[1] / sample["image"].shape[0]) for sample in samples)
    titles = ("image", *tasks)
    sheet = Image.new("RGB", (GAP + (width + GAP) * len(titles), HEAD + (TILE + GAP + 16) * len(samples) + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        pen.text((GAP + column * (width + GAP), 6), title, fill=INK)
    for row, sample in enumerate(samples):
        top = HEAD + row * (TILE + GAP + 16)
        pen.text((GAP, top + TILE + 1), sample["id"], fill=INK)
        for column, title in enumerate(titles):
            tile = sample["image"] if title == "image" else draw_label(tasks[title], sample[title])
            sheet.paste(_fit(tile, width), (GAP + column * (width + GAP), top))
    return np.asarray(sheet)


def draw_label(task: Task, label: NDArray[Any]) -> NDArray[np.uint8]:
    """A label as it was read, (H, W) or (H, W, 3), as a picture."""
    return task.render(task.mark_ignore(label))


def _fit(tile: NDArray[np.uint8], width: int) -> Image.Image:
    height = tile.shape[0]
    size = (min(width, max(1, round(TILE * tile.shape[1] / height))), TILE)
    # Enlarged pixels stay sharp, so that labels can be judged pixel by pixel; reduced ones are averaged.
    how = Image.Resampling.NEAREST if height < TILE else Image.Resampling.BOX
    return Image.fromarray(tile).resize(size, how)


def write_sheet(dataset: DenseDataset, tasks: Mapping[str, Task], rows: int, path: str | os.PathLike[str]) -> None:
    """Write :func:`contact_sheet` as a PNG file."""
    if rows < 1:
        raise InputError(f"rows: {rows}, expected at least 1")
    with written_whole(path) as temporary:
        Image.fromarray(contact_sheet(dataset, tasks, rows)).save(temporary, format="PNG")
