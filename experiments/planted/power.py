"""The picture of the power curve: what becomes of planted blocks as the effect shrinks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judging import wilson
from rooms_tables import Searches, answers, single_runs

from nas_ctx.files import atomic_write

_LINES = (
    ("a single run is right", "right", single_runs, "#6fa8d6", "o--"),
    ("four of five runs are right", "right", answers, "#0060a8", "o-"),
    ("four of five runs are wrong", "wrong", answers, "#c2571a", "s-"),
)


def draw(found: Mapping[Any, Searches], path: Path) -> None:
    """Write the picture of cases that differ in their effect: PNG, SVG or PDF by the name of ``path``."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    _draw(axes, {case.effect: found[case] for case in sorted(found, key=lambda one: one.effect)})
    axes.set(xlabel="effect: deviation of a planted block's contribution")
    axes.set_ylabel("share of the planted blocks")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130, format=path.suffix[1:])
    plt.close(figure)


def _draw(axes: Any, curve: Mapping[float, Searches]) -> None:
    for number, (name, kind, judged, colour, style) in enumerate(_LINES):
        places = [effect * 1.04 ** (number - 1) for effect in curve]
        right = [[one == kind for planted, one in judged(searches) if planted != "none"] for searches in curve.values()]
        axes.plot(places, [sum(each) / len(each) for each in right], style, color=colour, label=name, markersize=5)
        if judged is answers and right:  # the runs of a block are not independent, its answer is one
            axes.vlines(places, *zip(*map(wilson, right), strict=True), color=colour, alpha=0.35, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_xticks(list(curve), [f"{effect:g}" for effect in curve])
    axes.set_xticks([], minor=True)
    axes.set_ylim(-0.03, 1.03)
    axes.axhline(0.05, color="#777777", linewidth=0.8, linestyle=":")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)
