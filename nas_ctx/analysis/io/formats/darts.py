"""Genotypes of DARTS and of the searches that took over its form.

``Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ...], normal_concat=range(2, 6), reduce=[...], ...)``: each
two entries are the incoming edges of one node, with the operation and the number of the source. Read from a text, a
log or Python's source; as the JSON or YAML of such a tuple or of its fields; and from a column or key that holds one.

Source: ``cnn/genotypes.py`` and ``cnn/train_search.py`` of github.com/quark0/darts (Liu et al., ICLR 2019); GDAS of
github.com/D-X-Y/AutoDL-Projects writes the two edges of a node as a pair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from nas_ctx.analysis.cells import choices_of, edge_candidates
from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats.base import Importer, ReadOptions, Runs
from nas_ctx.analysis.io.formats.literals import Call, parse_literal
from nas_ctx.analysis.io.formats.texts import Place, run_of_record, runs_of_text
from nas_ctx.analysis.io.runs import Run
from nas_ctx.config.safe_yaml import YAMLRefused, parse_yaml
from nas_ctx.errors import InputError

PRIMITIVES = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""What an edge of DARTS can get; "none" is searched too, and never taken."""
INPUTS = 2
_CELLS = ("normal", "reduce")
_BEGINNING = re.compile(r"\bGenotype\(")
_KEYS = ("genotype", "arch", "architecture", "Genotype")
_FIELDS = {"normal", "normal_concat", "reduce", "reduce_concat"}


class DartsGenotypes(Importer):
    """See the module."""

    title = "DARTS genotypes, Genotype(normal=[('sep_conv_3x3', 1), ...], ...): text, logs, Python, JSON, YAML, CSV"
    source = "github.com/quark0/darts, cnn/genotypes.py"

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        if document.is_folder:
            return False
        if document.items:
            return _fields(document.json) is not None or all(_of_item(item) is not None for item in document.items)
        if document.suffix in (".yaml", ".yml") and re.search(r"^\W*normal\W*:", document.text, re.MULTILINE):
            return True
        return _BEGINNING.search(document.text) is not None

    def read(self, document: Document, options: ReadOptions) -> Runs:
        if document.items:
            return _from_json(document), []
        if document.table is not None and (column := genotype_column(document)) is not None:
            return _from_table(document, column), []
        if document.suffix in (".yaml", ".yml") and _BEGINNING.search(document.text) is None:
            return _from_yaml(document), []
        return _from_text(document, options)


def genotype_column(document: Document) -> str | None:
    """The column of a table in which each cell is a genotype, if there is one."""
    table = document.table
    assert table is not None
    if any(map(_BEGINNING.search, table.head)):  # no table, but genotypes that have commas
        return None
    return next((name for name in table.head if all(map(_BEGINNING.match, table.column(name)))), None)


def _of_item(item: object) -> tuple[object, str] | None:
    """What a JSON object has as its genotype, and under which key; "" where the object is one itself."""
    if _fields(item) is not None:
        return item, ""
    if isinstance(item, str) and _BEGINNING.match(item.strip()):
        return item, ""
    if not isinstance(item, dict):
        return None
    for key in _KEYS:
        if key in item and (_fields(item[key]) is not None or _of_item(item[key]) is not None):
            return item[key], key
    return None


def _fields(value: object) -> dict[str, Any] | None:
    """The fields of a genotype: of a call, of an object, or of the list of four that JSON makes of the named tuple."""
    if isinstance(value, Call):
        named = dict(zip(("normal", "normal_concat", "reduce", "reduce_concat"), value.arguments, strict=False))
        value = named | value.keywords
    if isinstance(value, list) and len(value) in (2, 4) and all(isinstance(part, list) for part in value):
        step = len(value) // 2
        if all(len(part) > 1 and _picks(part, "") is not None for part in value[::step]):
            return {"normal": value[0], "reduce": value[step]}
    if isinstance(value, dict) and isinstance(value.get("normal"), list):
        return value if _picks(value["normal"], "") is not None or set(value) <= _FIELDS else None
    return None


def _picks(cell: Sequence[Any], where: str) -> list[tuple[str, int]] | None:
    """(operation, source) of each entry, pairs of a node unpacked; None, or with ``where`` an error, if one is none."""
    entries: list[tuple[str, int]] = []
    for entry in cell:
        pair = isinstance(entry, list | tuple) and len(entry) > 0 and isinstance(entry[0], list | tuple)
        for each in entry if pair else [entry]:
            right = isinstance(each, list | tuple) and len(each) in (2, 3) and isinstance(each[0], str)
            if not right or isinstance(each[1], bool) or not isinstance(each[1], int) or each[1] < 0:
                if where:
                    raise InputError(f"{where}: expected pairs of an operation and a source from 0, got {each!r:.60}")
                return None
            entries.append((each[0].strip(), each[1]))
    return entries


def genotype_run(value: object, name: str, **more: Any) -> Run:
    """The run of a genotype in any of its forms; the message of an error begins with ``name``."""
    if isinstance(value, str):
        value = _parsed(value, 0, name)[0]
    fields = _fields(value)
    if fields is None:
        raise InputError(f"{name}: expected a genotype with the cells normal and reduce, got {value!r:.60}")
    blocks: dict[str, str] = {}
    for cell in [key for key in (*_CELLS, *fields) if isinstance(fields.get(key), list | tuple)]:
        if not isinstance(cell, str):
            raise InputError(f"{name}: expected the name of a cell, got {cell!r:.60}")
        if cell.endswith("concat") or any(block.startswith(f"{cell} ") for block in blocks):
            continue
        blocks |= _edges(cell, fields[cell], f"{name}: {cell}")
    candidates = edge_candidates(blocks, PRIMITIVES)
    settings = {"candidates": candidates, **more.pop("settings", {})}
    return Run(name, blocks, form="darts", settings=settings, candidates_from="the operations of DARTS", **more)


def _edges(cell: str, entries: Sequence[Any], where: str) -> dict[str, str]:
    picks = _picks(entries, where)
    if not picks or len(picks) % 2:
        raise InputError(f"{where}: expected two edges for each node, got {len(picks or ())} edges")
    nodes = {INPUTS + i // 2: picks[i : i + 2] for i in range(0, len(picks), 2)}
    for node, edges in nodes.items():
        for _, source in edges:
            if source >= node:
                raise InputError(f"{where}: node {node} cannot have node {source} as a source, but 0 to {node - 1}")
    return choices_of(cell, INPUTS, {node: [(at, op) for op, at in edges] for node, edges in nodes.items()})


def _from_json(document: Document) -> list[Run]:
    if _fields(document.json) is not None:
        return [genotype_run(document.json, document.name, source=document.name)]
    runs = []
    for number, item in enumerate(document.items):
        label = document.item_name(number)
        value, key = _of_item(item) or (item, "")
        if key and isinstance(item, dict):
            runs.append(run_of_record(item, key, label, label, genotype_run))
        else:
            runs.append(genotype_run(value, label, source=label))
    return runs


def _from_table(document: Document, column: str) -> list[Run]:
    table = document.table
    assert table is not None
    runs = []
    for row, line in zip(table.rows, table.lines, strict=True):
        item = dict(zip(table.head, row, strict=True))
        run = run_of_record(item, column, f"{document.name}, line {line}", document.name, genotype_run)
        runs.append(run if run.own_name else run.called(f"line {line}"))
    return runs


def _from_yaml(document: Document) -> list[Run]:
    text = re.sub(r"!!python/tuple\b|!!python/object/new:[\w.]*Genotype\b", "", document.text)  # lists will do
    try:
        content = parse_yaml(text)
    except YAMLRefused as error:
        raise InputError(f"{document.name}: {error}") from None
    items = content if isinstance(content, list) and _fields(content) is None else [content]
    several = len(items) > 1
    names = [f"{document.name}#{i}" if several else document.name for i in range(1, len(items) + 1)]
    pairs = [_of_item(item) or (item, "") for item in items]
    return [genotype_run(value, name, source=name) for (value, _), name in zip(pairs, names, strict=True)]


def _from_text(document: Document, options: ReadOptions) -> Runs:
    places = list(_all_in(document))
    if not places:
        raise InputError(f"{document.name}: no Genotype(...) in it")
    return runs_of_text(document, places, options.step, genotype_run)


def _all_in(document: Document) -> Iterator[Place]:
    text = document.text
    declares = "namedtuple" in text  # as the source of DARTS does, with the name of the type as text
    end, line = 0, 1
    for beginning in _BEGINNING.finditer(text):
        start = beginning.start()
        if start < end or (declares and text[beginning.end() : beginning.end() + 1] in ("'", '"')):
            continue
        line += text.count("\n", end, start)
        value, end = _parsed(text, start, f"{document.name}, line {line}")
        line += text.count("\n", start, end)
        yield Place(start, end, value)


def _parsed(text: str, start: int, name: str) -> tuple[object, int]:
    try:
        return parse_literal(text, start)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
