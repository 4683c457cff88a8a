"""Finished training runs, gathered into the rows of a table: one row per network, with a run per seed."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas_ctx.config import PLACES, WAYS, Config, flattened, read_config
from nas_ctx.contexts import CONTEXTS
from nas_ctx.errors import InputError
from nas_ctx.evaluation.measures import Measure, measures, merged
from nas_ctx.genotype import Genotype
from nas_ctx.models import NETWORKS
from nas_ctx.runs.folder import RunFolder


@dataclass(frozen=True)
class Result:
    """One finished training run.

    Attributes:
        scores: its metrics as ``"<task>/<metric>"``; nan where the file has no number.
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

    def setting(self) -> tuple[str, ...]:
        """What single-task runs must share to be compared: the backbone with its weights, and the images."""
        model, data = self.config.model, self.config.data
        weights = (model.weights or model.pretrained, model.image_mean, model.image_std, model.freeze, model.start_from)
        sizes = (data.image_size, data.eval_size, data.limit_train, data.limit_val)
        images = (data.name, data.root, *sizes, data.holdout)
        return tuple(map(str, (model.backbone, model.backbone_options, *weights, *images)))

    def identity(self) -> dict[str, Any]:
        """What distinguishes its network: the configuration without seed and folders, with the blocks' choices.

        Networks of random blocks are one network: what varies is the choice.
        """
        content = flattened(self.config)
        choices = RunFolder(self.folder).genotype
        if choices.exists() and self.config.model.blocks != "random":
            content["model.blocks"] = str(sorted(Genotype.load(choices).items()))
        return {key: value for key, value in content.items() if _distinguishes(key)}

    def description(self) -> str:
        """A name for the network, from its configuration."""
        model = self.config.model
        if model.blocks == "baseline":
            name = "single task" if self.single else model.distillation or "multi-task baseline"
        elif model.blocks in CONTEXTS:
            name = f"{model.blocks} everywhere"
        else:
            name = model.blocks if model.blocks in NETWORKS else Path(model.blocks).stem
        variants = {
            "no self-attention": not model.self_attention,
            "true regions": model.true_regions,
            "scored on held-out training images": self.config.data.holdout > 0,
        }
        return ", ".join([name, *(words for words, present in variants.items() if present)])


@dataclass
class Row:
    """Runs of one network. The single-task row holds runs of every task.

    Attributes:
        name: unique within a table.
    """

    name: str
    results: list[Result] = field(default_factory=list)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of all its runs, in their order."""
        return tuple(dict.fromkeys(task for result in self.results for task in result.tasks))

    @property
    def single(self) -> bool:
        return self.results[0].single

    def by_seed(self, metric: str) -> dict[int, float]:
        """Seed -> value of ``"<task>/<metric>"``, of the runs that have it."""
        return {result.config.seed: result.scores[metric] for result in self.results if metric in result.scores}

    def measures(self) -> dict[str, Measure]:
        """Task -> how it is measured.

        Raises:
            InputError: runs that measure a task by different metrics.
        """
        return merged((run.folder, measures(run.config, run.folder)) for run in self.results)

    def setting(self) -> tuple[str, ...]:
        return self.results[0].setting()

    def order(self) -> tuple[object, ...]:
        """What two runs of one seed must share to see the training images in one order."""
        data = self.results[0].config.data
        return data.name, data.root, data.batch_size, data.limit_train, data.holdout

    def metrics(self) -> list[str]:
        return list(dict.fromkeys(name for result in self.results for name in result.scores if "/" in name))


def read_results(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Result], list[str]]:
    """The finished trainings in run folders, or anywhere below other folders; and a note on each run left out.

    Raises:
        InputError: a missing folder, a folder without a finished training, or a damaged file.
    """
    results: dict[Path, Result] = {}
    notes: list[str] = []
    for path in map(Path, paths):
        if not path.is_dir():
            raise InputError(f"{path}: no such folder, expected a training run or a folder of training runs")
        configs = [path / "config.yaml"] if (path / "config.yaml").exists() else sorted(path.rglob("config.yaml"))
        finished = []
        for folder in (RunFolder(config.parent) for config in configs):
            if folder.history.exists():
                notes.append(f"{folder.path}: is a search, left out")
            elif not folder.finished:
                notes.append(f"{folder.path}: is not finished, left out")
            else:
                finished.append(folder)
        if not finished:
            raise InputError(f"{path}: holds no finished training" + "".join(f"; {note}" for note in notes[-1:]))
        results |= {folder.path.resolve(): _read(folder) for folder in finished}
    return list(results.values()), notes


def _read(folder: RunFolder) -> Result:
    config = read_config(folder.config)
    try:
        scores = {name: math.nan if value is None else float(value) for name, value in folder.read_metrics().items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{folder.metrics}: expected an object of numbers: {error}") from None
    return Result(folder.path, config, scores)


def gather(results: Iterable[Result]) -> list[Row]:
    """One row per network, in the order of the results, single-task rows first.

    Runs whose configurations differ in nothing but the seed make a row. Single-task runs of different tasks share a
    row whatever else differs between them, since each task has its own best learning rate; two configurations of the
    same task make two rows. Rows with the same description are told apart by the keys in which they differ.

    Raises:
        InputError: two runs with the same configuration and seed.
    """
    networks: dict[str, list[Result]] = {}
    for result in results:
        runs = networks.setdefault(repr(sorted(result.identity().items(), key=str)), [])
        twin = next((run for run in runs if run.config.seed == result.config.seed), None)
        if twin is not None:
            raise InputError(f"{result.folder} and {twin.folder}: the same configuration and seed twice")
        runs.append(result)
    rows: list[Row] = []
    for first, *others in networks.values():
        row = next((row for row in rows if first.single and row.single and _joins(first, row)), None)
        if row is None:
            row = Row(first.description())
            rows.append(row)
        row.results += [first, *others]
    _tell_apart(rows)
    return sorted(rows, key=lambda row: not row.single)


def _joins(result: Result, row: Row) -> bool:
    """Whether a single-task run belongs to a single-task row: another task on the same backbone and data."""
    return result.tasks[0] not in row.tasks and result.setting() == row.results[0].setting()


def _distinguishes(key: str) -> bool:
    """Whether networks that differ in this setting are two networks: a training reads no settings of searches."""
    return key not in ("seed", *PLACES, *WAYS) and not key.startswith("search.")


def _tell_apart(rows: list[Row]) -> None:
    """Extend equal names by the keys in which the configurations differ."""
    for name, count in Counter(row.name for row in rows).items():
        if count > 1:
            _extend_names([row for row in rows if row.name == name])


def _extend_names(rows: list[Row]) -> None:
    shared_tasks = set.intersection(*(set(row.tasks) for row in rows))
    contents = [{k: v for result in row.results for k, v in flattened(result.config).items()} for row in rows]
    keys = sorted(
        key
        for key in filter(_distinguishes, {key for content in contents for key in content})
        if not key.startswith("tasks.") or (key.count(".") > 1 and key.split(".")[1] in shared_tasks)
    )
    varying = [key for key in keys if len({repr(content.get(key)) for content in contents}) > 1]
    for row, content in zip(rows, contents, strict=True):
        settings = [f"{key}={content[key]}" for key in varying if key in content]
        row.name += f" ({', '.join(settings)})" if settings else ""
    for name, count in Counter(row.name for row in rows).items():
        for row in rows if count > 1 else ():
            if row.name == name:  # no key tells them apart, the folder does
                row.name += f" ({row.results[0].folder})"
