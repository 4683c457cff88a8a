"""Pieces of a page: elements that escape what is put into them, figures, tables, and the document around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from nas_ctx.analysis.io.runs import Note
from nas_ctx.analysis.report.drawing.scene import Scene, to_svg


class Html(str):
    """Text that is HTML already; every other string is escaped when it is put into a page."""

    __slots__ = ()


def tag(name: str, *children: object, **attributes: str) -> Html:
    """An element; children that are not :class:`Html` are escaped.

    >>> tag("p", "a < b ", tag("b", "c"), cls="x")
    '<p class="x">a &lt; b <b>c</b></p>'
    """
    inside = "".join(child if isinstance(child, Html) else escape(str(child)) for child in children)
    given = "".join(f' {"class" if key == "cls" else key}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{inside}</{name}>")


def figure(scene: Scene, caption: str, *, wide: bool = False) -> Html:
    """A drawing with its caption; wide ones scroll in themselves on narrow screens rather than shrink to dust."""
    drawn = Html(to_svg(scene))
    least = max(0.68 * scene.width, 330) if wide else 330
    size = f"min-width:{min(scene.width, least):.0f}px;max-width:{scene.width:.0f}px"
    held = tag("div", Html(drawn.replace("<svg ", f'<svg style="{size}" ', 1)), cls="drawing")
    return tag("figure", held, tag("figcaption", caption))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], cls: str = "") -> Html:
    """A table; cells that start with a digit, a minus or a dash are figures of even width and never break."""

    def cell(value: object) -> Html:
        text = str(value)
        return tag("td", value, cls="n") if text[:1].isdigit() or text[:1] in ("−", "–") else tag("td", value)

    header = tag("thead", tag("tr", *(tag("th", name) for name in head)))
    body = tag("tbody", *(tag("tr", *map(cell, row)) for row in rows))
    return tag("div", tag("table", header, body, cls=cls), cls="scroll")


def section(anchor: str, title: str, *children: object) -> Html:
    return tag("section", tag("h2", title), *children, id=anchor)


def document(title: str, kind: str, body: Sequence[object]) -> str:
    """A whole page with the style sheet inside."""
    style = files("nas_ctx.analysis.report").joinpath("style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "),
        Html('img-src data:">'),
        tag("title", title),
        tag("style", Html(style)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *body)), lang='en', **{'data-kind': kind})}\n"


def footer(name: str = "report") -> Html:
    return tag("footer", f"Made by nas_ctx. Everything on this page is also in {name}.json beside it.")


def tile(value: str, name: str, detail: str) -> Html:
    return tag("div", tag("b", value), tag("span", name), tag("small", detail), cls="tile")


def note_list(notes: Sequence[Note]) -> Html:
    return tag("ul", *(tag("li", tag("b", note.kind), " ", note.text) for note in notes), cls="notes")


def shortened(fact: object) -> object:
    """A fact for a table: the hash of a commit is cut to its first ten digits.

    >>> shortened("809eae48dabef0833ca2a02bd59ad93a9751a6ad+"), shortened(3)
    ('809eae48da+', 3)
    """
    found = re.fullmatch(r"([0-9a-f]{10})[0-9a-f]{30}(\+?)", fact) if isinstance(fact, str) else None
    return f"{found[1]}{found[2]}" if found else fact
