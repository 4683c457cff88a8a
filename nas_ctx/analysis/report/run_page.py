"""The page of one run: its scores, learning curves, decisions along the steps, predictions, and IoU per class."""

from __future__ import annotations

import base64
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas_ctx.analysis.choice_table import ChoiceTable, table_of
from nas_ctx.analysis.grid import Grid, grid_of
from nas_ctx.analysis.io.history import SearchHistory
from nas_ctx.analysis.io.runs import Run
from nas_ctx.analysis.trajectory import Trajectory, trajectory_of
from nas_ctx.analysis.wording import number, percent
from nas_ctx.errors import InputError
from nas_ctx.files import check_file, read_json, write_text
from nas_ctx.genotype import Genotype

_LISTED = ("seed", "commit", "machine", "started")
"""What the head of the page says of the run's environment, where that has it."""


@dataclass(frozen=True)
class Searched:
    """One search along its steps, with what the drawings of several searches read from their record."""

    table: ChoiceTable
    trajectory: Trajectory
    ended: bool

    @property
    def blocks(self) -> tuple[str, ...]:
        return self.table.blocks

    @property
    def grid(self) -> Grid | None:
        return grid_of(self.blocks)

    @classmethod
    def of(cls, history: SearchHistory, found: Genotype | None) -> Searched:
        """A search and what it prefers after its last step, whether it has ended, and has ``found`` that, or not."""
        last = {block: history.choices[block][int(p[-1].argmax())] for block, p in history.probabilities.items()}
        written = {} if found is None else {"decided_at": found.meta.get("decided_at")}
        run = Run("this search", last, history=history, settings={"candidates": history.choices, **written})
        trajectory = trajectory_of([run], tuple(last))
        assert trajectory is not None  # all blocks are logged
        table = table_of([run])
        return cls(replace(table, texts=(*table.texts, *table.unchosen)), trajectory, found is not None)

    def rows(self) -> list[tuple[str, ...]]:
        """Per block: what it prefers, with which probability, and when that was decided or last changed.

        The step of a decision is in the genotype: before the search has ended it is not known.
        """
        found: list[tuple[str, ...]] = []
        never = "no" if self.ended else "–"
        for block in self.trajectory.blocks:
            final = self.trajectory.probabilities[block][-1]
            [decided], [settled] = self.trajectory.decided[block], self.trajectory.settled[block]
            choice = self.trajectory.choices[block][int(final.argmax())]
            found.append((block, choice, number(float(final.max())), str(decided or never), str(settled)))
        return found


def write_run_page(run: str | Path, path: Path, predictions: bytes | None = None, missing: str = "") -> None:
    """Write the page of a run folder, while it runs, too: a single file without script, .html.

    Args:
        run: folder of a search or a training.
        path: of the page.
        predictions: a picture, PNG; without it the page says what is ``missing``.

    Raises:
        InputError: another suffix, or a folder without losses and validations.
    """
    from nas_ctx.analysis.report.figures.canvas import settings
    from nas_ctx.analysis.report.figures.trajectory import probabilities_figure
    from nas_ctx.analysis.report.page import render

    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path}: expected a name that ends with .html")
    check_file(path, b"<!doctype html>")
    run = Path(run)
    curves = _curves(run)
    history = run / "history.csv"
    genotype = run / "genotype.json"
    found = Genotype.load(genotype) if genotype.exists() else None
    searched = Searched.of(SearchHistory.load(history), found) if history.exists() else None
    figures = {}
    if searched is not None:
        with settings():
            figures["probabilities"] = probabilities_figure(searched, searched.trajectory)
    facts = _object(run / "environment.json")
    page = render(
        "run", "One run", run.resolve().name, " · ".join(f"{key} {facts[key]}" for key in _LISTED if key in facts),
        figures, curves=curves, scores=_scores(run), classes=_classes(run), missing=missing,
        predictions=_address("png", predictions) if predictions else None,
        decisions=[] if searched is None else searched.rows(),
    )  # fmt: skip
    write_text(path, page)


def _curves(run: Path) -> str:
    from nas_ctx.analysis.report.learning import draw_learning_curves

    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "curves.svg"
        draw_learning_curves(run, drawn)
        return _address("svg+xml", drawn.read_bytes())


def _address(kind: str, picture: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _object(path: Path) -> dict[str, Any]:
    content = read_json(path) if path.exists() else {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected an object")
    return content


def _scores(run: Path) -> list[tuple[str, str]]:
    scores = _object(run / "metrics.json")
    return [("loss, of all tasks" if name == "loss" else name, _figure(value)) for name, value in scores.items()]


def _classes(run: Path) -> dict[str, list[tuple[str, ...]]]:
    """Task -> rows of class, IoU, share of the labelled pixels, and the class that it is most often taken for."""
    path = run / "details.json"
    tasks: dict[str, list[tuple[str, ...]]] = {}
    for task, details in _object(path).items():
        try:
            shares, confusion = details["iou_per_class"], details["confusion_matrix"]
            total = sum(map(sum, confusion)) or 1
            tasks[task] = [
                (str(i), _figure(iou), percent(sum(row) / total), _taken_for(i, row))
                for i, (iou, row) in enumerate(zip(shares, confusion, strict=True))
            ]
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: {task}: expected iou_per_class and a confusion_matrix of as many rows") from None
    return tasks


def _taken_for(own: int, row: list[float]) -> str:
    others = [(pixels, i) for i, pixels in enumerate(row) if i != own]
    pixels, other = max(others, default=(0, 0))
    return f"{other} ({percent(pixels / sum(row))})" if pixels else "–"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _figure(value: object) -> str:
    known = _number(value)
    return f"{known:.4g}".replace("-", "−") if not isinstance(value, Mapping) and not math.isnan(known) else "–"
