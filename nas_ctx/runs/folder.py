"""The folder of a run: its configuration, its environment, and its results."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_ctx.config import Config, differences, read_config, to_yaml
from nas_ctx.errors import InputError
from nas_ctx.files import atomic_write, check_entry, read_csv, read_json, sync, write_text
from nas_ctx.runs.checkpoints import checkpoints_in
from nas_ctx.runs.environment import environment
from nas_ctx.runs.lock import NAME as LOCK
from nas_ctx.runs.lock import locked

if TYPE_CHECKING:
    from nas_ctx.models.weights import WeightsFile
    from nas_ctx.tasks import Task

WRITTEN = (
    LOCK, "checkpoints", "config.yaml", "details.json", "environment.json", "genotype.json", "history.csv",
    "losses.csv", "metrics.json", "run.log", "tensorboard", "validation.csv",
)  # fmt: skip
"""What a run writes into its folder."""


class RunFolder:
    """The files of a run: their names, and how they are written, atomically.

    Args:
        path: the folder; made when :meth:`begin` is called.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._identity: tuple[int, int] | None = None
        self.config = self.path / "config.yaml"
        self.genotype = self.path / "genotype.json"
        self.history = self.path / "history.csv"
        self.metrics = self.path / "metrics.json"
        self.details = self.path / "details.json"
        self.environment = self.path / "environment.json"
        self.checkpoints = self.path / "checkpoints"

    @property
    def finished(self) -> bool:
        """Whether the run has ended: its metrics are written last. A file that is cut off does not count."""
        try:
            return self.metrics.exists() and bool(read_json(self.metrics))
        except InputError:
            return False

    @classmethod
    def of(cls, config: Config) -> RunFolder:
        """The folder that a configuration names."""
        if config.output is None:
            raise InputError("output: missing: expected the run folder, in the configuration or by --out")
        return cls(config.output)

    def admit(self, config: Config) -> None:
        """Refuse a run of ``config`` where the folder cannot take it, or holds it finished; nothing is written."""
        self.check(config)
        if self.finished:
            raise InputError(f"output: {self.path}: holds a finished run; name another folder or remove it")

    def check(self, config: Config) -> None:
        """Refuse a run of ``config``, new or resumed, where the folder cannot take it; nothing is written.

        Raises:
            InputError: the folder holds a run of another configuration that has got somewhere, or other files.
        """
        self._check_entries()
        if self.config.exists():
            different = differences(read_config(self.config), config)
            # A run that was refused before its first step left nothing to keep: the corrected one takes its place.
            if different and (self.finished or checkpoints_in(self.checkpoints) or self.rows(self.history.name)):
                raise InputError(
                    f"output: {self.path}: holds a run of another configuration "
                    f"({', '.join(different)} differ); name another folder or remove it"
                )

    def _check_entries(self) -> None:
        """Refuse a file, a folder with other content, and links, pipes and the like where a run writes."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise InputError(f"output: {self.path}: is a file, expected a folder or a new name")
        for name in WRITTEN:
            check_entry(self.path / name)
        if not self.config.exists() and not all(map(_is_ours, self.path.iterdir())):
            raise InputError(f"output: {self.path}: is not empty and holds no run; name another folder")

    def begin(
        self, config: Config, command: str, tasks: Mapping[str, Task], weights: WeightsFile | None = None
    ) -> None:
        """Prepare the folder for a run of ``config``, new or resumed; ``weights`` are those of its backbone.

        Raises:
            InputError: as :meth:`admit`, or the folder cannot be written to.
        """
        self.admit(config)
        facts = environment(config.seed, command, tasks, weights)
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            for folder in (self.path.parent, self.path, self.checkpoints):
                sync(folder)
            for left_over in [*filter(_is_temporary, self.path.iterdir()), *self.checkpoints.glob("*.part")]:
                left_over.unlink()
            write_text(self.config, to_yaml(config))
            write_text(self.environment, json.dumps(facts, indent=1) + "\n")
        except OSError as error:
            raise InputError(f"output: {self.path}: {error.strerror}") from None

    def write_metrics(self, metrics: Mapping[str, float | None]) -> None:
        """Write the final metrics, which marks the run as finished."""
        self.check_there()
        write_text(self.metrics, json.dumps(dict(metrics), indent=1) + "\n")

    def write_details(self, details: Mapping[str, Mapping[str, Any]]) -> None:
        """Write what the metrics of the tasks say beside their scores; nothing where they say nothing."""
        if details:
            self.check_there()
            write_text(self.details, json.dumps(dict(details)) + "\n")

    def read_metrics(self) -> dict[str, float]:
        """The final metrics of a finished run."""
        content = read_json(self.metrics)
        if not isinstance(content, dict) or not all(isinstance(v, int | float | None) for v in content.values()):
            raise InputError(f"{self.metrics}: expected an object of names and numbers")
        return content

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep other runs out of it while the block runs.

        Raises:
            InputError: another run is at work in it, or it cannot be made or written to.
        """
        self._check_entries()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"output: {self.path}: {error.strerror}") from None
        with locked(self.path):
            facts = self.path.stat()
            self._identity = facts.st_dev, facts.st_ino
            yield

    def check_there(self) -> None:
        """Refuse to write where the folder that is :meth:`held` was removed, or replaced by another."""
        try:
            facts = self.path.stat()
        except OSError as error:
            raise InputError(f"output: {self.path}: {error.strerror}: was removed while the run was at work") from None
        if self._identity not in (None, (facts.st_dev, facts.st_ino)):
            raise InputError(f"output: {self.path}: another folder has taken its place while the run was at work")

    def put_row(self, name: str, row: Mapping[str, Any]) -> None:
        """Append the row of ``row["step"]`` to a CSV file of the folder, atomically.

        Rows of that step and later ones, left by a run that got further before it was resumed, are removed.
        """
        self.check_there()
        kept = [old for old in self.rows(name) if int(old["step"]) < int(row["step"])]
        unknown = next((column for old in kept for column in old if column not in row), None)
        if unknown is not None:
            raise InputError(f"{self.path / name}: column {unknown!r}: expected only {', '.join(row)}")
        with atomic_write(self.path / name) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerows([*kept, row])

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV file that :meth:`put_row` wrote, none where it is missing."""
        path = self.path / name
        if not path.exists():
            return []
        head, *lines = read_csv(path) or [[]]
        rows = [dict(zip(head, line, strict=False)) for line in lines if line]
        for number, row in enumerate(rows, start=2):
            if not re.fullmatch(r"[0-9]{1,18}", row.get("step", "")):
                raise InputError(f"{path}: row {number}: step: {row.get('step')!r}: expected a whole number")
        return rows


def _is_ours(entry: Path) -> bool:
    """Whether a run that was killed before it wrote its configuration may have left an entry of a folder."""
    if entry.is_dir():
        return entry.name == "checkpoints" and not any(entry.iterdir())
    return entry.name == LOCK or _is_temporary(entry)


def _is_temporary(entry: Path) -> bool:
    """Whether a file is the temporary one of an atomic write that was interrupted."""
    names = "config|details|environment|genotype|history|losses|metrics|validation"
    return re.fullmatch(rf"\.({names})-[0-9a-f]{{8}}\.\w+", entry.name) is not None
