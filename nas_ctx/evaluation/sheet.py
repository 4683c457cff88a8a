"""The predictions of a network beside the ground truth, as one picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_ctx.data.loading import collate
from nas_ctx.data.show import spread, tile_sheet
from nas_ctx.data.transforms import MEAN, STD
from nas_ctx.errors import InputError
from nas_ctx.runs.trained import Trained
from nas_ctx.training.module import outputs_of


@torch.no_grad()
def prediction_sheet(trained: Trained, images: int) -> NDArray[np.uint8]:
    """Two rows per validation image: the image and the predictions, below them the truth; uint8 (H, W, 3).

    The images are spread evenly over the validation set and shown as the network sees them, padding included.
    """
    if images < 1:
        raise InputError(f"images: {images}, expected at least 1")
    dataset = trained.data.val_set()
    rows: list[tuple[str, list[NDArray[np.uint8] | None]]] = []
    for index in spread(images, len(dataset)):
        batch = collate([dataset[index]])
        logits = outputs_of(trained.model, batch)["final"]
        predictions = [task.render(_first(task.predict(logits[name]))) for name, task in trained.tasks.items()]
        truth = [task.render(_first(batch[name])) for name, task in trained.tasks.items()]
        rows.append((f"{batch['id'][0]}: prediction", [_image(batch["image"]), *predictions]))
        rows.append((f"{batch['id'][0]}: truth", [None, *truth]))
    return tile_sheet(("image", *trained.tasks), rows)


def _first(maps: Tensor) -> NDArray[Any]:
    """The first of (B, H, W), (B, 1, H, W) or (B, 3, H, W) as (H, W) or (H, W, 3)."""
    first = maps[0]
    if first.ndim == 3:
        first = first[0] if len(first) == 1 else first.movedim(0, -1)
    return first.numpy()


def _image(standardised: Tensor) -> NDArray[np.uint8]:
    picture = standardised[0].movedim(0, -1).numpy() * STD + MEAN
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)
