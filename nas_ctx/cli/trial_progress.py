"""The progress of an experiment's trials: a table that is redrawn on a terminal, a line per event elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_ctx.escaping import visible

if TYPE_CHECKING:
    from nas_ctx.experiment.launch import Experiment, Trial

COLUMNS = ("trial", "parameters", "state", "step", "result", "blocks decided", "time left")


class TrialProgress:
    """Shows what it is called with, each time that it has changed."""

    def __init__(self) -> None:
        self.folder: Path | None = None  # the record of the experiment, once it has started
        self._experiment: str | None = None
        self._shown: dict[str, tuple[str, ...]] = {}
        self._height = 0
        # Per trial: when the first step was seen and when the last one, and which ones.
        self._seen: dict[str, list[tuple[float, float]]] = {}

    def __call__(self, experiment: Experiment, trials: list[Trial]) -> None:
        """Show the state of ``trials``."""
        on_terminal = sys.stdout.isatty()
        if self._experiment != experiment.id:  # also where the first start failed
            # A log must not contain the token.
            page = experiment.page if on_terminal else f"{experiment.url}, password in {experiment.netrc}"
            print(f"experiment {experiment.id} on {page} (this machine only)", flush=True)
            self._experiment, self._shown, self._height = experiment.id, {}, 0
            self.folder = experiment.folder
        rows = {trial.id: tuple(map(visible, self._row(trial))) for trial in trials}
        if rows != self._shown:
            changed = [row for name, row in rows.items() if row != self._shown.get(name)]
            print(self._table([*rows.values()]) if on_terminal else "\n".join(map(_event, changed)), flush=True)
        self._shown = rows

    def _row(self, trial: Trial) -> tuple[str, ...]:
        parameters = ", ".join(f"{key.split('.')[-1]} {value}" for key, value in trial.parameters.items())
        step, steps = _number(trial, "step"), _number(trial, "steps")
        running = trial.status == "RUNNING"
        return (
            str(trial.number),
            parameters,
            trial.status.lower(),
            "" if step is None else f"{step:.0f}" + (f" of {steps:.0f}" if steps else ""),
            "" if (result := _number(trial, "default")) is None else f"{result:.3g}",
            "" if (decided := _number(trial, "blocks_decided")) is None else f"{decided:.0f}",
            self._left(trial.id, step, steps) if running and step and steps else "",
        )

    def _left(self, trial: str, step: float, steps: float) -> str:
        """The time to the last step, at the pace of the steps that were seen."""
        seen = self._seen.setdefault(trial, [])
        if not seen or step > seen[-1][1]:
            seen[1:] = [(time.monotonic(), step)]  # the first and the last one
        (started, first), (now, last) = seen[0], seen[-1]
        if last == first:
            return ""
        minutes = (now - started) / (last - first) * (steps - last) / 60
        return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"

    def _table(self, rows: list[tuple[str, ...]]) -> str:
        """The table in the place of the one before, cut to the terminal: what runs comes last and is always seen."""
        columns, lines = shutil.get_terminal_size((80, 24))
        rows = sorted(rows, key=lambda row: row[2] in ("running", "waiting"))[-max(lines - 4, 1) :]
        widths = [max(len(row[i]) for row in [COLUMNS, *rows]) for i in range(len(COLUMNS))]
        texts = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in [COLUMNS, *rows]
        ]
        up = f"\x1b[{self._height}A\r\x1b[J" if self._height else ""
        self._height = len(texts)
        return up + "\n".join(text.rstrip()[: columns - 1] for text in texts)


def _event(row: tuple[str, ...]) -> str:
    trial, parameters, state, step, result, decided, left = row
    words = [
        f"step {step}" if step else "",
        f"result {result}" if result else "",
        f"{decided} blocks decided" if decided else "",
        f"{left} left" if left else "",
    ]
    return f"trial {trial}{f' ({parameters})' if parameters else ''} {', '.join(filter(None, [state, *words]))}"


def _number(trial: Trial, name: str) -> float | None:
    value: Any = trial.latest.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
