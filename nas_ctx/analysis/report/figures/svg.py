"""A canvas as SVG, for a page and as a file, and as PDF and PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from matplotlib.patheffects import Normal

from nas_ctx.analysis.report.figures.canvas import FONT, Canvas, settings
from nas_ctx.analysis.report.palette import THEME
from nas_ctx.errors import InputError
from nas_ctx.files import atomic_write, write_text

FORMATS = ("svg", "pdf", "png")
"""What a drawing can be written as."""

_SVG, _HREF = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"


def inline_svg(canvas: Canvas, name: str) -> str:
    """The drawing as an element of a page, whose style sheet says what the colours of the theme are.

    ``name`` tells the ids of one drawing of a page from those of another.
    """
    root = _svg(canvas, name, lambda style: re.sub("#[0-9a-f]{6}", _variable, style))
    root.attrib |= {"role": "img", "aria-label": canvas.label}
    return ElementTree.tostring(root, encoding="unicode")


def write_figure(canvas: Canvas, path: Path, name: str = "figure") -> None:
    """Write a drawing to ``path``, in the format that its suffix names: .svg, .png (200 pixels an inch) or .pdf.

    In PDF the letters are outlines: no font has to be embedded, and no publisher's check can find one missing.

    Raises:
        InputError: another suffix.
    """
    suffix = path.suffix.lower()
    if suffix[1:] not in FORMATS:
        raise InputError(f"{path}: expected a file name that ends in .svg, .png or .pdf")
    if suffix == ".svg":
        root = _svg(canvas, name, lambda style: style.replace(f"'{FONT}'", f"'{FONT}', Verdana, Arial, sans-serif"))
        root.set("xmlns", _SVG)
        root.insert(0, Element("rect", width="100%", height="100%", fill="#ffffff"))
        root.insert(0, _title(canvas.label))
        write_text(path, ElementTree.tostring(root, encoding="unicode") + "\n")
        return
    with settings(), atomic_write(path) as temporary:
        if suffix == ".png":
            canvas.figure.savefig(temporary, facecolor="white", dpi=200, pil_kwargs={"compress_level": 4})
            return
        for text in canvas.texts():
            text.set_path_effects([Normal()])
        canvas.figure.savefig(temporary, facecolor="white", metadata={"CreationDate": None})
        for text in canvas.texts():
            text.set_path_effects([])


def _svg(canvas: Canvas, name: str, restyle: Callable[[str], str]) -> Element:
    """What matplotlib draws, without namespaces, with tips, and with only those ids that something refers to."""
    if not canvas.source:
        written, nothing = io.StringIO(), dict.fromkeys(("Creator", "Date", "Format", "Type"))
        with settings(name):
            canvas.figure.savefig(written, format="svg", metadata=nothing)
        canvas.source = written.getvalue()
    root = ElementTree.fromstring(canvas.source)
    for unneeded in [child for child in root if child.find(f"{{{_SVG}}}style") is not None]:
        root.remove(unneeded)  # its rules would apply to every element of the page
    references = {value for element in root.iter() if (value := element.get(_HREF))}
    for element in list(root.iter()):
        _tidy(element, canvas, references, restyle)
    size = {"width": f"{canvas.width:.0f}", "height": f"{canvas.height:.0f}"}
    root.attrib = {"viewBox": f"0 0 {canvas.width:g} {canvas.height:g}", **size, "stroke-linejoin": "round"}
    return root


def _tidy(element: Element, canvas: Canvas, references: set[str], restyle: Callable[[str], str]) -> None:
    element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    identity = element.get("id", "")
    if f"#{identity}" not in references:
        element.attrib.pop("id", None)
    if _HREF in element.attrib:
        element.set("href", element.attrib.pop(_HREF))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    if "d" in element.attrib:
        element.set("d", _shortened(element.attrib["d"]))
    if "style" in element.attrib:
        element.set("style", restyle(element.attrib["style"]))
    if element.tag != "text":
        element.text = None
    element.tail = None
    if identity in canvas.tips:
        element.insert(0, _title(canvas.tips[identity]))


def _title(words: str) -> Element:
    title = Element("title")
    title.text = words
    return title


def _shortened(path: str) -> str:
    """A path with at most two digits after each point.

    >>> _shortened("M 1.23456 0 \\nL 2.500001 -0.1")
    'M 1.23 0 L 2.5 -0.1'
    """
    return re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), " ".join(path.split()))


def _variable(match: re.Match[str]) -> str:
    colour = match[0]
    return f"var(--{THEME[colour][0]})" if colour in THEME else colour
