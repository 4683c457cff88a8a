"""The legend of the choices: their colours, and their letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from nas_ctx.analysis.choice_table import ChoiceTable
from nas_ctx.analysis.grid import Grid
from nas_ctx.analysis.report.figures.canvas import Canvas, fitted, width_of, wrapped
from nas_ctx.analysis.report.palette import EDGE, INK, MUTED, colours, ink_on

_MOST = 80  # choices that a legend names
_FEW = 12  # candidates that it names though nobody chose them


class Chosen(Protocol):
    """What runs chose, as far as drawings need it: the record of a report, or one search."""

    @property
    def table(self) -> ChoiceTable: ...

    @property
    def blocks(self) -> tuple[str, ...]: ...

    @property
    def grid(self) -> Grid | None: ...


def palette_of(record: Chosen) -> dict[str, str]:
    """The colour of each choice by its text."""
    return dict(zip(record.table.texts, colours(record.table.texts), strict=True))


class Legend:
    """The choices of ``record`` in rows of at most ``width``, with ``notes`` below; its ``height`` is known at once."""

    def __init__(
        self, record: Chosen, width: float, notes: Sequence[str] = (), letters: Mapping[str, str] | None = None
    ) -> None:
        self.fills = palette_of(record)
        self.letters = letters
        self.rows: list[list[tuple[str, float]]] = [[]]
        x = 0.0
        for text in record.table.texts[:_MOST]:
            needed = 26 + min(width_of(text), 170.0) + 20
            if x + needed - 20 > width and self.rows[-1]:
                self.rows.append([])
                x = 0.0
            self.rows[-1].append((text, x))
            x += needed
        more = len(record.table.texts) - _MOST
        remarks = [f"and {more} more choices"] * (more > 0) + _never_chosen(record) + list(notes)
        self.notes = wrapped("; ".join(remarks), width, 11.5) if remarks else []
        self.height = 20.0 * len(self.rows) + 18 * len(self.notes) + 8

    def draw(self, canvas: Canvas, left: float, top: float) -> None:
        """Draw it with its upper left corner at the given place."""
        for row in self.rows:
            for text, offset in row:
                x, size = left + offset, 14 if self.letters is None else 18
                canvas.box(x, top, size, 14, self.fills[text], edge=EDGE)
                canvas.text(x + size + 6, top + 11.5, fitted(text, 170), colour=INK)
                if self.letters is not None:
                    ink = ink_on(self.fills[text])
                    canvas.text(x + size / 2, top + 11, self.letters[text], size=10.5, anchor="center", colour=ink)
            top += 20
        for line in self.notes:
            canvas.text(left, top + 12, line, size=11.5, colour=MUTED)
            top += 18


def _never_chosen(record: Chosen) -> list[str]:
    """What the blocks could have chosen besides."""
    names = record.table.unchosen
    listed = ", ".join(fitted(name, 170) for name in names[:_FEW])
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return [f"offered and never chosen: {listed}{more}"] if names else []
