"""From the ``tasks`` section of a configuration to task objects."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import ModuleDict
from torchmetrics import Metric

from nas_ctx.errors import InputError, suggestion
from nas_ctx.labels import BATCH_KEYS
from nas_ctx.plugins import is_path
from nas_ctx.plugins.returned import check_shape, described
from nas_ctx.tasks.base import TASKS, Task
from nas_ctx.tasks.options import text as option_text


def make_tasks(mapping: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Task]:
    """Tasks by name, in the order given, each created with its options; ``None`` means no options.

    The option ``type`` gives the task's registered name, or the path of a custom one, where that differs from its name;
    ``labels`` the folder of its label files in the data set, where it has others than those of its name.

    Raises:
        InputError: unknown task, unknown option, or a value that the task refuses.

    >>> from nas_ctx.tasks import make_tasks
    >>> tasks = make_tasks({"semseg": {"classes": 8}, "depth": None})
    >>> [(name, task.channels) for name, task in tasks.items()]
    [('semseg', 8), ('depth', 1)]
    >>> make_tasks({"semseg": {"clases": 8}})
    Traceback (most recent call last):
    nas_ctx.errors.InputError: tasks.semseg.clases: unknown option; known: classes, weight; did you mean 'classes'?
    """
    return {name: make_task(name, options or {}) for name, options in mapping.items()}


def make_task(name: str, options: Mapping[str, Any]) -> Task:
    """One registered task, created with its options."""
    if is_path(name):
        raise InputError(f"tasks.{name}: a task needs a name: write `{_name_of(name)}: {{type: {name!r}}}`")
    if reason := _refusal(name):
        raise InputError(f"tasks.{name}: a task cannot be called {name!r}: {reason}; rename it and give its `type`")
    if not isinstance(options, Mapping):
        raise InputError(f"tasks.{name}: {options!r}, expected a mapping of options")
    options = dict(options)
    key = f"tasks.{name}.type" if "type" in options else "tasks"
    kind = TASKS.resolve(str(options.pop("type", name)), key)
    labels = option_text(name, "labels", options.pop("labels")) if "labels" in options else None
    known = sorted(inspect.signature(kind).parameters)
    for key in options:
        if key not in known:
            raise InputError(
                f"tasks.{name}.{key}: unknown option; known: {', '.join(known) or 'none'}{suggestion(key, known)}"
            )
    task = kind(**options)
    task.labels = labels
    return task


def check_task(name: str, task: Task, size: tuple[int, int]) -> None:
    """Refuse a task that lacks an attribute or a metric, or whose predictions are not of the size of its logits.

    Its losses are looked at in the first step, see :func:`nas_ctx.training.task_losses`.

    Args:
        size: height and width of an image.
    """
    who = f"tasks.{name}: {type(task).__name__}"
    for key in ("metric_name", "higher_is_better", "weight", "channels", "regions"):
        if not hasattr(task, key):
            raise InputError(f"{who}: has no {key}: set self.{key} in __init__; nas_ctx.testing.check_task checks it")
    metric = task.metric()
    if not isinstance(metric, Metric):
        raise InputError(f"{who}.metric: returned {described(metric)}, expected a torchmetrics.Metric")
    prediction = task.predict(torch.zeros(1, task.channels, *size))
    shape = tuple(getattr(prediction, "shape", ()))
    # Labels of classes have no channels, save where they are stored as numbers; of a quantity only the task knows them.
    flat = bool(task.label_classes) and task.to_tensor(np.zeros(size, np.float32)).ndim == 2
    channels = shape[1:2] if len(shape) == 4 and not flat else ()
    check_shape(prediction, (1, *channels, *size), f"{who}.predict", "check_task")


def _refusal(name: str) -> str | None:
    """Why a task cannot have a name; None where it can."""
    if name in BATCH_KEYS:
        return "a batch has another entry of that name"
    if name == "loss":
        return "it is the total loss in scores and logs"
    if "/" in name:
        return "blocks are labelled <target>/<source>"
    if not name or "." in name or hasattr(ModuleDict(), name):
        return "torch.nn.ModuleDict, which holds a network's modules by task, refuses it"
    return None


def _name_of(path: str) -> str:
    """``my_tasks:SkyLine`` as the name of a task: ``sky_line``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", path.rpartition(":")[2]).lower()
