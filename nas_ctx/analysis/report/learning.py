"""The learning curves of one run as a picture: its losses, and every score of its validations, over the steps."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_ctx.analysis.report.figures.canvas import printable, settings
from nas_ctx.analysis.report.palette import line_colour
from nas_ctx.errors import InputError
from nas_ctx.files import atomic_write, read_csv, read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3  # panels side by side
MOST = 200  # losses, and scores: a run of nine tasks has about fifty
Curves = dict[str, tuple[list[float], list[float]]]
"""Name -> steps and values."""


def learning_curves(run: str | os.PathLike[str]) -> tuple[Curves, Curves]:
    """The losses and the validation scores of a run folder.

    Raises:
        InputError: the folder has neither losses nor validations, or a file of them that cannot be read.
    """
    losses, scores = (_curves(Path(run) / name) for name in ("losses.csv", "validation.csv"))
    for name, curves in (("losses.csv", losses), ("validation.csv", scores)):
        if len(curves) > MOST:
            raise InputError(f"{Path(run) / name}: {len(curves)} columns, of which at most {MOST} are drawn")
    if not losses and not scores:
        raise InputError(f"{run}: expected a run folder with rows in losses.csv or validation.csv")
    return losses, scores


def draw_learning_curves(run: str | os.PathLike[str], path: Path) -> None:
    """Draw :func:`learning_curves` into ``path``, a .png, .svg or .pdf file: a panel of losses, one per score.

    An arrow beside a main score says whether higher or lower is better.
    """
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"{path}: expected a name that ends with .png, .svg or .pdf")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    better = _directions(Path(run) / "environment.json")
    losses, scores = learning_curves(run)
    panels: list[tuple[str, Curves]] = [("losses of a batch", losses)] if losses else []
    titles = {name: "loss of validation, all tasks" if name == "loss" else name for name in scores}
    panels += [(f"{titles[name]} {better.get(name, '')}".strip(), {name: curve}) for name, curve in scores.items()]
    rows = math.ceil(len(panels) / COLUMNS)
    with settings():
        figure = Figure(figsize=(3.0 * min(COLUMNS, len(panels)), 2.5 * rows), dpi=130, layout="constrained")
        FigureCanvasAgg(figure)
        for place, (title, curves) in enumerate(panels):
            axes = figure.add_subplot(rows, min(COLUMNS, len(panels)), place + 1)
            axes.set_title(printable(title), fontsize=10, parse_math=False)
            axes.set_xlabel("step", fontsize=9)
            axes.tick_params(labelsize=7, which="both")
            _draw(axes, curves)
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:].lower())


def _directions(path: Path) -> dict[str, str]:
    """Score -> an arrow that points to where it is better, of the main scores, which the run's environment names."""
    content: Any = None
    with suppress(InputError):
        content = read_json(path) if path.exists() else None
    tasks = content.get("tasks") if isinstance(content, dict) else None
    arrows = {"loss": "↓"}
    for name, task in tasks.items() if isinstance(tasks, dict) else ():
        if isinstance(task, dict) and isinstance(task.get("higher_is_better"), bool):
            arrows[f"{name}/{task.get('metric')}"] = "↑" if task["higher_is_better"] else "↓"
    return arrows


def _draw(axes: Axes, curves: Curves) -> None:
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        """Labels the same ticks as 0.6, not as 6 x 10^-1."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    for number, (name, (steps, values)) in enumerate(curves.items()):
        marker = "." if len(steps) < 30 else ""
        axes.plot(steps, values, color=line_colour(number), linewidth=1.2, marker=marker, label=printable(name))
    if len(curves) > 1:
        if not any(value <= 0 for _, values in curves.values() for value in values):
            axes.set_yscale("log")  # tasks' losses differ by orders of magnitude
            axes.yaxis.set_major_formatter(Plain())
            axes.yaxis.set_minor_formatter(Plain())
        axes.legend(fontsize=9, framealpha=0.8, edgecolor="none")


def _curves(path: Path) -> Curves:
    if not path.exists():
        return {}
    try:
        head, *lines = read_csv(path) or [[]]
        rows = [dict(zip(head, map(float, line), strict=True)) for line in lines if line]
        steps = [row.pop("step") for row in rows]
        return {name: (steps, [row[name] for row in rows]) for name in (rows[0] if rows else ())}
    except InputError:
        raise
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}: expected a column step and numbers in every row ({error})") from None
