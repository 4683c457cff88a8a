"""The drawings as files for a paper: SVG as they are, PDF and PNG painted by matplotlib, which loads only here.

In PDF and PNG the letters are outlines: no font has to be embedded (which would take most of the time), and no
publisher's check can find one missing. In SVG they stay text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_ctx.analysis.report.drawing.scene import Circle, Line, Picture, Polygon, Rect, Scene, Shape, Text, to_svg
from nas_ctx.errors import InputError
from nas_ctx.files import write_text, written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS: dict[str, dict[str, Any]] = {
    ".pdf": {"metadata": {"CreationDate": None}},
    ".png": {"dpi": 200, "pil_kwargs": {"compress_level": 4}},
}
_SMALLER = 0.92  # matplotlib's own font runs wider than those of browsers


def write_figures(scenes: dict[str, Scene], folder: Path) -> None:
    """Write each drawing as ``<folder>/<name>.svg``, ``.pdf`` and ``.png`` (200 pixels per inch)."""
    for name, scene in scenes.items():
        write_picture(scene, folder / f"{name}.svg")
        figure = _painted(scene)
        for suffix in FORMATS:
            _save(figure, folder / f"{name}{suffix}")


def write_picture(scene: Scene, path: Path) -> None:
    """Write one drawing to ``path``, in the format that its suffix names: .svg, .png or .pdf.

    Raises:
        InputError: another suffix.
    """
    suffix = path.suffix.lower()
    if suffix == ".svg":
        write_text(path, to_svg(scene, standalone=True) + "\n")
    elif suffix in FORMATS:
        _save(_painted(scene), path)
    else:
        raise InputError(f"{path}: expected a file name that ends in .svg, .png or .pdf")


def _save(figure: Figure, path: Path) -> None:
    with written_whole(path) as temporary:
        figure.savefig(temporary, facecolor="white", **FORMATS[path.suffix.lower()])


def _painted(scene: Scene) -> Figure:
    """The drawing on a matplotlib figure of its own size, one unit a point, y downwards, letters on top."""
    from matplotlib.collections import PatchCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(scene.width / 72, scene.height / 72))
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    patches: list[Any] = []

    def flush() -> None:  # neighbouring patches go into one collection, which is many times faster
        if patches:
            axes.add_collection(PatchCollection(patches, match_original=True), autolim=False)
            patches.clear()

    for shape in scene.shapes:
        if isinstance(shape, Line):
            flush()
            xs, ys = zip(*shape.points, strict=True)
            line = Line2D(xs, ys, color=shape.stroke, linewidth=shape.thickness, linestyle=_dash(shape.dashed))
            axes.add_line(line).set_zorder(1)
        elif isinstance(shape, Picture):
            flush()
            extent = (shape.x, shape.x + shape.width, shape.y + shape.height, shape.y)
            axes.imshow(shape.pixels, extent=extent, interpolation="nearest", aspect="auto", zorder=1)
        elif not isinstance(shape, Text):
            patches.append(_patch(shape))
    flush()
    for patch in _letters([shape for shape in scene.shapes if isinstance(shape, Text)]):
        axes.add_artist(patch)  # unlike add_patch this does not measure every letter
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    return figure


def _patch(shape: Shape) -> Any:
    from matplotlib import patches

    if isinstance(shape, Polygon):
        return patches.Polygon(list(shape.points), closed=True, facecolor=shape.fill, edgecolor="none")
    assert isinstance(shape, Rect | Circle)
    look: dict[str, Any] = {"facecolor": shape.fill, "edgecolor": shape.stroke, "linewidth": shape.thickness}
    if shape.stroke == "none":
        look["linewidth"] = 0.0
    if isinstance(shape, Circle):
        return patches.Circle((shape.x, shape.y), shape.radius, **look)
    return patches.Rectangle((shape.x, shape.y), shape.width, shape.height, linestyle=_dash(shape.dashed), **look)


def _dash(dashed: bool) -> Any:
    return (0, (4, 3)) if dashed else "-"


def _letters(texts: list[Text]) -> Iterator[Any]:
    """All texts of one colour as one outline."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline
    from matplotlib.textpath import TextPath

    by_colour: dict[str, list[Any]] = {}
    for text in texts:
        if not text.text.strip():
            continue
        weight = "bold" if text.bold else "normal"
        font = FontProperties(family="DejaVu Sans", weight=weight)  # comes with matplotlib
        outline = TextPath((0, 0), text.text, size=text.size * _SMALLER, prop=font, usetex=False)
        vertices = outline.vertices * (1, -1)
        right = vertices[:, 0].max() if len(vertices) else 0.0
        vertices[:, 0] -= right * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
        if text.turned:
            vertices = np.stack([vertices[:, 1], -vertices[:, 0]], axis=1)
        by_colour.setdefault(text.fill, []).append(Outline(vertices + np.array([text.x, text.y]), outline.codes))
    for colour, outlines in by_colour.items():
        yield PathPatch(Outline.make_compound_path(*outlines), facecolor=colour, edgecolor="none", zorder=3)
