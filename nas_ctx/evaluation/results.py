"""Finished training runs, gathered into the rows of a table: one row per network, its runs differing in their seed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas_ctx.config import PLACES, Config, flattened, read_config
from nas_ctx.contexts import CONTEXTS
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.models import NETWORKS
from nas_ctx.runs.folder import RunFolder


@dataclass(frozen=True)
class Result:
    """One finished training run.

    Attributes:
        scores: its metrics as ``"<task>/<metric>"``; what was not a number is nan.
    """

    folder: Path
    config: Config
    scores: dict[str, float]

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.config.tasks)

    @property
    def single(self) -> bool:
        """Whether it is a single-task baseline."""
        return len(self.tasks) == 1 and self.config.model.blocks == "baseline"

    def identity(self) -> dict[str, Any]:
        """What makes it the network it is: its configuration without seed and output, the blocks by their choices.

        Networks of random blocks are one: what is measured is the choosing.
        """
        content = flattened(self.config)
        choices = RunFolder(self.folder).genotype
        if choices.exists() and self.config.model.blocks != "random":
            content["model.blocks"] = str(sorted(Genotype.load(choices).items()))
        return {key: value for key, value in content.items() if key not in ("seed", *PLACES)}

    def description(self) -> str:
        """A name for the network, from its configuration."""
        model = self.config.model
        if self.single:
            words = "single task"
        elif model.blocks in NETWORKS:
            words = "multi-task baseline" if model.blocks == "baseline" else model.blocks
        else:
            words = f"{model.blocks} everywhere" if model.blocks in CONTEXTS else Path(model.blocks).stem
        return (
            words
            + (", no self-attention" if not model.self_attention else "")
            + (", true regions" if model.true_regions else "")
        )


@dataclass
class Row:
    """Runs of one network. The single-task row holds runs of every task.

    Attributes:
        name: unique in a table.
    """

    name: str
    results: list[Result] = field(default_factory=list)

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks of its runs, in their order."""
        return tuple(dict.fromkeys(task for result in self.results for task in result.tasks))

    @property
    def single(self) -> bool:
        return self.results[0].single

    def by_seed(self, metric: str) -> dict[int, float]:
        """Seed -> value of ``"<task>/<metric>"``, of the runs that have it."""
        return {result.config.seed: result.scores[metric] for result in self.results if metric in result.scores}

    def metrics(self) -> list[str]:
        return list(dict.fromkeys(name for result in self.results for name in result.scores if "/" in name))


def read_results(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Result], list[str]]:
    """The finished trainings in run folders, or anywhere below other folders; and a line about each that was left out.

    Raises:
        InputError: no such folder, a folder without any finished training, or a damaged file.
    """
    found: dict[Path, Result] = {}
    notes: list[str] = []
    for path in map(Path, paths):
        if not path.is_dir():
            raise InputError(f"{path}: no such folder, expected a training run or a folder of such")
        configs = [path / "config.yaml"] if (path / "config.yaml").exists() else sorted(path.rglob("config.yaml"))
        before = len(found)
        for folder in (RunFolder(config.parent) for config in configs):
            if folder.history.exists():
                notes.append(f"{folder.path}: is a search, left out")
            elif not folder.finished:
                notes.append(f"{folder.path}: is not finished, left out")
            else:
                found[folder.path.resolve()] = _read(folder)
        if len(found) == before and not any(config.parent.resolve() in found for config in configs):
            raise InputError(f"{path}: holds no finished training" + "".join(f"; {note}" for note in notes[-1:]))
    return list(found.values()), notes


def _read(folder: RunFolder) -> Result:
    config = read_config(folder.config)
    try:
        scores = {name: math.nan if value is None else float(value) for name, value in folder.read_metrics().items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{folder.metrics}: expected an object of numbers: {error}") from None
    return Result(folder.path, config, scores)


def gather(results: Iterable[Result]) -> list[Row]:
    """One row per network, in the order in which they come, single-task rows first.

    Runs of equal configuration, seeds aside, make a row. Single-task runs of different tasks are put into one row,
    whatever else differs between them, since each task has its own best learning rate; two configurations of the same
    task make two rows. Rows of the same description are told apart by the keys in which they differ.

    Raises:
        InputError: a configuration and seed that stand twice.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        group = groups.setdefault(repr(sorted(result.identity().items(), key=str)), [])
        for other in group:
            if other.config.seed == result.config.seed:
                raise InputError(f"{result.folder} and {other.folder}: the same configuration and seed twice")
        group.append(result)
    rows: list[Row] = []
    for group in groups.values():
        first = group[0]
        home = next((row for row in rows if first.single and row.single and _joins(first, row)), None)
        if home is None:
            rows.append(Row(first.description(), group))
        else:
            home.results += group
    _tell_apart(rows)
    return sorted(rows, key=lambda row: not row.single)


def _joins(result: Result, row: Row) -> bool:
    """Whether a single-task run belongs to a single-task row: another task on the same backbone and data."""
    ours, theirs = (r.config for r in (result, row.results[0]))
    return (
        result.tasks[0] not in row.tasks
        and (ours.model.backbone, ours.data.root) == (theirs.model.backbone, theirs.data.root)
    )  # fmt: skip


def _tell_apart(rows: list[Row]) -> None:
    """Add to equal names what their configurations differ in."""
    for name in {row.name for row in rows}:
        alike = [row for row in rows if row.name == name]
        shared = set.intersection(*(set(row.tasks) for row in alike))
        contents = [{k: v for r in row.results for k, v in flattened(r.config).items()} for row in alike]
        keys = sorted(
            key
            for key in {key for content in contents for key in content} - {"seed", *PLACES}
            if not key.startswith("tasks.") or (key.count(".") > 1 and key.split(".")[1] in shared)
        )
        varying = [key for key in keys if len({repr(content.get(key)) for content in contents}) > 1]
        for row, content in zip(alike, contents, strict=True):
            own = [f"{key}={content[key]}" for key in varying if key in content]
            row.name = f"{name} ({', '.join(own)})" if own else name
        for row in alike:  # what no key tells apart, the folder does
            if [other.name for other in alike].count(row.name) > 1:
                row.name = f"{row.name} ({row.results[0].folder})"
