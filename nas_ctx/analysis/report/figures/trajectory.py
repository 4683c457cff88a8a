"""How the searches went: agreement, entropy and the probability of each choice over the steps."""

from __future__ import annotations

import numpy as np

from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.figures.canvas import Canvas, fitted
from nas_ctx.analysis.report.figures.charts import Curve, curves, stacked
from nas_ctx.analysis.report.figures.legend import Chosen, Legend, palette_of
from nas_ctx.analysis.report.palette import INK, line_colour
from nas_ctx.analysis.trajectory import Trajectory

_MOST_DRAWN = 400  # blocks
_UNVOTED = "#8a939d"  # a choice that no run ended with


def trajectory_figures(record: Reliability, trajectory: Trajectory) -> dict[str, Canvas]:
    """Name -> drawing."""
    steps = trajectory.steps.tolist()
    shares = [
        Curve("agreement", steps, trajectory.percentage.tolist(), line_colour(0)),
        Curve("final vote", steps, trajectory.same_vote.tolist(), line_colour(1)),
    ]
    entropies = [
        Curve(name, steps, row.tolist(), line_colour(i))
        for i, (name, row) in enumerate(zip(trajectory.runs, trajectory.entropy, strict=True))
    ]
    return {
        "course": curves("Agreement over the steps", shares, ("step", "share"), width=480, percent=True),
        "entropy": curves("Mean entropy over the steps", entropies, ("step", "nats"), width=480),
        "probabilities": probabilities_figure(record, trajectory),
    }


def probabilities_figure(record: Chosen, trajectory: Trajectory) -> Canvas:
    """Small multiples: the mean probability of each choice over the steps, block by block."""
    places, columns = _places(record, trajectory)
    rows = 1 + max(row for row, _ in places.values())
    wide, high = (180.0, 92.0) if columns <= 5 else (920 / columns, max(56.0, 480 / columns))
    steps = trajectory.steps
    first, last = (f"{step:,}".replace(",", " ") for step in (steps[0], steps[-1]))
    notes = [f"steps {first} to {last}", "a tick below marks the step at which a run decided the block"]
    width = max(columns * wide, 300.0)
    legend = Legend(record, width - 4, notes)
    canvas = Canvas(
        width, rows * high + 8 + legend.height, "Probability of every choice over the steps, mean over the runs"
    )
    fills = palette_of(record)
    for block, (row, column) in places.items():
        left, top, across, up = column * wide + 1, row * high + 19, wide - 10, high - 28
        canvas.text(left, top - 5, fitted(block, across, 11), size=11, colour=INK, tip=block)
        known = [fills.get(choice, _UNVOTED) for choice in trajectory.choices[block]]
        stacked(canvas, (left, top, across, up), steps.astype(np.float64), trajectory.probabilities[block], known)
        for step in trajectory.decided[block]:
            if step is not None:
                x = left + across * (step - steps[0]) / ((steps[-1] - steps[0]) or 1)
                canvas.line((x, x), (top + up, top + up + 5), INK, 1.4, f"{step}")
    legend.draw(canvas, 2, rows * high + 4)
    return canvas


def _places(record: Chosen, trajectory: Trajectory) -> tuple[dict[str, tuple[int, int]], int]:
    """(row, column) of each logged block, as in the grid if there is one, and the number of columns; of many the
    first."""
    grid = record.grid
    if grid is None or len(record.blocks) > _MOST_DRAWN:
        columns = min(6, len(trajectory.blocks))
        return {block: divmod(i, columns) for i, block in enumerate(trajectory.blocks[:_MOST_DRAWN])}, columns
    logged = set(trajectory.blocks)
    places = {f"{t}/{s}": (r, c) for r, t in enumerate(grid.targets) for c, s in enumerate(grid.sources)}
    return {block: place for block, place in places.items() if block in logged}, len(grid.sources)
