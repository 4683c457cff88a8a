"""NNI: exports of ``nnictl experiment export``, and cells in the dictionaries of ``export_top_models``.

The export is a JSON list of ``{"parameter": {...}, "value": metric, "trialJobId": id}``, or a table with the parameters
and metrics as columns beside ``trialJobId``. A dictionary holds a :class:`nni.nas.nn.pytorch.Cell` slot by slot,
``op_<node>_<slot>`` and ``input_<node>_<slot>``; since slots have no order, it is read as the edges of the cell.

Source: ``nni/tools/nnictl/nnictl_utils.py`` and ``nni/nas/nn/pytorch/cell.py`` of NNI 3.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nas_ctx.analysis.cells import choices_of, edge_candidates, edges_of
from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats.base import Importer, ReadOptions, Runs
from nas_ctx.analysis.io.formats.texts import number_of
from nas_ctx.analysis.io.formats.trials import trials
from nas_ctx.analysis.io.nni_record import plain_values
from nas_ctx.analysis.io.plausible import plausible
from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.errors import InputError
from nas_ctx.files import parse_json
from nas_ctx.genotype import Choice, Genotype

_SLOT = re.compile(r"(?:(?P<cell>.+)/)?(?P<kind>op|input)_(?P<node>\d{1,4})_(?P<slot>\d{1,4})")
_OF_SLOTS = ("candidates", "probabilities", "decided_at", "inactive")  # what is recorded by slot
_RESULTS = ("reward", "default", "intermediate")


class NNIExports(Importer):
    """See the module."""

    title = "NNI: nnictl experiment export, JSON or CSV; parameters are the choices, metrics the scores"
    source = "NNI 3.0, nni/tools/nnictl/nnictl_utils.py"

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        if document.items:
            return all(isinstance(item, dict) and {"parameter", "value"} <= set(item) for item in document.items)
        return document.table is not None and "trialJobId" in document.table.head

    def read(self, document: Document, options: ReadOptions) -> Runs:
        runs = _of_json(document) if document.items else _of_table(document)
        runs, notes = plausible(runs, options.choices, options.scores)
        return trials(runs, notes, document.name, options)


def _of_json(document: Document) -> list[Run]:
    runs = []
    for number, item in enumerate(document.items):
        where = document.item_name(number)
        if not isinstance(item, dict):
            raise InputError(f"{where}: expected an object with 'parameter' and 'value'")
        parameters = _decoded(item.get("parameter"), f"{where}: parameter")
        if not isinstance(parameters, dict):
            raise InputError(f"{where}: parameter: expected an object, got {parameters!r:.60}")
        value = _decoded(item.get("value"), f"{where}: value")
        metrics = value if isinstance(value, dict) else {"default": value}
        scores = {key: score for key, given in metrics.items() if (score := number_of(given)) is not None}
        run = parameters_run(parameters, where, document.name, scores)
        runs.append(run.called(str(item.get("trialJobId") or item.get("id") or f"#{number + 1}")))
    return runs


def _decoded(value: object, where: str) -> object:
    """NNI stores results as JSON within text."""
    return parse_json(value, where) if isinstance(value, str) else value


def _of_table(document: Document) -> list[Run]:
    table = document.read_table()
    if "trialJobId" not in table.head:
        raise InputError(
            f"{document.name}: expected a column trialJobId, as NNI writes it; got {', '.join(table.head):.80}"
        )
    runs = []
    for row, line in zip(table.rows, table.lines, strict=True):
        cells = dict(zip(table.head, row, strict=True))
        name = cells.pop("trialJobId")
        scores = {key: number for key in _RESULTS if (number := number_of(cells.pop(key, None))) is not None}
        parameters = {key: cell for key, cell in cells.items() if cell}
        runs.append(parameters_run(parameters, f"{document.name}, line {line}", document.name, scores).called(name))
    return runs


def parameters_run(parameters: Mapping[str, Any], where: str, source: str, scores: Mapping[str, float]) -> Run:
    """The run of a trial whose parameters are its choices; those that are no plain values are left out.

    A parameter of a nested search space is an object with ``_name``, which is what was chosen, and further ones.
    """
    plain = plain_values(dict(parameters))
    if not plain:
        raise InputError(f"{where}: no parameter that can be a choice")
    return Run(where, Genotype(plain), source, metrics=scores, form="nni")


def cells_as_edges(runs: Sequence[Run]) -> Runs:
    """``runs`` with the slots of their cells as edges, unless some of these runs have histories, which are by slot."""
    edges = [with_edges(run.genotype) for run in runs]
    slotted = [run for run, own in zip(runs, edges, strict=True) if own != dict(run.genotype)]
    if any(run.history is not None for run in slotted):
        text = (
            "The cells of these runs are compared slot by slot, as their histories are, so that the same edge in the "
            "other slot of its node counts as another choice. To compare edges, give genotype.json of each run."
        )
        return list(runs), [Note("cells", text)]
    return [_of_edges(run, own) if own != dict(run.genotype) else run for run, own in zip(runs, edges, strict=True)], []


def _of_edges(run: Run, choices: dict[str, Choice]) -> Run:
    settings = {key: value for key, value in run.settings.items() if key not in _OF_SLOTS}
    source = run.candidates_from
    if edges_of(list(choices)) is not None:
        recorded = run.settings.get("candidates")
        slots = recorded if isinstance(recorded, Mapping) else {}
        lists = [values for label, values in slots.items() if (slot := _SLOT.fullmatch(label)) and slot["kind"] == "op"]
        operations = [str(choice) for values in lists if isinstance(values, list | tuple) for choice in values]
        texts = {block: str(choice) for block, choice in choices.items()}
        settings["candidates"] = edge_candidates(texts, operations)
        source = source if operations else "the operations that occur"
    return replace(run, genotype=choices, settings=settings, form="nni", candidates_from=source)


def with_edges(choices: Mapping[str, Choice]) -> dict[str, Choice]:
    """``choices`` with the slots of cells as their edges, which have no order.

    >>> with_edges({"n/op_1_0": "conv", "n/input_1_0": [0], "n/op_2_0": "skip", "n/input_2_0": 1, "depth": 3})
    {'depth': 3, 'n 0->1': 'conv', 'n 0->2': 'absent', 'n 1->2': 'skip'}
    """
    slots: dict[str, dict[tuple[int, int], dict[str, Any]]] = {}
    rest: dict[str, Choice] = {}
    for label, choice in choices.items():
        match = _SLOT.fullmatch(label)
        if match is None:
            rest[label] = choice
            continue
        key = int(match["node"]), int(match["slot"])
        slots.setdefault(match["cell"] or "", {}).setdefault(key, {})[match["kind"]] = choice
    if not slots or not all(map(_whole, slots.values())):
        return dict(choices)
    for cell, filled in slots.items():
        picks: dict[int, list[tuple[int, str]]] = {}
        for (node, _), slot in sorted(filled.items()):
            picks.setdefault(node, []).append((_source(slot["input"]), str(slot["op"])))
        rest |= choices_of(cell, min(picks), picks)
    return rest


def _whole(cell: Mapping[tuple[int, int], Mapping[str, Any]]) -> bool:
    """Whether each slot of a cell has an operation and one input before its node."""
    return all(set(slot) == {"op", "input"} and 0 <= _source(slot["input"]) < node for (node, _), slot in cell.items())


def _source(value: Any) -> int:
    value = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
    number = number_of(value)
    return int(number) if number is not None and number.is_integer() else -1
