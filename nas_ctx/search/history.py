"""CSV files with a row per step, such as the history of a search."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from nas_ctx.errors import InputError
from nas_ctx.files import MAX_HISTORY, atomic_write, naming, read_csv, unlinked

if TYPE_CHECKING:
    from nas_ctx.search.choices import Choices

SCHEDULES = ("step", "temperature", "entropy_weight", "mean_entropy")


class StepRows:
    """A CSV file of numbers, a row per step, to which a resumed run appends.

    Args:
        path: the file; overwritten, unless :meth:`open` is told that steps were done before.
        columns: the first is the step.
    """

    def __init__(self, path: str | os.PathLike[str], columns: Sequence[str]) -> None:
        self.path = Path(path)
        self.columns = list(columns)
        self._file: TextIO | None = None

    def open(self, steps_done: int) -> None:
        """Start the file; of a run that is resumed keep the rows of the first ``steps_done`` steps.

        Raises:
            InputError: the file of a resumed run is damaged.
        """
        kept: list[list[str]] = []
        if steps_done and self.path.exists():
            rows = read_csv(self.path, MAX_HISTORY)
            if rows and rows[0] == self.columns:
                complete = [row for row in rows[1:] if len(row) == len(self.columns)]
                kept = [row for row in complete if self._step(row) <= steps_done]
        with atomic_write(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([self.columns, *kept])
        self._file = os.fdopen(unlinked(str(self.path), os.O_WRONLY | os.O_APPEND), "a", newline="", encoding="utf-8")

    def _step(self, row: Sequence[str]) -> int:
        if not re.fullmatch("[0-9]{1,18}", row[0]):
            raise InputError(f"{self.path}: step: {row[0]!r}: expected a whole number; remove the file or this row")
        return int(row[0])

    def add(self, step: int, numbers: Iterable[float]) -> None:
        """Add the row of one step."""
        if self._file is None:
            self.open(step - 1)
        assert self._file is not None
        # Nine significant digits identify a float32.
        with naming(self.path):
            self._file.write(f"{step}," + ",".join(format(number, ".9g") for number in numbers) + "\r\n")

    def flush(self) -> None:
        """Sync the rows to disk: a checkpoint that continues after them is about to be written."""
        if self._file is not None:
            with naming(self.path):
                self._file.flush()
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._file is not None:
            file, self._file = self._file, None
            with naming(self.path), file:  # closed also where the last rows find no room
                file.flush()
                os.fsync(file.fileno())


class HistoryWriter(StepRows):
    """Appends a row per step. :class:`nas_ctx.analysis.SearchHistory` reads the file.

    Columns: ``step`` (steps done); ``temperature`` and ``entropy_weight`` of that step; and after it ``mean_entropy``
    (nats) and, for every choice, ``"<label>=<value>"``, the probability softmax(alpha).

    Args:
        path: the file; overwritten, unless :meth:`open` is told that steps were done before.
        choices: what is searched; gives the columns.
    """

    def __init__(self, path: str | os.PathLike[str], choices: Choices) -> None:
        probabilities = [f"{choice.label}={value}" for choice in choices for value in choice.values]
        super().__init__(path, [*SCHEDULES, *probabilities])

    def append(
        self,
        step: int,
        temperature: float,
        entropy_weight: float,
        mean_entropy: float,
        probabilities: Sequence[Sequence[float]],
    ) -> None:
        """Add the row of one step; ``probabilities`` has a row per choice, with a number per value."""
        self.add(step, (temperature, entropy_weight, mean_entropy, *(p for row in probabilities for p in row)))
