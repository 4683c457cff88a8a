"""What a run would be: what would refuse it, the data it would read, and what its networks cost.

Nothing is written, fetched or computed: networks are traced on the meta device (:mod:`.estimate`), and one image is
read for the shapes of the labels; without data they follow from the tasks.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nas_ctx.config import Config
from nas_ctx.data import DataModule
from nas_ctx.data.base import Draw
from nas_ctx.errors import InputError
from nas_ctx.models.weights import check_reachable, must_fetch, read_weights
from nas_ctx.plugins import load_plugins
from nas_ctx.runs.admission import refusals
from nas_ctx.runs.checkpoints import newest_whole
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.preview.estimate import Estimator
from nas_ctx.runs.preview.findings import Preview
from nas_ctx.tasks import Task, make_tasks


def preview(config: Config, command: str) -> Preview:
    """What ``nas-ctx search`` or ``nas-ctx train`` (``command``) would do with ``config``.

    Raises:
        InputError: an unknown component, so that there is no network to look at.
    """
    load_plugins(config)
    tasks = make_tasks(config.tasks)
    result = Preview(problems=[str(error) for error in refusals(config, tasks).values()])
    _look_at_weights(result, config)
    try:
        estimator = Estimator(config, tasks, _first_sample(result, config, tasks))
        (estimator.search if command == "search" else estimator.training)(result)
    except InputError:
        raise
    except Exception as error:  # whatever the code of a user does, or asks of tensors without content
        notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
        result.untraceable = f"{type(error).__name__}: {error}{_line_of_users(error)}{notes}"
    return result


def _first_sample(result: Preview, config: Config, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """The first image of the training set with its labels, as training sees it; without data, one of that shape."""
    with result.noted():
        data = DataModule.from_config(config.data, tasks, config.seed)
        train = data.train_set()
        result.images = len(train), len(data.val_set())
        result.odd += data.judge()
        result.eval_sizes = data.eval_sizes()
        return dict(train[Draw(0, 0)])
    size = config.data.image_size
    labels = {name: task.no_label(size) for name, task in tasks.items()}
    return {"image": torch.empty(3, *size), "id": "", **labels}


def _look_at_weights(result: Preview, config: Config) -> None:
    """What the run would resume from; and that the weights it would start from can be read."""
    if config.output is not None:
        checkpoint, _ = newest_whole(RunFolder(config.output).checkpoints)
        result.begins = "new" if checkpoint is None else f"resumes from {checkpoint.name}"
    if config.model.start_from is not None:
        checkpoint, refused = newest_whole(RunFolder(config.model.start_from).checkpoints)
        if checkpoint is None and refused:
            faults = "; ".join(f"{path}: {fault}" for path, fault in refused.items())
            result.problems.append(f"model.start_from: {faults}")
    if config.model.weights is not None:
        with result.noted():
            read_weights(config.model.weights)
    elif config.model.pretrained and must_fetch(config.model.backbone):
        try:  # no reason to refuse it: the run may be done on another machine
            check_reachable(config.model.backbone)
            result.odd.append(
                f"the weights of {config.model.backbone} are not in the cache: the run downloads them first"
            )
        except InputError as error:
            result.odd.append(f"a run would be refused here: {error}")


def _line_of_users(error: Exception) -> str:
    """The innermost line of an error's traceback outside installed packages."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    own = next((f for f in frames if "site-packages" not in Path(f.filename).parts and not _of_torch(f.name)), None)
    return "" if own is None else f" ({own.filename}, line {own.lineno})"


def _of_torch(function: str) -> bool:
    """Whether torch calls a function of that name at every operation, as it does for `measure`."""
    return function in ("__torch_function__", "__torch_dispatch__")
