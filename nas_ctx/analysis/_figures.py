"""The drawings as files for a paper: SVG as they are, PDF and PNG painted by matplotlib, which loads only here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_ctx.analysis._scene import Circle, Line, Picture, Polygon, Rect, Scene, Text, to_svg
from nas_ctx.files import write_text, written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ALIGN = {"start": "left", "middle": "center", "end": "right"}
_PIXELS_PER_INCH = 200


def write_figures(scenes: dict[str, Scene], folder: Path) -> None:
    """Write each drawing as ``<folder>/<name>.svg``, ``.pdf`` and ``.png`` (200 pixels per inch)."""
    from matplotlib import rc_context

    with rc_context({"font.family": "sans-serif", "pdf.fonttype": 42, "path.simplify": False}):
        for name, scene in scenes.items():
            write_text(folder / f"{name}.svg", to_svg(scene, standalone=True) + "\n")
            figure = _painted(scene)
            for suffix, options in (("pdf", {"metadata": {"CreationDate": None}}), ("png", {"dpi": _PIXELS_PER_INCH})):
                with written_whole(folder / f"{name}.{suffix}") as temporary:
                    figure.savefig(temporary, facecolor="white", **options)


def _painted(scene: Scene) -> Figure:
    """The drawing on a matplotlib figure of its own size, one unit a point, y downwards."""
    from matplotlib.collections import PatchCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle as RoundPatch
    from matplotlib.patches import Polygon as Patch
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(scene.width / 72, scene.height / 72))
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.autoscale(False)
    patches: list[Any] = []

    def flush() -> None:  # neighbouring patches go into one collection, which is many times faster
        if patches:
            axes.add_collection(PatchCollection(patches, match_original=True), autolim=False)
            patches.clear()

    for shape in scene.shapes:
        if isinstance(shape, Rect | Polygon | Circle):
            look: dict[str, Any] = {"facecolor": shape.fill, "edgecolor": "none", "linewidth": 0.0}
            if not isinstance(shape, Polygon) and shape.stroke != "none":
                look |= {"edgecolor": shape.stroke, "linewidth": shape.thickness}
            if isinstance(shape, Rect):
                edge: Any = (0, (4, 3)) if shape.dashed else "-"
                patches.append(Rectangle((shape.x, shape.y), shape.width, shape.height, linestyle=edge, **look))
            elif isinstance(shape, Circle):
                patches.append(RoundPatch((shape.x, shape.y), shape.radius, **look))
            else:
                patches.append(Patch(list(shape.points), closed=True, **look))
            continue
        flush()
        if isinstance(shape, Line):
            xs, ys = zip(*shape.points, strict=True)
            dash: Any = (0, (4, 3)) if shape.dashed else "-"
            axes.add_line(Line2D(xs, ys, color=shape.stroke, linewidth=shape.thickness, linestyle=dash))
        elif isinstance(shape, Text):
            axes.text(
                shape.x,
                shape.y,
                shape.text.replace("$", r"\$"),
                fontsize=shape.size * 0.92,  # matplotlib's own font runs wider than those of browsers
                ha=_ALIGN[shape.anchor] if not shape.turned else "left",
                va="baseline" if not shape.turned else "bottom",
                color=shape.fill,
                weight="bold" if shape.bold else "normal",
                rotation=90 if shape.turned else 0,
                rotation_mode="anchor" if shape.turned else "default",
                parse_math=False,
            )
        elif isinstance(shape, Picture):
            extent = (shape.x, shape.x + shape.width, shape.y + shape.height, shape.y)
            axes.imshow(shape.pixels, extent=extent, interpolation="nearest", aspect="auto", zorder=1)
            axes.set_xlim(0, scene.width)
            axes.set_ylim(scene.height, 0)
    flush()
    return figure
