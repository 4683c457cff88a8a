"""A file as importers see it: its text, and what that is as JSON and as a table, each made when it is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nas_ctx.analysis.io.decoding import decode
from nas_ctx.analysis.io.limits import TooLarge
from nas_ctx.analysis.io.runs import Note
from nas_ctx.analysis.io.tables import Table, parse_table
from nas_ctx.errors import InputError
from nas_ctx.files import parse_json, read_bytes

NOT_JSON = object()
"""What a document is as JSON that is none."""


@dataclass(frozen=True)
class Document:
    """A file, a folder, or a text from elsewhere: ``name`` is for messages, ``suffix`` in lower case."""

    name: str
    data: bytes = b""
    suffix: str = ""
    path: Path | None = None
    remarks: list[Note] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> Document:
        """The document at ``path``; a folder has no data."""
        data = b"" if path.is_dir() else read_bytes(path)
        return cls(str(path), data, path.suffix.lower(), path)

    @property
    def is_folder(self) -> bool:
        return self.path is not None and self.path.is_dir()

    @cached_property
    def text(self) -> str:
        """The decoded text; how it was decoded is noted in ``remarks`` where it is not UTF-8."""
        text, remark = decode(self.data, self.name)
        self.remarks.extend(remark)
        return text

    @cached_property
    def json(self) -> object:
        """The content as JSON, of JSON lines a list of them; :data:`NOT_JSON` where the text does not begin like it.

        Raises:
            InputError: damaged JSON.
        """
        beginning = self.text.lstrip()
        if beginning[:1] not in ("{", "["):
            if self.suffix == ".json":
                return parse_json(self.text, self.name)
            return NOT_JSON
        lines = [line for line in self.text.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.strip()[:1] == "{" and line.strip()[-1:] == "}" for line in lines):
            return [parse_json(line, f"{self.name}, line {number}") for number, line in enumerate(lines, start=1)]
        return parse_json(self.text, self.name)

    @cached_property
    def items(self) -> list[object]:
        """The objects of a JSON list or of JSON lines, or the one object; empty where the document is no JSON."""
        try:
            content = self.json
        except InputError:
            return []
        return [] if content is NOT_JSON else content if isinstance(content, list) else [content]

    def item_name(self, number: int) -> str:
        """What item ``number`` (from 0) is called: the document, or its n-th part."""
        return f"{self.name}#{number + 1}" if isinstance(self.json, list) else self.name

    @cached_property
    def table(self) -> Table | None:
        """The text as a table with a header, or None where it is none."""
        if self.suffix == ".json" or self.text.lstrip()[:1] in ("{", "["):
            return None
        try:
            return parse_table(self.text, self.name, self.suffix)
        except TooLarge:
            raise
        except InputError:
            return None

    def read_table(self) -> Table:
        """The table, or why the text is none."""
        return self.table if self.table is not None else parse_table(self.text, self.name, self.suffix)

    @property
    def looks(self) -> str:
        """What this looks like, in a few words for an error.

        >>> Document("x", b"run,op\\n1,a\\n").looks, Document("x", b'{"a": []}').looks
        ("a table with the columns 'run', 'op'", "a JSON object with the keys 'a'")
        """
        if self.is_folder:
            return "a folder"
        if self.table is not None:
            return f"a table with the columns {_some(self.table.head)}"
        if self.items:
            first, several = self.items[0], isinstance(self.json, list)
            kind = f"a JSON list of {len(self.items)}, the first" if several else "a JSON"
            if isinstance(first, dict):
                return f"{kind} {'an ' if several else ''}object with the keys {_some(first)}"
            return f"{kind} {json.dumps(first)[:40]}"
        return f"a text that begins with {self.text.strip()[:40]!r}" if self.text.strip() else "an empty file"


def _some(names: object, most: int = 6) -> str:
    listed = [repr(name[:40]) for name in names]  # type: ignore[attr-defined]  # names of columns or keys
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
