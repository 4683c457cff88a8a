"""Ratings that go out: what pandas, statsmodels, R and the tools that the runs came from read."""

from __future__ import annotations

import ast
import json
from collections import namedtuple

import pandas
import pytest
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from nas_ctx.analysis import FLEISS, load_runs, reliability, write_report
from nas_ctx.analysis.report.export import consensus_as_given
from nas_ctx.cli import main
from nas_ctx.errors import InputError
from tests.analysis.searches import drawn_genotypes, write_csv

from .test_importers import ARCH, OTHER, SECOND, _nni_cells, written

Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")


def test_exported_tables_are_read_by_pandas_and_by_this_package(tmp_path):
    table = write_csv(tmp_path / "t.csv", drawn_genotypes(4))
    record = reliability(load_runs(table), draws=20)
    write_report(record, tmp_path / "out", figures=False, export=["csv", "json", "long"])
    frame = pandas.read_csv(table, index_col=0, keep_default_na=False)
    exported = pandas.read_csv(tmp_path / "out" / "ratings.csv", index_col=0, keep_default_na=False)
    pandas.testing.assert_frame_equal(exported, frame)
    from_json = pandas.read_json(tmp_path / "out" / "ratings.json")
    assert from_json.to_dict() == frame.to_dict()
    long = pandas.read_csv(tmp_path / "out" / "ratings-long.csv", keep_default_na=False)
    assert long.pivot(index="block", columns="run", values="choice").to_dict() == frame.sort_index().to_dict()
    kappa = fleiss_kappa(aggregate_raters(exported.to_numpy())[0])
    assert record.result(FLEISS).value == pytest.approx(kappa)
    for name in ("ratings.csv", "ratings.json", "ratings-long.csv"):
        again = load_runs(tmp_path / "out" / name)
        assert {run.name: dict(run.genotype) for run in again} == frame.to_dict(), name


def test_missing_ratings_are_na_and_left_out(tmp_path):
    record = reliability([{"a": "x", "b": 1}, {"a": "y"}], draws=20)
    write_report(record, tmp_path, figures=False, export=["csv", "json", "long"])
    assert (tmp_path / "ratings.csv").read_text() == "block,run 1,run 2\na,x,y\nb,1,NA\n"
    assert json.loads((tmp_path / "ratings.json").read_text()) == {"run 1": {"a": "x", "b": 1}, "run 2": {"a": "y"}}
    assert (tmp_path / "ratings-long.csv").read_text().splitlines()[1:] == ["run 1,a,x", "run 1,b,1", "run 2,a,y"]


def test_a_consensus_of_darts_is_pythons_text_of_the_same_cell(tmp_path):
    paths = [written(tmp_path, f"{i}.txt", text) for i, text in enumerate((SECOND, SECOND, OTHER))]
    out = tmp_path / "out"
    assert main(["report", *map(str, paths), "--out", str(out), "--no-figures", "--draws", "20"]) == 0
    text = (out / "consensus.txt").read_text()
    call = ast.parse(text, mode="eval").body
    values = {word.arg: eval(ast.unparse(word.value), {"range": range}) for word in call.keywords}
    genotype = Genotype(**values)
    for cell in ("normal", "reduce"):
        theirs = eval(SECOND, {"Genotype": Genotype, "range": range})
        for node in range(4):
            at = slice(2 * node, 2 * node + 2)
            assert set(getattr(genotype, cell)[at]) == set(getattr(theirs, cell)[at])
    assert genotype.normal_concat == range(2, 6)
    assert dict(load_runs(out / "consensus.txt")[0].genotype) == dict(load_runs(paths[0])[0].genotype)


def test_a_node_keeps_as_many_edges_as_in_the_runs(tmp_path):
    """Voted edge by edge, node 4 would keep one edge: 0->4 in all runs, the other in one run each or in two."""

    def run(other: str) -> str:
        cell = f"[('a', 0), ('a', 1), ('a', 0), ('a', 1), ('a', 0), ('b', {other})]"
        return f"Genotype(normal={cell}, normal_concat=range(2, 5), reduce={cell}, reduce_concat=range(2, 5))"

    def consensus(*others: str) -> str:
        paths = [written(tmp_path, f"{len(others)}{i}.txt", run(other)) for i, other in enumerate(others)]
        return consensus_as_given(reliability(load_runs(paths), draws=20, ties="order"))[1]

    assert "('a', 0), ('b', 2)]" in consensus("1", "2", "3", "2", "3", "2")
    with pytest.raises(InputError, match="node 4 of normal has 2 edges, and normal 1->4, normal 2->4, normal 3->4 are"):
        consensus("1", "2", "3")


def test_a_consensus_of_nni_is_a_dictionary_that_its_space_takes(tmp_path):
    from nni.nas.hub.pytorch import DARTS
    from nni.nas.space import model_context

    (cell,) = _nni_cells().values()
    paths = [written(tmp_path, f"{i}.json", json.dumps(cell)) for i in range(2)]
    name, text = consensus_as_given(reliability(load_runs(paths), draws=20))
    assert name == "consensus.nni.json"
    found = json.loads(text)
    assert set(found) == set(cell)
    with model_context(found):  # refuses a sample that lacks a label or has an unknown value
        DARTS(width=4, num_cells=3, dataset="cifar")
    assert dict(load_runs(written(tmp_path, "back.json", text))[0].genotype) == dict(load_runs(paths[0])[0].genotype)


def test_a_consensus_of_nas_bench_201_is_its_string(tmp_path):
    paths = [written(tmp_path, f"{i}.txt", ARCH) for i in range(2)]
    assert consensus_as_given(reliability(load_runs(paths), draws=20)) == ("consensus.txt", ARCH + "\n")
