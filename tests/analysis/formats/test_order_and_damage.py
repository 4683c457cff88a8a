"""The order of edges, keys, rows and columns changes nothing; hostile files run nothing and end in one line."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas_ctx.analysis import load_runs
from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats import importers
from nas_ctx.analysis.io.formats.base import FORMATS, ReadOptions
from nas_ctx.analysis.io.formats.literals import MAX_DEPTH, parse_literal
from nas_ctx.cli import main
from nas_ctx.errors import InputError

FILES = Path(__file__).parent / "files"
QUICK = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('dil_conv_3x3', 0)], "
    "normal_concat=range(2, 4), reduce=[('skip_connect', 1), ('skip_connect', 0), ('sep_conv_5x5', 1), "
    "('none', 0)], reduce_concat=range(2, 4))"
)
ARCH = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|"
SAMPLES: dict[str, tuple[str, str]] = {
    "darts": ("a.txt", GENOTYPE),
    "darts log": ("a.log", f"epoch 1\ngenotype = {GENOTYPE}\nepoch 2\ngenotype = {GENOTYPE}\n"),
    "darts json": ("a.json", json.dumps({"normal": [["a", 0], ["b", 1]], "reduce": [["a", 0], ["b", 1]]})),
    "darts yaml": ("a.yaml", "normal: [[a, 0], [b, 1]]\nreduce: [[a, 0], [b, 1]]\n"),
    "nasbench201": ("b.txt", ARCH),
    "nasbench201 csv": ("b.csv", f"arch,seed,acc\n{ARCH},1,93\n{ARCH},2,94\n"),
    "nni json": ("n.json", json.dumps([{"parameter": {"op": "x", "w": 1}, "value": "0.5", "trialJobId": "q"}] * 2)),
    "nni csv": ("n.csv", "trialJobId,op,w,reward\nq,x,1,0.5\nr,y,1,0.6\n"),
    "nni cell": ("c.json", json.dumps({"n/op_1_0": "a", "n/input_1_0": [0], "n/op_2_0": "b", "n/input_2_0": [1]})),
    "optuna": ("o.csv", (FILES / "optuna.csv").read_text()),
    "ray": ("r.csv", (FILES / "ray.csv").read_text()),
    "neps": ("p.csv", (FILES / "neps" / "summary" / "full.csv").read_text()),
    "keras-tuner": ("k.json", (FILES / "keras_tuner" / "trial_0" / "trial.json").read_text()),
    "wandb": ("w.csv", "name,summary,config\nx,{'acc': 0.9},{'op': 'a'}\ny,{'acc': 0.8},{'op': 'b'}\n"),
    "long": ("l.csv", "run,block,choice\n1,x,a\n1,y,b\n2,x,a\n2,y,a\n"),
    "genotype": ("g.json", json.dumps({"format": "nas_ctx.genotype/1", "choices": {"x/y": "none"}, "meta": {}})),
    "flat": ("f.json", json.dumps([{"x": "a", "y": "b"}, {"x": "b", "y": "b"}])),
    "wide": ("t.csv", "block,1,2\nx,a,b\ny,b,b\n"),
}  # fmt: skip


def read(name: str, text: str | bytes, folder: Path, **options: object) -> dict:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {run.name: (dict(run.genotype), dict(run.metrics)) for run in load_runs(path, **options)}


@pytest.mark.parametrize("kind", SAMPLES)
def test_samples_are_read_by_the_importer_that_they_are_meant_for(kind, tmp_path):
    name, text = SAMPLES[kind]
    document = Document(name, text.encode(), Path(name).suffix)
    found = [known for known, each in importers() if each.recognise(document, ReadOptions())]
    expected = {"nni cell": "genotype", "flat": "genotype"}.get(kind, kind.split()[0])
    assert found[0] == expected
    assert read(name, text, tmp_path)


@QUICK
@given(st.randoms(use_true_random=False))
def test_the_order_of_edges_changes_nothing(tmp_path, chance: random.Random):
    cells = {"normal": [("a", 0), ("b", 1), ("c", 2), ("d", 0), ("a", 3), ("b", 1)], "reduce": [("b", 1), ("b", 0)]}
    expected = read("a.json", json.dumps(cells), tmp_path)
    mixed = {}
    for cell, edges in chance.sample(list(cells.items()), 2):
        nodes = [edges[i : i + 2] for i in range(0, len(edges), 2)]
        mixed[cell] = [edge for node in nodes for edge in chance.sample(node, 2)]
    assert read("a.json", json.dumps(mixed), tmp_path) == expected
    assert read("a.json", json.dumps({"genotype": f"Genotype(**{0})".replace("**0", ", ".join(
        f"{cell}={edges}" for cell, edges in mixed.items()))}), tmp_path) == expected  # fmt: skip
    nodes = [["none~0"], ["a~0", "b~1"], ["a~0", "c~1", "b~2"]]
    strings = ["+".join("|" + "|".join(chance.sample(node, len(node))) + "|" for node in nodes) for _ in range(2)]
    assert read("b.txt", strings[0], tmp_path) == read("b.txt", strings[1], tmp_path)


@QUICK
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_changes_nothing(tmp_path, chance: random.Random):
    for kind in ("optuna", "ray", "neps", "nni csv", "wandb", "long", "nasbench201 csv", "wide"):
        name, text = SAMPLES[kind]
        head, *rows = csv.reader(io.StringIO(text))
        columns = list(range(len(head)))
        if kind == "wide" or head[0] == "":
            columns[1:] = chance.sample(columns[1:], len(head) - 1)
        else:
            columns = chance.sample(columns, len(head))
        out = io.StringIO()
        mixed = [[row[at] for at in columns] for row in (head, *chance.sample(rows, len(rows)))]
        csv.writer(out, delimiter=chance.choice(",;\t")).writerows(mixed)
        runs = read(name, out.getvalue(), tmp_path)
        expected = read(name, text, tmp_path)
        if kind == "nasbench201 csv":  # its runs have no names but their lines
            assert sorted(map(str, runs.values())) == sorted(map(str, expected.values()))
        else:
            assert runs == expected, kind


@QUICK
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_nothing(tmp_path, chance: random.Random):
    def mixed(value: object) -> object:
        if isinstance(value, dict):
            return {key: mixed(inner) for key, inner in chance.sample(list(value.items()), len(value))}
        return [mixed(item) for item in value] if isinstance(value, list) else value

    for kind in ("darts json", "nni json", "nni cell", "keras-tuner", "genotype", "flat"):
        name, text = SAMPLES[kind]
        assert read(name, json.dumps(mixed(json.loads(text))), tmp_path) == read(name, text, tmp_path), kind


# Damage ---------------------------------------------------------------------------------------------------------------


ODD = (
    b"(" * 3000, b"[" * 3000, b"{", b"'", b'"', b"\\", b"\0", b"\xff", b"nan", b"1e999", b"9" * 5000, b",,,", b"\n",
    b"=cmd()", b"__import__('os')", b"!!python/object/apply:os.system ['x']", b"&a [*a]", b"\xef\xbb\xbf", b"-1",
)  # fmt: skip


def damaged(chance: random.Random, data: bytes) -> bytes:
    """``data`` with a part cut out, doubled, or replaced by what breaks parsers."""
    for _ in range(chance.randint(1, 3)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice([0, 0, 1, 5, 40]))
        data = data[:start] + chance.choice([b"", data[start:end] * 2, *ODD]) + data[end:]
    return data


@pytest.mark.parametrize("kind", SAMPLES)
def test_damaged_files_are_read_or_refused_in_one_line(kind, tmp_path):
    name, text = SAMPLES[kind]
    chance = random.Random(kind)  # no shrinking: what fails is short as it is
    for _ in range(40):
        data, said = damaged(chance, text.encode()), ""
        try:
            read(name, data, tmp_path)
        except InputError as error:
            said = str(error)
        assert "\n" not in said, data


MARK = "a file that nobody may write"
HOSTILE = {
    "darts": ("a.txt", "Genotype(normal=[(open('{mark}', 'w').write('x'), 0), ('b', 1)], reduce=[])"),
    "darts nested": ("a.txt", "Genotype(normal=" + "[" * 100_000),
    "darts calls": ("a.txt", "Genotype(normal=" + "f(" * 5_000),
    "darts yaml": ("a.yaml", "normal: !!python/object/apply:os.system ['touch \"{mark}\"']\n"),
    "darts aliases": ("a.yaml", "normal: [[a, 0], [b, 1]]\nreduce: &a [*a, *a]\n"),
    "darts source": ("a.py", "import os\nos.system('touch \"{mark}\"')\nA = Genotype(normal=[('a', 9)], reduce=[])\n"),
    "nasbench201": ("b.txt", "|a~0|+|__import__('os')~0|b~1|+|c~0|d~1|e~7|"),
    "nasbench201 long": ("b.txt", "|a~0|+" * 300_000),
    "nni": ("n.json", '[{"parameter": "__import__(\'os\').system(\'touch {mark}\')", "value": "0.5"}]'),
    "nni deep": ("n.json", '[{"parameter": ' + '{"a":' * 50_000),
    "optuna": ("o.csv", "number,params_x,state\n0,=cmd|' /C touch {mark}'!A0,PRUNED\n"),
    "wandb": ("w.csv", "name,summary,config\nx,{},\"open('{mark}', 'w')\"\n"),
    "wandb deep": ("w.csv", "name,summary,config\nx,{},\"" + "{'a':" * 5_000 + '"\n'),
    "keras-tuner": ("k.json", '{"trial_id": 1, "hyperparameters": {"values": []}, "status": "COMPLETED"}'),
    "long": ("l.csv", "run,block,choice\n1,x,a\n1,x,b\n"),
    "wide": ("t.csv", "block,a\n" + '"' * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_run_nothing_and_end_in_one_line(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, text = HOSTILE[kind]
    (tmp_path / name).write_text(text.replace("{mark}", str(tmp_path / MARK)))
    assert main(["report", name, "--out", "out"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("nas-ctx report: ")
    assert said.count("\n") == 1
    assert name in said
    assert {path.name for path in tmp_path.iterdir()} == {name}


@pytest.mark.parametrize(
    "text",
    ["[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "{[]: 1}", "{'a'}", "[1 2]", "f(a=1, a=2)", "x", "", "1.2.3", "'a"],
)
def test_what_is_no_literal_is_refused(text):
    with pytest.raises(InputError):
        parse_literal(text)


def test_literals_are_what_python_reads():
    """Compared with ``ast.literal_eval`` on all small combinations of forms."""
    import ast

    atoms = ["1", "-2.5", "1e3", "'a'", '"b\'c"', "True", "None", r"'\'x\n'", "()", "[]", "{}", "(1,)", "(1)"]
    for a, b in itertools.product(atoms, repeat=2):
        for text in (f"[{a}, {b}]", f"({a}, {b},)", f"{{'k': {a}, 2: {b}}}", f"[[{a}], ({b},)]"):
            assert parse_literal(text)[0] == ast.literal_eval(text), text


OTHERS = {
    "a.csv": "a,b\n1,2\n3,4\n",
    "a.json": '{"a": [1, {"b": null}]}',
    "b.json": "[[1, 2], 3]",
    "a.txt": "nothing\n",
    "a.jsonl": "{}\n3\n",
}


@pytest.mark.parametrize("name", sorted(FORMATS.known()))
@pytest.mark.parametrize("file", OTHERS)
def test_a_format_asked_for_on_another_document_reads_or_refuses_in_a_line(
    name: str, file: str, tmp_path: Path
) -> None:
    path = tmp_path / file
    path.write_text(OTHERS[file])
    refusal = ""
    try:
        load_runs(path, format=name)
    except InputError as error:
        refusal = str(error)
    assert "\n" not in refusal
