"""The curve of precision and recall of boundaries, on lines of equal F."""

from __future__ import annotations

import os

import numpy as np

from nas_ctx.evaluation.edges import EdgeScores
from nas_ctx.files import atomic_write


def draw_edge_curve(scores: EdgeScores, path: str | os.PathLike[str]) -> None:
    """Draw the curve into ``path``, a .png, .svg or .pdf file; the dot is the threshold of odsF."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    recall = np.linspace(0.01, 1, 200)
    for f in np.arange(0.1, 1, 0.1):
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = f * recall / (2 * recall - f)
        shown = (precision > 0) & (precision <= 1)
        panel.plot(recall[shown], precision[shown], color="#c7d0d9", linewidth=0.8)
        panel.annotate(f"F {f:.1f}", (1, f / (2 - f)), fontsize=7, color="#4d4d4d", ha="right", va="bottom")
    predicted = scores.counts[:, 1] > 0
    panel.plot(scores.recall[predicted], scores.precision[predicted], color="#004f96")
    best = int(scores.f.argmax())
    panel.plot(scores.recall[best], scores.precision[best], "o", color="#d55e00")
    panel.set(xlim=(0, 1), ylim=(0, 1), xlabel="recall", ylabel="precision", aspect="equal")
    panel.set_title(f"odsF {scores.ods_f:.4f} at {scores.thresholds[best]:.2f}, oisF {scores.ois_f:.4f}", fontsize=9)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=os.path.splitext(path)[1].lstrip(".").lower() or "png")
