"""Architectures of NAS-Bench-201, written ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|``.

The nodes are separated by ``+``; each has an operation for every node before it, ``operation~source``. Read alone in a
text, from a log, from a key of JSON objects, and from a column of a table.

Source: Dong & Yang, "NAS-Bench-201", ICLR 2020, and ``str2structure`` of github.com/D-X-Y/NAS-Bench-201.
"""

from __future__ import annotations

import re
from typing import Any

from nas_ctx.analysis.cells import choices_of
from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats.base import Importer, ReadOptions, Runs
from nas_ctx.analysis.io.formats.texts import Place, run_of_record, runs_of_text
from nas_ctx.analysis.io.runs import Run
from nas_ctx.errors import InputError

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The one candidate set of all six edges."""
_OPERATION = r"[^\s|~+]{1,60}~\d{1,3}"
_ARCHITECTURE = re.compile(rf"\|(?:{_OPERATION}\|){{1,40}}(?:\+\|(?:{_OPERATION}\|){{1,40}}){{1,40}}")
_BEGINNING = re.compile(r"\|[^\s|~+]{1,60}~\d{1,3}\|\+\|")


class NasBench201Strings(Importer):
    """See the module."""

    title = "NAS-Bench-201 strings, |nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|: text, logs, JSON, CSV"
    source = "github.com/D-X-Y/NAS-Bench-201"

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        if document.is_folder:
            return False
        if document.items:
            return all(_key_of(item) is not None for item in document.items)
        return _BEGINNING.search(document.text) is not None

    def read(self, document: Document, options: ReadOptions) -> Runs:
        if document.items:
            rows = [(document.item_name(i), document.item_name(i), item) for i, item in enumerate(document.items)]
            return [_from_item(item, place, source) for place, source, item in rows], []
        table = document.table
        if table is not None and any(map(_ARCHITECTURE.fullmatch, table.rows[0])):
            records = [dict(zip(table.head, row, strict=True)) for row in table.rows]
            runs = []
            for line, item in zip(table.lines, records, strict=True):
                run = _from_item(item, f"{document.name}, line {line}", document.name)
                runs.append(run if run.own_name else run.called(f"line {line}"))
            return runs, []
        return _from_text(document, options)


def _key_of(item: object) -> str | None:
    """The key of an object under which it has an architecture; "" where the item is one; None where there is none."""
    if isinstance(item, str):
        return "" if _ARCHITECTURE.fullmatch(item.strip()) else None
    if not isinstance(item, dict):
        return None
    return next((k for k, v in item.items() if isinstance(v, str) and _ARCHITECTURE.fullmatch(v.strip())), None)


def _from_item(item: Any, place: str, source: str) -> Run:
    key = _key_of(item)
    if key is None:
        raise InputError(f"{place}: expected an architecture like |nor_conv_3x3~0|+|none~0|none~1|, got {item!r:.60}")
    if key == "":
        return architecture_run(item, place, source=source)
    return run_of_record(item, key, place, source, architecture_run)


def _from_text(document: Document, options: ReadOptions) -> Runs:
    places = [Place(match.start(), match.end(), match[0]) for match in _ARCHITECTURE.finditer(document.text)]
    if not places:
        raise InputError(f"{document.name}: no architecture like |nor_conv_3x3~0|+|none~0|none~1|+... in it")
    return runs_of_text(document, places, options.step, architecture_run)


def architecture_run(text: str, name: str, **more: Any) -> Run:
    """The run of an architecture; the message of an error begins with ``name``.

    >>> dict(architecture_run("|nor_conv_3x3~0|+|skip_connect~1|none~0|", "x").genotype)
    {'0->1': 'nor_conv_3x3', '0->2': 'none', '1->2': 'skip_connect'}
    """
    picks: dict[int, list[tuple[int, str]]] = {}
    for node, listed in enumerate(text.strip().split("+"), start=1):
        entries = [entry.rpartition("~") for entry in listed.strip("|").split("|")]
        picks[node] = [(int(source), operation) for operation, _, source in entries]
        if sorted(source for source, _ in picks[node]) != list(range(node)):
            raise InputError(f"{name}: node {node} needs one operation for each of the nodes 0 to {node - 1}: {listed}")
    blocks = choices_of("", 1, picks)
    settings = dict(more.pop("settings", {}))
    known = set(blocks.values()) <= set(OPERATIONS)
    if known:
        settings["candidates"] = {block: list(OPERATIONS) for block in blocks}
    return Run(name, blocks, form="nasbench201", settings=settings, candidates_from="NAS-Bench-201", **more)
