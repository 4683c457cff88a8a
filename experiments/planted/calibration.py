"""The picture of rising noise: what falls first, and what a kappa says about recovery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas_ctx.files import atomic_write

_RECOVERY, _PLANTED, _KAPPA = "#0060a8", "#6fa8d6", "#c2571a"


def draw(table: Mapping[str, dict[str, Any]], path: Path) -> None:
    """Write the picture of the rows "noise <deviation>": PNG, SVG or PDF by the name of ``path``."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    known = {name.split()[-1]: row for name, row in table.items() if row["lights_kappa"] is not None}
    figure, (falling, against) = plt.subplots(1, 2, figsize=(9.6, 4), layout="constrained", width_ratios=(1.15, 1))
    _draw_falling(falling, known)
    _draw_against(against, known)
    for axes in (falling, against):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
        axes.set_axisbelow(True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130, format=path.suffix[1:])
    plt.close(figure)


def _draw_falling(axes: Any, rows: Mapping[str, dict[str, Any]]) -> None:
    """Recovery and kappa over the noise, each with its intervals; lines are named where they begin."""
    curves = (
        ("recovery of a run", "recovery_runs", _RECOVERY, "o-", -0.08),
        ("the same, where something is planted", "recovery_planted", _PLANTED, "o--", 0.0),
        ("Light's kappa", "lights_kappa", _KAPPA, "s-", 0.08),
    )
    for name, key, colour, style, shift in curves:
        places = [place + shift for place in range(len(rows))]
        axes.plot(places, [row[key] for row in rows.values()], style, color=colour, label=name, markersize=5)
        spans = [row.get(f"{key}_interval") for row in rows.values()]
        if all(spans):
            axes.vlines(places, *zip(*spans, strict=True), color=colour, alpha=0.35, linewidth=1.2)
    axes.axhline(0, color="#999999", linewidth=0.8)
    axes.set_xticks(range(len(rows)), list(rows))
    axes.set(xlabel="deviation of the noise; a planted block adds 1", ylim=(-0.7, 1.32), yticks=[-0.5, 0, 0.5, 1])
    axes.legend(frameon=False, fontsize=9, loc="upper right", ncols=1, borderaxespad=0)


def _draw_against(axes: Any, rows: Mapping[str, dict[str, Any]]) -> None:
    """Recovery against kappa, a point per noise."""
    kappas, shares = ([row[key] for row in rows.values()] for key in ("lights_kappa", "recovery_runs"))
    sides = [row["lights_kappa_interval"] or (row["lights_kappa"],) * 2 for row in rows.values()]
    axes.hlines(shares, *zip(*sides, strict=True), color="#d5dce3", linewidth=1)
    axes.vlines(
        kappas,
        *zip(*(row["recovery_runs_interval"] for row in rows.values()), strict=True),
        color="#d5dce3",
        linewidth=1,
    )
    axes.plot(kappas, shares, color=_PLANTED, linewidth=1.2)
    axes.scatter(kappas, shares, color=_RECOVERY, s=26, zorder=3)
    for level, x, y in zip(rows, kappas, shares, strict=True):
        halo = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.annotate(
            level, (x, y), textcoords="offset points", xytext=(-7, 7), ha="right", fontsize=9, bbox=halo, zorder=4
        )
    guess = _none_everywhere(next(iter(rows.values())))
    axes.axhline(guess, color="#777777", linewidth=1, linestyle=":")
    axes.text(1.0, guess - 0.02, "none everywhere", color="#555555", fontsize=9, ha="right", va="top")
    axes.set(xlabel="Light's kappa; numbers: deviation of the noise", ylabel="recovery of a run")
    axes.set(xlim=(-0.65, 1.03), ylim=(0.15, 1.03))


def _none_everywhere(row: Mapping[str, Any]) -> float:
    """The recovery of a search that always chooses *none*: the cheapest answer where noise hides everything."""
    blocks = {name: of["blocks"] for name, of in row["by_context"].items()}
    return float(blocks.get("none", 0) / sum(blocks.values()))
