"""CSV and TSV of any tool: a row per block, a column per run, the first column the label of the block."""

from __future__ import annotations

import csv
import io
import re

from nas_ctx.errors import InputError

_DECIMAL_COMMA = re.compile(r"^\s*([-+]?[0-9]+),([0-9]+)\s*$")


def read_table(text: str, name: str, *, transposed: bool = False, suffix: str = "") -> dict[str, dict[str, str]]:
    """Run -> {block: choice} from a table with a header; ``transposed`` tables have a row per run.

    A tab separates cells when ``suffix`` is ``.tsv`` or the header has one, else a semicolon or a comma, whichever the
    header has more of. Empty cells are missing ratings. Where no comma separates cells, one within a number is its
    decimal comma. Rows of other length, empty or repeated labels and an empty
    table raise :class:`~nas_ctx.errors.InputError` naming the line.

    >>> read_table("block,a,b\\nx,none,local\\ny,none,\\n", "t.csv")
    {'a': {'x': 'none', 'y': 'none'}, 'b': {'x': 'local'}}
    """
    lines = [line for line in text.removeprefix("\ufeff").splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{name}: the table is empty")
    header = lines[0]
    separator = "\t" if suffix == ".tsv" or "\t" in header else max(",;", key=header.count)
    rows = []
    try:
        reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=separator, strict=True)
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise InputError(f"{name}: line {reader.line_num}: {error}") from None
    _, names = rows[0]
    if len(names) < 2 or len(rows) < 2:
        raise InputError(
            f"{name}: a table needs a header, a column of labels and a column per run; got {header[:60]!r}"
        )
    columns = names[1:]
    _refuse_repeated(columns, f"{name}: the header")
    _refuse_repeated([row[0] for _, row in rows[1:]], f"{name}: the first column")
    cells: dict[str, dict[str, str]] = {}
    for number, row in rows[1:]:
        if len(row) != len(names):
            raise InputError(f"{name}: line {number} has {len(row)} cells but the header has {len(names)}")
        values = row[1:] if separator == "," else [_DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in row[1:]]
        cells[row[0]] = dict(zip(columns, values, strict=True))
    if not transposed:
        cells = {column: {label: row[column] for label, row in cells.items()} for column in columns}
    runs = {run: {block: choice for block, choice in column.items() if choice.strip()} for run, column in cells.items()}
    for run, choices in runs.items():
        if not choices:
            raise InputError(f"{name}: run {run!r} has no rating at all")
    return runs


def _refuse_repeated(labels: list[str], where: str) -> None:
    for number, label in enumerate(labels):
        if not label.strip():
            raise InputError(f"{where} has an empty label at position {number + 2}")
        if label in labels[:number]:
            raise InputError(f"{where} has {label!r} twice")
