"""Tables as people have them: comma, semicolon or tab, quoted or not, with what spreadsheets and pandas add."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nas_ctx.analysis.io.limits import MAX_CELLS, TooLarge
from nas_ctx.analysis.io.runs import Note
from nas_ctx.errors import InputError

_DECIMAL_COMMA = re.compile(r"^\s*([-+]?[0-9]+),([0-9]+)\s*$")
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[;,]*\s*(?:\r\n|\r|\n)', re.IGNORECASE)
_INDEX_NAMES = {"", "index", "unnamed: 0"}


@dataclass(frozen=True)
class Table:
    """A table with a header. Cells have no blanks around them; ``lines`` says where each row is in the file."""

    name: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    notes: tuple[Note, ...] = ()

    def column(self, name: str) -> tuple[str, ...]:
        """The cells of a column."""
        at = self.head.index(name)
        return tuple(row[at] for row in self.rows)

    def without(self, dropped: int) -> Table:
        """This table without its column at a position."""
        rows = tuple(row[:dropped] + row[dropped + 1 :] for row in self.rows)
        return Table(self.name, self.head[:dropped] + self.head[dropped + 1 :], rows, self.lines, self.notes)


def parse_table(text: str, name: str, suffix: str = "") -> Table:
    """The table in ``text``.

    A first line like ``sep=;``, as spreadsheets write it, says what separates cells. Else a tab does when ``suffix`` is
    ``.tsv`` or the header has one, or a semicolon or a comma, whichever splits the header into more cells. Where no
    comma separates cells, one within a number is its decimal comma. A first column without a name that counts the rows,
    pandas' index, is left out where a column of distinct words follows it.

    Raises:
        InputError: no table, a row of another length than the header, or a quote that does not end; it names the line.

    >>> parse_table("sep=;\\nblock ;a\\n x;0,5\\n", "t.csv").rows
    (('x', '0.5'),)
    """
    text = text.removeprefix("\ufeff")
    first, skipped = _SEPARATOR_LINE.match(text), 0
    if first is not None:
        text, skipped = text[first.end() :], 1
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = first[1] if first is not None else _separator(header, suffix)
    rows: list[tuple[str, ...]] = []
    numbers: list[int] = []
    count = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(tuple(cell.strip() for cell in cells))
                numbers.append(reader.line_num + skipped)
                count += len(cells)
                if count > MAX_CELLS:
                    raise TooLarge(f"{name}: more than {MAX_CELLS} cells")
    except csv.Error as error:
        raise InputError(f"{name}: line {reader.line_num + skipped}: {error}") from None
    if not rows:
        raise InputError(f"{name}: the table is empty")
    head, *body = rows
    if len(head) < 2 or not body:
        raise InputError(
            f"{name}: a table needs a header, a column of labels and a column per run; got {header[:60]!r}"
        )
    for number, row in zip(numbers[1:], body, strict=True):
        if len(row) != len(head):
            raise InputError(f"{name}: line {number} has {len(row)} cells but the header has {len(head)}")
    body, notes = (body, ()) if separator == "," else _with_points(body, name)
    return _without_index(Table(name, head, tuple(body), tuple(numbers[1:]), notes))


def _with_points(rows: list[tuple[str, ...]], name: str) -> tuple[list[tuple[str, ...]], tuple[Note, ...]]:
    """``rows`` with points instead of decimal commas after their labels, and a note where there were any."""
    converted = [(row[0], *(_DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in row[1:])) for row in rows]
    pairs = (pair for row, other in zip(rows, converted, strict=True) for pair in zip(row, other, strict=True))
    commas = sum(cell != other for cell, other in pairs)
    if not commas:
        return converted, ()
    told = f"{name}: {commas} {'value' if commas == 1 else 'values'} with a decimal comma"
    return converted, (Note("decimal comma", f"{told}, read as numbers: 0,5 is 0.5."),)


def _separator(header: str, suffix: str) -> str:
    if suffix == ".tsv" or "\t" in header:
        return "\t"

    def cells(separator: str) -> int:
        try:
            return len(next(csv.reader([header], delimiter=separator, skipinitialspace=True), ()))
        except csv.Error:  # what it is about is told when the table is read
            return 0

    return max(",;", key=cells)


def _without_index(table: Table) -> Table:
    """``table`` without the column in which pandas writes the number of each row."""
    counts = [str(number) for number in range(len(table.rows))]
    if len(table.head) < 3 or table.head[0].lower() not in _INDEX_NAMES or list(table.column(table.head[0])) != counts:
        return table
    labels = [row[1] for row in table.rows]
    named = table.head[1].lower() not in _INDEX_NAMES and len(set(labels)) == len(labels)
    if not named or all(re.fullmatch(r"[-+.\d]*", label) for label in labels):
        return table
    note = Note("left out", f"The first column of {table.name} only counts the rows.")
    shorter = table.without(0)
    return Table(table.name, shorter.head, shorter.rows, table.lines, (*table.notes, note))


def read_table(table: Table, *, transposed: bool = False) -> dict[str, dict[str, str]]:
    """Run -> {block: choice} of a table with a row per block, its label first, or with a row per run (``transposed``).

    Empty cells are missing ratings. Empty or repeated labels, and a run without a rating, raise
    :class:`~nas_ctx.errors.InputError`.

    >>> read_table(parse_table("block,a,b\\nx,none,local\\ny,none,\\n", "t.csv"))
    {'a': {'x': 'none', 'y': 'none'}, 'b': {'x': 'local'}}
    """
    name, columns = table.name, table.head[1:]
    refuse_repeated(columns, f"{name}: the header")
    refuse_repeated([row[0] for row in table.rows], f"{name}: the first column")
    cells = {row[0]: dict(zip(columns, row[1:], strict=True)) for row in table.rows}
    if not transposed:
        cells = {column: {label: row[column] for label, row in cells.items()} for column in columns}
    runs = {run: {block: choice for block, choice in column.items() if choice} for run, column in cells.items()}
    for run, choices in runs.items():
        if not choices:
            raise InputError(f"{name}: run {run!r} has no rating at all")
    return runs


def refuse_repeated(labels: Sequence[str], where: str) -> None:
    """Refuse labels of which one is empty or stands there twice; ``where`` begins the message."""
    seen: set[str] = set()
    for number, label in enumerate(labels):
        if not label:
            raise InputError(f"{where} has an empty label at position {number + 2}")
        if label in seen:
            raise InputError(f"{where} has {label!r} twice")
        seen.add(label)
