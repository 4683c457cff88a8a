"""The importance of blocks as N x N heat maps, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas_ctx.escaping import escape_csv_formula
from nas_ctx.evaluation.importance import Drop, Importance
from nas_ctx.files import atomic_write, write_text
from nas_ctx.models.grid import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARKEST = 0.6  # of the colour map: darker colours hide the numbers


def write_importance(importance: Importance, folder: Path) -> list[Path]:
    """Write importance.png (permuted and left out, side by side), importance.csv and importance.json."""
    paths = [folder / f"importance.{suffix}" for suffix in ("png", "csv", "json")]
    with atomic_write(paths[0]) as temporary:
        _draw(importance, temporary)
    write_text(paths[1], as_csv(importance))
    write_text(paths[2], as_json(importance))
    return paths


def as_csv(importance: Importance) -> str:
    """A line per block and metric of its target: unchanged, permuted (mean and deviation), without the block."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["block", "metric", "before", "permuted_mean", "permuted_deviation", "repetitions", "left_out"])
    for block, repeated in importance.permuted.items():
        for metric, before in importance.base[block.partition("/")[0]].items():
            values = [scores[metric] for scores in repeated]
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else ""
            left_out = importance.left_out[block][metric]
            line = [block, metric, before, float(np.mean(values)), deviation, len(values), left_out]
            writer.writerow(map(escape_csv_formula, line))
    return text.getvalue()


def as_json(importance: Importance) -> str:
    """All measurements, with the drops of the main metric in percent."""

    def finite(drop: Drop) -> dict[str, float | None]:
        return {name: value if math.isfinite(value) else None for name, value in vars(drop).items()}

    content = {
        "format": "nas_ctx.importance/1",
        "tasks": {name: task.metric_name for name, task in importance.tasks.items()},
        "images": importance.images,
        "level": importance.level,
        "base": importance.base,
        "blocks": {
            block: {
                "permuted": importance.permuted[block],
                "left_out": importance.left_out[block],
                "drop_permuted": finite(importance.drop_permuted(block)),
                "drop_left_out": finite(importance.drop_left_out(block)),
            }
            for block in importance.permuted
        },
    }
    return json.dumps(content, indent=1) + "\n"


def _draw(importance: Importance, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = 1.25 * len(importance.tasks) + 1.4
    figure = Figure(figsize=(2 * side, side + 0.9), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    repetitions = len(next(iter(importance.permuted.values()), []))
    title = f"Output exchanged between images\n(mean of {repetitions} permutations, {importance.level:.0%} interval)"
    _heat_map(left, importance, importance.drop_permuted, title)
    _heat_map(right, importance, importance.drop_left_out, "Block left out\n(zeros in its place)")
    metrics = ", ".join(f"{name} {task.metric_name}" for name, task in importance.tasks.items())
    title = f"Drop of the target's metric in percent, over {importance.images} images; blue: the block helps"
    figure.suptitle(f"{title}\n{metrics}", fontsize=9)
    figure.savefig(path, format="png")


def _heat_map(axes: Axes, importance: Importance, drop_of: Callable[[str], Drop], title: str) -> None:
    tasks = list(importance.tasks)
    image = np.full((len(tasks), len(tasks)), np.nan)
    for row, target in enumerate(tasks):
        for column, source in enumerate(tasks):
            block, text = label(target, source), "none"
            if block in importance.permuted:
                drop = drop_of(block)
                image[row, column], text = drop.mean, _in_words(drop)
            axes.text(column, row, text, ha="center", va="center", fontsize=8)
    # At least 1 %: a block without effect must not be coloured by rounding errors.
    limit = max([1.0, *np.abs(image[np.isfinite(image)])]) / DARKEST
    axes.imshow(image, cmap="RdBu", vmin=-limit, vmax=limit)
    axes.set(facecolor="#eeeeec", xlabel="source", ylabel="target")
    axes.set_title(title, fontsize=9)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(range(len(tasks)), tasks)
        axis.set_ticks(np.arange(1, len(tasks)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0, labelsize=8)
    axes.spines[:].set_visible(False)


def _in_words(drop: Drop) -> str:
    if math.isnan(drop.mean):
        return "not defined"  # a score of 0 has no relative drop
    if math.isnan(drop.low):
        return _signed(drop.mean)
    return f"{_signed(drop.mean)}\n[{_signed(drop.low)}, {_signed(drop.high)}]"


def _signed(value: float) -> str:
    """Two decimals, and no sign before a zero.

    >>> _signed(0.5), _signed(-0.001)
    ('+0.50', '0.00')
    """
    return f"{value:+.2f}" if abs(value) >= 0.005 else "0.00"
