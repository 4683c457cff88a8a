"""The picture fits the space: cells as graphs, tasks where there are tasks, and else a list."""

from __future__ import annotations

import re

from matplotlib.lines import Line2D

from nas_ctx.analysis import load_runs, reliability, write_report
from nas_ctx.analysis.report.figures.canvas import settings
from nas_ctx.analysis.report.figures.cell_graphs import cells_figure, cells_of
from nas_ctx.analysis.report.figures.votes import vote_figure

from .test_importers import ARCH, OTHER, SECOND, written


def drawn(canvas):
    """Tip -> (from, to, width) of the arcs, their ends as numbers of nodes."""
    arcs = {}
    for line in canvas.figure.findobj(Line2D):
        tip = canvas.tips.get(line.get_gid() or "")
        if tip and len(line.get_xdata()) > 2:
            xs = line.get_xdata()
            arcs[tip] = (round((xs[0] - 60) / 132), round((xs[-1] - 60) / 132), line.get_linewidth())
    return arcs


def test_cells_are_drawn_as_nodes_and_arcs_as_thick_as_their_votes(tmp_path):
    paths = [written(tmp_path, f"{i}.txt", text) for i, text in enumerate((SECOND, SECOND, OTHER))]
    record = reliability(load_runs(paths), draws=20)
    with settings():
        arcs = drawn(cells_figure(record, cells_of(record)))
    assert len(arcs) == 17  # 8 edges in each cell, and the one that OTHER has instead of another
    by_edge = {tip.split(" – ")[0]: arc for tip, arc in arcs.items()}
    assert by_edge["normal 0->2"] == (0, 2, 6)
    assert by_edge["normal 2->5"] == (2, 5, 1 + 5 * 2 / 3)
    assert by_edge["normal 4->5"] == (4, 5, 1 + 5 * 1 / 3)
    assert "normal 2->5 – dil_conv_3x3: 2, absent: 1 of 3" in arcs


def test_a_page_of_cells_speaks_of_no_tasks(tmp_path):
    paths = [
        written(tmp_path, f"{i}.txt", text) for i, text in enumerate((ARCH, ARCH.replace("skip_connect~2", "none~2")))
    ]
    page = write_report(reliability(load_runs(paths), draws=20), tmp_path / "out", figures=False).read_text()
    assert "Each arc is an edge of a cell" in page
    assert not re.search(r"\b(tasks?|targets?)\b", page[page.index("<body") :], re.IGNORECASE)


def test_labels_with_a_slash_that_name_no_tasks_are_a_list(tmp_path):
    runs = [{"layer1/op": "conv", "layer2/op": "skip"}, {"layer1/op": "conv", "layer2/op": "conv"}]
    record = reliability(runs, draws=20)
    assert record.grid is None
    assert record.tasks == ()
    page = write_report(record, tmp_path / "out", figures=False).read_text()
    assert not re.search(r"\b(tasks?|targets?)\b", page[page.index("<body") :], re.IGNORECASE)
    assert "| block | voted | votes |" in (tmp_path / "out" / "report.md").read_text()


def test_large_graphs_are_a_list():
    """Fifty edges of a cell with eleven nodes: arcs would hide each other."""
    choices = {f"{source}->{node}": "conv" for node in range(1, 11) for source in range(node)}
    record = reliability([choices, choices], draws=20)
    assert cells_of(record) is None
    assert "Votes on 55 blocks" in vote_figure(record).label
