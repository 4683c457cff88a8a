"""Drawings as a list of shapes, in points, y downwards: drawn once, then written as SVG here or painted elsewhere."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
import numpy.typing as npt

INK, MUTED, RULE, PAPER = "#1c2733", "#5a6673", "#d8dee5", "#ffffff"
Point = tuple[float, float]


@dataclass(frozen=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    fill: str = "none"
    stroke: str = "none"
    thickness: float = 1.0
    dashed: bool = False
    title: str = ""


@dataclass(frozen=True)
class Line:
    points: Sequence[Point]
    stroke: str = INK
    thickness: float = 1.0
    dashed: bool = False
    title: str = ""


@dataclass(frozen=True)
class Polygon:
    points: Sequence[Point]
    fill: str
    title: str = ""


@dataclass(frozen=True)
class Circle:
    x: float
    y: float
    radius: float
    fill: str = INK
    stroke: str = "none"
    thickness: float = 1.0
    title: str = ""


@dataclass(frozen=True)
class Text:
    """``anchor`` is "start", "middle" or "end"; ``y`` is the baseline; ``turned`` reads upwards from below."""

    x: float
    y: float
    text: str
    size: float = 12.0
    anchor: str = "start"
    fill: str = INK
    bold: bool = False
    turned: bool = False
    title: str = ""


@dataclass(frozen=True)
class Picture:
    """Colours ``pixels`` (rows, columns, 3) uint8, blown up to the box without smoothing."""

    x: float
    y: float
    width: float
    height: float
    pixels: npt.NDArray[np.uint8]


Shape = Rect | Line | Polygon | Circle | Text | Picture


@dataclass
class Scene:
    """A drawing of ``width`` x ``height`` points; ``label`` says in words what it shows."""

    width: float
    height: float
    label: str
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        self.shapes += shapes


def to_svg(scene: Scene, *, standalone: bool = False) -> str:
    """The drawing as an SVG element: for a page, or with ``standalone`` as a whole file.

    >>> scene = Scene(20, 10, "a & b", [Rect(0, 0, 20, 10, fill="#fff"), Text(1, 9, "<i>")])
    >>> print(*to_svg(scene).splitlines()[1:], sep="\\n")
    <rect x="0" y="0" width="20" height="10" fill="#fff"/>
    <text x="1" y="9" font-size="12" fill="#1c2733">&lt;i&gt;</text>
    </svg>
    """
    head = {
        "viewBox": f"0 0 {_number(scene.width)} {_number(scene.height)}",
        "width": scene.width,
        "height": scene.height,
        "preserveAspectRatio": "xMinYMin meet",
        "role": "img",
        "aria-label": scene.label,
    }
    if standalone:
        head = {"xmlns": "http://www.w3.org/2000/svg", "font-family": "Helvetica, Arial, sans-serif", **head}
    return f"<svg{_attributes(head)}>\n" + "\n".join(_element(shape) for shape in scene.shapes) + "\n</svg>"


def _element(shape: Shape) -> str:
    if isinstance(shape, Picture):
        data = base64.b64encode(png(shape.pixels)).decode()
        box: dict[str, object] = {"x": shape.x, "y": shape.y, "width": shape.width, "height": shape.height}
        look: dict[str, object] = {"preserveAspectRatio": "none", "style": "image-rendering:pixelated"}
        return f'<image{_attributes(box | look)} href="data:image/png;base64,{data}"/>'
    if isinstance(shape, Text):
        attributes: dict[str, object] = {"x": shape.x, "y": shape.y, "font-size": shape.size, "fill": shape.fill}
        if shape.anchor != "start":
            attributes["text-anchor"] = shape.anchor
        if shape.bold:
            attributes["font-weight"] = "600"
        if shape.turned:
            attributes["transform"] = f"rotate(-90 {_number(shape.x)} {_number(shape.y)})"
        return f"<text{_attributes(attributes)}>{escape(shape.text)}{_title(shape.title)}</text>"
    if isinstance(shape, Rect):
        name = "rect"
        attributes = {"x": shape.x, "y": shape.y, "width": shape.width, "height": shape.height, "fill": shape.fill}
    elif isinstance(shape, Circle):
        name = "circle"
        attributes = {"cx": shape.x, "cy": shape.y, "r": shape.radius, "fill": shape.fill}
    else:
        name = "polygon" if isinstance(shape, Polygon) else "polyline"
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
        attributes = {"points": points, "fill": shape.fill if isinstance(shape, Polygon) else "none"}
    if not isinstance(shape, Polygon) and shape.stroke != "none":
        attributes |= {"stroke": shape.stroke, "stroke-width": shape.thickness}
    if isinstance(shape, Line | Rect) and shape.dashed:
        attributes["stroke-dasharray"] = "4 3"
    title = _title(shape.title)
    return f"<{name}{_attributes(attributes)}>{title}</{name}>" if title else f"<{name}{_attributes(attributes)}/>"


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""


def _attributes(values: dict[str, object]) -> str:
    return "".join(
        f' {name}="{_number(value) if isinstance(value, int | float) else escape(str(value))}"'
        for name, value in values.items()
    )


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The colours (rows, columns, 3) as a PNG file.

    >>> png(np.zeros((1, 1, 3), np.uint8))[:4]
    b'\\x89PNG'
    """
    rows, columns, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)), chunk(b"IEND", b"")]
    )
