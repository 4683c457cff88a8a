"""Rows of a table that were measured elsewhere, entered by hand and shown as they were printed there."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nas_ctx.errors import InputError, suggestion
from nas_ctx.evaluation.contrasts import DELTA
from nas_ctx.evaluation.table_text import MISSING
from nas_ctx.files import read_csv


def read_quoted(path: str | os.PathLike[str], tasks: Iterable[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with the columns ``network`` and any of ``tasks`` and ``delta_m``: column -> text.

    Raises:
        InputError: an unreadable file, an unknown column, a line without a name or of another length, or a text that is
            neither a number nor empty.
    """
    known = ["network", *tasks, DELTA]
    head, *lines = read_csv(path) or [[]]
    if head[:1] != ["network"]:
        raise InputError(f"{path}: line 1: expected the columns network, {', '.join(known[1:])}, got {', '.join(head)}")
    for name in head:
        if name not in known:
            raise InputError(f"{path}: unknown column {name!r}; known: {', '.join(known)}{suggestion(name, known)}")
    rows = []
    for number, line in enumerate(lines, 2):
        if not line:
            continue
        if len(line) != len(head) or not line[0].strip():
            raise InputError(f"{path}: line {number}: expected a name and {len(head) - 1} numbers, got {line}")
        row = dict(zip(head, (text.strip() for text in line), strict=True))
        for name in head[1:]:
            row[name] = _printed(row[name], f"{path}: line {number}: {name}")
        rows.append(row)
    return rows


def _printed(text: str, place: str) -> str:
    if text in ("", "-", MISSING):
        return MISSING
    try:
        float(text)
    except ValueError:
        raise InputError(f"{place}: {text!r}: expected a number, or nothing") from None
    return text
