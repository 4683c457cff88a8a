"""Contrasts: which rows of a table are compared, in which metric.

A few are *primary*: declared in a file before the runs. Without a file they are those of every row with the reference
row, in delta_m. Every other comparison of a row with the reference row, in a task's metric, is exploratory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nas_ctx.config.checking import checked
from nas_ctx.config.nested import read_yaml
from nas_ctx.config.section import Section
from nas_ctx.errors import InputError, suggestion

DELTA = "delta_m"


class Contrast(Section):
    """Two rows, compared in one metric."""

    row: str
    """The row that may be better."""
    against: str | None = None
    """The row that it is compared with; null: the reference row of the table."""
    metric: str = DELTA
    """``"<task>/<metric>"``, or ``delta_m``."""


def read_contrasts(path: Path) -> list[Contrast]:
    """The contrasts that a YAML file declares: a list ``contrasts`` of ``row``, ``against`` and ``metric``.

    Raises:
        InputError: an unreadable file, or an unknown key.
    """
    entries = _content(path).get("contrasts")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: contrasts: expected a list of keys and values, at least one")
    places = [f"{path}: contrasts.{number}." for number in range(len(entries))]
    return [checked(Contrast, entry, partial(_at, place)) for entry, place in zip(entries, places, strict=True)]


def read_chosen_on(path: Path, rows: Sequence[str]) -> list[str]:
    """On what rates and other settings of the rows were chosen, as the file says under ``chosen_on``: one text for all
    rows, or a text for each row, "*" for all others. A line of a table each.

    Raises:
        InputError: no text, or a row that the table does not have.
    """
    said = _content(path).get("chosen_on", {})
    texts = {"*": said} if isinstance(said, str) else said
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise InputError(f"{path}: chosen_on: expected a text, or a text for each row")
    for row in texts.keys() - {"*"}:
        if row not in rows:
            raise InputError(f"{path}: chosen_on: {row!r}: the table has {', '.join(rows)}{suggestion(str(row), rows)}")
    others = "settings of all other rows" if len(texts) > 1 else "settings of all rows"
    return [f"{others if row == '*' else f'settings of {row!r}'} were chosen on {text}" for row, text in texts.items()]


def _content(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if unknown := sorted(content.keys() - {"contrasts", "chosen_on"}):
        raise InputError(f"{path}: {unknown[0]}: unknown key; known: contrasts, chosen_on")
    return content


def _at(place: str, key: str) -> str:
    """Where a key of an entry stands."""
    return place


def resolved(
    contrasts: Sequence[Contrast], reference: str, rows: Sequence[str], metrics: Sequence[str], place: str
) -> list[Contrast]:
    """The contrasts with ``against`` set.

    ``place`` is where they are declared, for errors.

    Raises:
        InputError: for a row or a metric that the table does not have, or a row against itself.
    """
    result = [contrast.model_copy(update={"against": contrast.against or reference}) for contrast in contrasts]
    known = {"row": rows, "against": rows, "metric": metrics}
    for number, contrast in enumerate(result):
        for key, name in contrast.model_dump().items():
            if name not in known[key]:
                message = f"{place}.{number}.{key}: {name!r}: the table has {', '.join(known[key])}"
                raise InputError(message + suggestion(name, known[key]))
        if contrast.row == contrast.against:
            raise InputError(f"{place}.{number}: compares {contrast.row!r} with itself")
    return result
