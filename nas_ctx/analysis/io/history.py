"""The course of a search: the history file of a run, and what it says about when a search had made up its mind."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nas_ctx.analysis.stats.ratings import Floats, Integers
from nas_ctx.errors import InputError
from nas_ctx.files import MAX_HISTORY

_FIRST_COLUMNS = ("step", "temperature", "entropy_weight", "mean_entropy")
_EQUAL = 1e-7  # probabilities that differ by less are the same: they are written with nine digits
_ONE_HOT = 1 - 1e-6  # a probability from here on is that of a decided block


@dataclass(frozen=True)
class SearchHistory:
    """What ``history.csv`` of a run folder holds, one row per logged step.

    ``steps``, ``temperature``, ``entropy_weight`` and ``mean_entropy`` (nats) have shape (n_steps,);
    ``probabilities[block]`` has shape (n_steps, n_choices) and its columns are named by ``choices[block]``.
    """

    steps: Integers
    temperature: Floats
    entropy_weight: Floats
    mean_entropy: Floats
    choices: dict[str, tuple[str, ...]]
    probabilities: dict[str, Floats]

    @classmethod
    def load(cls, path: Path) -> SearchHistory:
        """Read ``history.csv``; :class:`~nas_ctx.errors.InputError` names the file and the column or row at fault."""
        header, values = _read(path)
        columns = _columns(header, path)
        if not len(values):
            raise InputError(f"{path}: no step was logged")
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise InputError(f"{path}: row {row + 2}: {header[column]} is {values[row, column]}, expected a number")
        if (values[:, 0] != values[:, 0].round()).any() or (np.abs(values[:, 0]) > 2**53).any():
            raise InputError(f"{path}: steps are expected to be whole numbers")
        steps = values[:, 0].astype(np.int64)
        if (np.diff(steps) <= 0).any():
            raise InputError(f"{path}: steps do not increase after step {steps[np.argmax(np.diff(steps) <= 0)]}")
        return cls(
            steps=steps,
            temperature=values[:, 1],
            entropy_weight=values[:, 2],
            mean_entropy=values[:, 3],
            choices={block: tuple(choices) for block, choices in columns.items()},
            probabilities={block: values[:, list(choices.values())] for block, choices in columns.items()},
        )

    def leading(self, block: str) -> Integers:
        """(n_steps,): the column of the most probable choice of ``block``; of equal ones the first."""
        return self.probabilities[block].argmax(axis=1)

    def undecided(self, block: str) -> npt.NDArray[np.bool_]:
        """(n_steps,): where the two most probable choices of ``block`` are equally probable."""
        ranked = np.sort(self.probabilities[block], axis=1)
        return ranked[:, -1] - ranked[:, -2] < _EQUAL if ranked.shape[1] > 1 else np.zeros(len(ranked), dtype=bool)

    def decided_at(self, block: str) -> int | None:
        """The step from which on the distribution of ``block`` stayed one-hot, or None when it never did.

        >>> import numpy as np
        >>> p = np.array([[0.5, 0.5], [0.7, 0.3], [1.0, 0.0]])
        >>> zeros = np.zeros(3)
        >>> history = SearchHistory(np.array([0, 10, 20]), zeros, zeros, zeros, {"a/b": ("none", "local")}, {"a/b": p})
        >>> history.decided_at("a/b"), history.settled_at("a/b")
        (20, 0)
        """
        undecided = np.flatnonzero(self.probabilities[block].max(axis=1) < _ONE_HOT)
        return self._step_after(undecided)

    def settled_at(self, block: str) -> int:
        """The step from which on the most probable choice did not change any more."""
        leading = self.leading(block)
        settled = self._step_after(np.flatnonzero(leading != leading[-1]))
        assert settled is not None  # the last step leads with what the last step leads with
        return settled

    def _step_after(self, indices: Integers) -> int | None:
        after = int(indices[-1]) + 1 if len(indices) else 0
        return int(self.steps[after]) if after < len(self.steps) else None

    def at(self, steps: Integers) -> Integers:
        """The rows current at ``steps``: the last logged at or before each, the first before the log began."""
        return np.maximum(np.searchsorted(self.steps, steps, side="right") - 1, 0)


def common_steps(histories: Sequence[SearchHistory], most: int = 120) -> Integers:
    """At most ``most`` steps, evenly spread over all that were logged in any of the ``histories``, ends included."""
    steps = np.unique(np.concatenate([history.steps for history in histories]))
    return steps[np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(np.int64))]


def _read(path: Path) -> tuple[list[str], Floats]:
    """The header, and the numbers of the rows (n_rows, n_columns), row by row: the text of all of them is large."""
    header: list[str] = []
    rows: list[Floats] = []
    try:
        if os.path.getsize(path) > MAX_HISTORY:
            raise InputError(f"{path}: has {os.path.getsize(path)} bytes, of which at most {MAX_HISTORY} are read")
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                if not header:
                    header = row
                elif row and len(row) != len(header):
                    number = len(rows) + 2
                    raise InputError(f"{path}: row {number} has {len(row)} columns but the header has {len(header)}")
                elif row:
                    rows.append(np.array(row, dtype=np.float64))
    except InputError:
        raise
    except ValueError as error:
        reason = "not in UTF-8" if isinstance(error, UnicodeDecodeError) else f"row {len(rows) + 2}: {error}"
        raise InputError(f"{path}: {reason}") from None
    except (OSError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return header, np.stack(rows) if rows else np.empty((0, len(header)))


def _columns(header: list[str], path: Path) -> dict[str, dict[str, int]]:
    """Block -> choice -> number of its column."""
    if tuple(header[:4]) != _FIRST_COLUMNS:
        raise InputError(f"{path}: the first columns are {header[:4]}, expected {list(_FIRST_COLUMNS)}")
    columns: dict[str, dict[str, int]] = {}
    for number, name in enumerate(header[4:], start=4):
        block, equals, choice = name.rpartition("=")
        if not equals or choice in columns.setdefault(block, {}):
            raise InputError(f"{path}: column {name!r} is not '<block>=<choice>', or appears twice")
        columns[block][choice] = number
    return columns
