"""Contrasts: which rows of a table are compared, in which metric.

A few are *primary*: declared in a file before the runs. Without a file they are those of every row with the reference
row, in delta_m. Every other comparison of a row with the reference row, in a task's metric, is exploratory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

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
    content = read_yaml(path)
    if unknown := sorted(content.keys() - {"contrasts"}):
        raise InputError(f"{path}: {unknown[0]}: unknown key; known: contrasts")
    entries = content.get("contrasts")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: contrasts: expected a list of keys and values, at least one")
    places = [f"{path}: contrasts.{number}." for number in range(len(entries))]
    return [checked(Contrast, entry, partial(_at, place)) for entry, place in zip(entries, places, strict=True)]


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
