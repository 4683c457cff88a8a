"""What a table must know of a task, without running code that a run folder names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_ctx.config import Config
from nas_ctx.errors import InputError
from nas_ctx.files import read_json
from nas_ctx.plugins import is_path
from nas_ctx.runs.folder import RunFolder
from nas_ctx.tasks import TASKS, make_tasks


@dataclass(frozen=True)
class Measure:
    """By which metric a task is measured. Shares of one are shown in percent."""

    metric_name: str
    higher_is_better: bool
    share: bool

    @property
    def scale(self) -> float:
        """What scores are multiplied by where they are shown."""
        return 100.0 if self.share else 1.0


def measures(config: Config, folder: Path) -> dict[str, Measure]:
    """The measures of a run's tasks: of registered tasks their own, of custom ones what the run has written down.

    Raises:
        InputError: a custom task that ``environment.json`` does not tell of, as in runs of 0.1.0.
    """
    by_task = {}
    for name, options in config.tasks.items():
        kind = str(options.get("type", name))
        if is_path(kind) or kind not in TASKS:
            by_task[name] = _recorded(folder, name)
        else:
            task = make_tasks({name: options})[name]
            by_task[name] = Measure(task.metric_name, task.higher_is_better, share=task.higher_is_better)
    return by_task


def merged(parts: Iterable[tuple[object, Mapping[str, Measure]]]) -> dict[str, Measure]:
    """Task -> how it is measured, of several (place, measures).

    Raises:
        InputError: two parts measure a task by different metrics; it begins with the place.
    """
    result: dict[str, Measure] = {}
    for place, by_task in parts:
        for name, measure in by_task.items():
            other = result.setdefault(name, measure).metric_name
            if other != measure.metric_name:
                raise InputError(
                    f"{place}: tasks.{name} is measured by {measure.metric_name}, in other runs by {other}"
                )
    return result


def _recorded(folder: Path, name: str) -> Measure:
    path = RunFolder(folder).environment
    try:
        environment: Any = read_json(path)
        record = environment["tasks"][name]
        metric, higher = record["metric"], record["higher_is_better"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        metric = higher = None
    if not isinstance(metric, str) or not isinstance(higher, bool):
        raise InputError(f"{path}: does not tell by what the custom task {name!r} is measured; a table loads no code")
    return Measure(metric, higher, share=higher)
