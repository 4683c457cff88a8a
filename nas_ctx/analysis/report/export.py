"""The ratings for other programs, and the consensus in the form in which the runs came.

A package of R such as ``irr`` takes subjects in rows and raters in columns: blocks and runs. pandas reads the JSON by
``read_json``. A missing rating is NA in the CSV, and left out of the JSON and the long table.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from nas_ctx.analysis.cells import ABSENT, BOTH, Edge
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.csv_tables import csv_text
from nas_ctx.errors import InputError, unknown_name
from nas_ctx.genotype import Choice

FORMS = ("csv", "json", "long")
"""How the ratings can be exported."""


def exported(record: Reliability, forms: Iterable[str]) -> dict[str, str]:
    """File name -> text of the rating table in some of the :data:`FORMS`."""
    runs, blocks = record.runs, record.table.all_blocks
    files = {}
    for form in dict.fromkeys(forms):
        if form == "csv":
            rows = [[_text(run.genotype, block, record) for run in runs] for block in blocks]
            head = ("block", *(run.name for run in runs))
            files["ratings.csv"] = csv_text([head, *((block, *row) for block, row in zip(blocks, rows, strict=True))])
        elif form == "json":
            table = {
                run.name: {block: run.genotype[block] for block in blocks if block in run.genotype} for run in runs
            }
            files["ratings.json"] = json.dumps(table, indent=1, ensure_ascii=False) + "\n"
        elif form == "long":
            present = [(run, block) for run in runs for block in blocks if block in run.genotype]
            ratings = ((run.name, block, _text(run.genotype, block, record)) for run, block in present)
            files["ratings-long.csv"] = csv_text([("run", "block", "choice"), *ratings])
        else:
            raise unknown_name("export", form, FORMS)
    return files


def _text(genotype: Mapping[str, Choice], block: str, record: Reliability) -> str:
    if block not in genotype:
        return "NA"
    choice = genotype[block]
    return choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False)


def consensus_as_given(record: Reliability) -> tuple[str, str] | None:
    """(file name, text) of the consensus as the runs came: a genotype of DARTS, a string of NAS-Bench-201, or the
    dictionary of NNI; None where they came otherwise, or a tie stands.

    Where the vote gives a node another number of edges than the runs have, it keeps those that most runs have.

    Raises:
        InputError: which edges these are is a tie.
    """
    forms = {run.form for run in record.runs}
    consensus = record.consensus
    if consensus is None or len(forms) != 1:
        return None
    form = forms.pop()
    if form == "nasbench201":
        return "consensus.txt", _nas_bench_201(consensus) + "\n"
    edges = {block: edge for block in consensus if (edge := Edge.of(block)) is not None}
    if form == "darts" and len(edges) == len(consensus):
        return "consensus.txt", _darts(record, consensus, edges) + "\n"
    if form in ("nni", "flat"):
        rest = {block: choice for block, choice in consensus.items() if block not in edges}
        return "consensus.nni.json", json.dumps(rest | _slots(record, consensus, edges), indent=1) + "\n"
    return None


def _nas_bench_201(choices: Mapping[str, Choice]) -> str:
    nodes: dict[int, list[tuple[int, str]]] = {}
    for block, choice in choices.items():
        edge = Edge.of(block)
        assert edge is not None
        nodes.setdefault(edge.node, []).append((edge.source, str(choice)))
    texts = ("".join(f"{op}~{source}|" for source, op in sorted(nodes[node])) for node in sorted(nodes))
    return "+".join(f"|{text}" for text in texts)


def _darts(record: Reliability, choices: Mapping[str, Choice], edges: Mapping[str, Edge]) -> str:
    picked = _picked(record, choices, edges)
    parts = []
    for cell in dict.fromkeys(edge.cell for edge in edges.values()):
        nodes = sorted(node for known, node in picked if known == cell)
        listed = [(op, source) for node in nodes for source, op in picked[cell, node]]
        parts += [f"{cell}={listed!r}", f"{cell}_concat=range({nodes[0]}, {nodes[-1] + 1})"]
    return f"Genotype({', '.join(parts)})"


def _slots(record: Reliability, choices: Mapping[str, Choice], edges: Mapping[str, Edge]) -> dict[str, Choice]:
    slots: dict[str, Choice] = {}
    for (cell, node), taken in _picked(record, choices, edges).items():
        for slot, (source, operation) in enumerate(taken):
            place = f"{cell}/" if cell else ""
            slots |= {f"{place}op_{node}_{slot}": operation, f"{place}input_{node}_{slot}": (source,)}
    return slots


def _picked(
    record: Reliability, choices: Mapping[str, Choice], edges: Mapping[str, Edge]
) -> dict[tuple[str, int], list[tuple[int, str]]]:
    """(cell, node) -> (source, operation) of the edges that it keeps: as many as in the runs."""
    picked = {}
    for cell, node in dict.fromkeys((edge.cell, edge.node) for edge in edges.values()):
        here = {block: edge for block, edge in edges.items() if (edge.cell, edge.node) == (cell, node)}
        counts = Counter(sum(len(_operations(run.genotype[block])) for block in here) for run in record.runs)
        wanted = counts.most_common(1)[0][0]
        present = {
            block: [run.genotype[block] for run in record.runs if run.genotype[block] != ABSENT] for block in here
        }
        taken = [block for block in here if choices[block] != ABSENT]
        if sum(len(_operations(choices[block])) for block in taken) != wanted:
            ranked = sorted(here, key=lambda block: -len(present[block]))
            if len(ranked) > wanted and len(present[ranked[wanted - 1]]) == len(present[ranked[wanted]]):
                tied = [block for block in ranked if len(present[block]) == len(present[ranked[wanted]])]
                raise InputError(
                    f"the consensus is not written as the runs came: node {node}{f' of {cell}' if cell else ''} has "
                    f"{wanted} edges, and {', '.join(tied)} are in equally many runs"
                )
            taken = sorted(ranked[:wanted], key=lambda block: here[block])
        picked[cell, node] = [
            (here[block].source, operation)
            for block in taken
            for operation in _operations(choices[block] if choices[block] != ABSENT else _most(present[block]))
        ]
    return picked


def _operations(choice: Choice) -> list[str]:
    return [] if choice == ABSENT else str(choice).split(BOTH)


def _most(choices: list[Choice]) -> Choice:
    return Counter(choices).most_common(1)[0][0]
