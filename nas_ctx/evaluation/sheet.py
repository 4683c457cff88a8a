"""The predictions of a network beside the ground truth, as one picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_ctx.data.loading import collate
from nas_ctx.data.show import spread, tile_sheet
from nas_ctx.data.transforms import MEAN, STD
from nas_ctx.errors import InputError
from nas_ctx.runs.network import map_of
from nas_ctx.runs.trained import Trained
from nas_ctx.training.module import outputs_of


@torch.no_grad()
def prediction_sheet(runs: Trained | Mapping[str, Trained], images: int) -> NDArray[np.uint8]:
    """Rows per validation image: the image and the predictions of each run, below them the truth; uint8 (H, W, 3).

    The images are spread evenly over the validation set and shown as the network sees them, padding included.

    Args:
        runs: a trained network, or several by name; the place of a task that a run does not predict stays empty.
        images: how many.

    Raises:
        InputError: no image is asked for, or the runs have other validation images.
    """
    if images < 1:
        raise InputError(f"images: {images}, expected at least 1")
    named = {"prediction": runs} if isinstance(runs, Trained) else dict(runs)
    datasets = {name: run.data.val_set() for name, run in named.items()}
    first, *others = datasets
    for other in others:
        if datasets[other].ids != datasets[first].ids:
            raise InputError(f"{other}: its validation images are not those of {first}")
    tasks = {name: task for run in named.values() for name, task in run.tasks.items()}
    rows: list[tuple[str, list[NDArray[np.uint8] | None]]] = []
    for index in spread(images, len(datasets[first])):
        truth: dict[str, NDArray[np.uint8]] = {}
        for name, run in named.items():
            batch = collate([datasets[name][index]])
            logits = outputs_of(run.model, batch)["final"]
            predictions = {key: task.render(map_of(task.predict(logits[key]))) for key, task in run.tasks.items()}
            picture = None if truth else _image(batch["image"])
            rows.append((f"{batch['id'][0]}: {name}", [picture, *map(predictions.get, tasks)]))
            labelled = {key: task for key, task in run.tasks.items() if key not in batch["unlabelled"]}
            truth |= {key: task.render(map_of(batch[key])) for key, task in labelled.items()}
        rows.append((f"{batch['id'][0]}: truth", [None, *map(truth.get, tasks)]))
    return tile_sheet(("image", *tasks), rows, tasks)


def _image(standardised: Tensor) -> NDArray[np.uint8]:
    picture = standardised[0].movedim(0, -1).numpy() * STD + MEAN
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)
