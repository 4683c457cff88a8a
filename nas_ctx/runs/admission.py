"""Admission of a run: everything in files and folders that would refuse it, checked without writing anything.

The run, its dry run and its command ask the same function. It loads neither torch nor NNI, so that a command answers at
once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from nas_ctx.config import Config, DataConfig
from nas_ctx.data import DATASETS
from nas_ctx.errors import InputError, unknown_name
from nas_ctx.labels import TASK_NAMES
from nas_ctx.plugins import is_path, load_plugins
from nas_ctx.plugins.registry import entry_points
from nas_ctx.runs.checkpoints import checkpoints_in
from nas_ctx.runs.folder import RunFolder

if TYPE_CHECKING:
    from nas_ctx.tasks import Task


def refusals(config: Config, tasks: Mapping[str, Task] = MappingProxyType({})) -> dict[str, InputError]:
    """Why a run of ``config`` would be refused: section or key -> error.

    Args:
        tasks: those whose labels the data must have.

    Raises:
        InputError: a plugin cannot be loaded.
    """
    load_plugins(config)
    checks: dict[str, Callable[[], object]] = {
        "tasks": partial(_check_tasks, config, tasks),
        "data": partial(_check_data, config.data, tasks),
        "model.start_from": partial(_check_start, config.model.start_from),
        "training.cache_features": partial(_check_cache, config),
        "output": lambda: RunFolder.of(config).admit(config),
    }
    refused = {}
    for key, check in checks.items():
        try:
            check()
        except InputError as error:
            refused[key] = error
    return refused


def admit(config: Config) -> None:
    """Raise the first of the :func:`refusals`, if there is one."""
    for error in refusals(config).values():
        raise error


def check_task_names(config: Config) -> None:
    """Raise :class:`InputError` where a task is none, without loading torch; plugins have been loaded."""
    loaded = sys.modules.get("nas_ctx.tasks")
    known = loaded.TASKS.known() if loaded else sorted({*TASK_NAMES, *entry_points("nas_ctx.tasks")})
    for name, options in config.tasks.items():
        kind = str(options.get("type", name))
        if kind not in known and not is_path(kind) and "." not in kind:
            raise InputError(
                f"tasks{f'.{name}.type' if 'type' in options else ''}: {unknown_name('task', kind, known)}"
            )


def _check_tasks(config: Config, tasks: Mapping[str, Task]) -> None:
    check_task_names(config)
    for name, task in tasks.items():
        from nas_ctx.tasks.make import check_task  # tasks are made: torch is loaded

        check_task(name, task, config.data.image_size)


def _check_data(data: DataConfig, tasks: Mapping[str, Task]) -> None:
    layout = DATASETS.resolve(data.name, "data.name")
    if not Path(data.root).exists():
        raise InputError(f"data.root: {data.root}: no such folder")
    for split in ("train", "val"):
        layout(data.root, split, tasks)


def _check_start(run: str | None) -> None:
    if run is not None and not checkpoints_in(RunFolder(run).checkpoints):
        raise InputError(f"model.start_from: {run}: holds no checkpoint to start from")


def _check_cache(config: Config) -> None:
    """Features can be kept where an image has the same in every step: nothing else may change image or backbone."""
    needed = {"model.freeze": (config.model.freeze, "all"), "data.augment": (config.data.augment, False)}
    for key, (value, wanted) in needed.items() if config.training.cache_features else ():
        if value != wanted:
            raise InputError(f"training.cache_features: true: needs {key}: {str(wanted).lower()}, got {value!r}")
