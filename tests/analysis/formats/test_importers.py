"""Files of other tools: each read from what the tool wrote or documents, with values checked by hand."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pandas
import pytest

from nas_ctx.analysis import load_runs, percentage_agreement, reliability
from nas_ctx.analysis.io.formats import FORMATS, Importer, register_format
from nas_ctx.analysis.io.formats.base import BUILT_IN
from nas_ctx.analysis.io.runs import Run
from nas_ctx.cli import main
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype

FILES = Path(__file__).parent / "files"

# DARTS ----------------------------------------------------------------------------------------------------------------

# The second-order cell of the paper (Liu et al., ICLR 2019, figures 4 and 5), as its code writes it.
SECOND = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=range(2, 6))"
)
OTHER = SECOND.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 4)")
FIELDS = {
    "normal": [["sep_conv_3x3", 0], ["sep_conv_3x3", 1], ["sep_conv_3x3", 0], ["sep_conv_3x3", 1],
               ["sep_conv_3x3", 1], ["skip_connect", 0], ["skip_connect", 0], ["dil_conv_3x3", 2]],
    "normal_concat": [2, 3, 4, 5],
    "reduce": [["max_pool_3x3", 0], ["max_pool_3x3", 1], ["skip_connect", 2], ["max_pool_3x3", 1],
               ["max_pool_3x3", 0], ["skip_connect", 2], ["skip_connect", 2], ["max_pool_3x3", 1]],
    "reduce_concat": [2, 3, 4, 5],
}  # fmt: skip


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def choices(path: Path, **options: object) -> dict:
    (run,) = load_runs(path, **options)
    return dict(run.genotype)


def test_a_darts_genotype_is_the_edges_of_its_cells(tmp_path):
    edges = choices(written(tmp_path, "a.txt", SECOND + "\n"))
    assert len(edges) == 28
    assert list(edges)[:6] == ["normal 0->2", "normal 1->2", "normal 0->3", "normal 1->3", "normal 2->3", "normal 0->4"]
    assert {block: edges[block] for block in edges if block.endswith("->5")} == {
        "normal 0->5": "skip_connect", "normal 1->5": "absent", "normal 2->5": "dil_conv_3x3", "normal 3->5": "absent",
        "normal 4->5": "absent", "reduce 0->5": "absent", "reduce 1->5": "max_pool_3x3", "reduce 2->5": "skip_connect",
        "reduce 3->5": "absent", "reduce 4->5": "absent",
    }  # fmt: skip
    assert sum(choice == "absent" for choice in edges.values()) == 12


def test_every_form_of_a_darts_genotype_is_the_same(tmp_path):
    """Also NNI's own dictionary of that cell, which is not of our making."""
    tuples = json.dumps(FIELDS).replace("[[", "[(").replace("]]", ")]").replace("], [", "), (")
    nni = next(iter(_nni_cells().values()))
    pairs = {
        key: [cell[i : i + 2] for i in range(0, 8, 2)] if "concat" not in key else cell for key, cell in FIELDS.items()
    }
    yaml = "".join(f"{key}:\n" + "".join(f"- {json.dumps(entry)}\n" for entry in cell) for key, cell in FIELDS.items())
    tagged = "".join(
        f"{key}:\n" + "".join(f"- !!python/tuple\n  - {entry[0]}\n  - {entry[1]}\n" for entry in cell)
        for key, cell in FIELDS.items()
        if "concat" not in key
    )
    forms = {
        "plain.txt": SECOND,
        "source.py": f"from collections import namedtuple\nGenotype = namedtuple('Genotype', 'normal normal_concat')\n"
        f"PRIMITIVES = ['none']\nDARTS_V2 = {SECOND}\nDARTS = DARTS_V2\n",
        "positions.txt": f"Genotype({tuples[1:-1].split(': ', 1)[1]})".replace('"normal_concat": ', "")
        .replace('"reduce": ', "").replace('"reduce_concat": ', ""),
        "fields.json": json.dumps(FIELDS),
        "tuple.json": json.dumps(list(FIELDS.values())),
        "key.json": json.dumps({"genotype": FIELDS, "seed": 3, "val_acc": 97.1}),
        "text.json": json.dumps({"genotype": SECOND}),
        "gdas.json": json.dumps(pairs),
        "lists.yaml": yaml,
        "tuples.yaml": tagged,
        "column.csv": f'seed,genotype,accuracy\n1,"{SECOND}",97.1\n',
        "nni.json": json.dumps(nni),
    }  # fmt: skip
    expected = choices(written(tmp_path, "a.txt", SECOND))
    for name, text in forms.items():
        assert choices(written(tmp_path, name, text)) == expected, name


def _nni_cells() -> dict[str, dict]:
    """The architecture that NNI ships as "darts-v2", read from its source: to import it takes half a minute."""
    spec = importlib.util.find_spec("nni")
    assert spec is not None
    source = Path(str(spec.origin)).with_name("nas").joinpath("hub", "pytorch", "nasnet.py").read_text()
    found = re.search(r"if name == 'darts-v2'.*?arch = (\{.*?\})", source, re.DOTALL)
    assert found is not None
    return {"darts-v2": json.loads(found[1].replace("'", '"'))}


def test_cells_with_edges_in_another_order_agree_fully(tmp_path):
    """In the slots of NNI's cells, an edge in the other slot of its node was two other choices: 25 % agreement."""
    (cell,) = _nni_cells().values()
    swapped = {}
    for label, choice in cell.items():
        swapped[label[:-1] + ("1" if label[-1] == "0" else "0")] = choice
    assert swapped != cell
    written(tmp_path, "a.json", json.dumps(cell))
    written(tmp_path, "b.json", json.dumps(swapped))
    assert reliability(load_runs([tmp_path / "a.json", tmp_path / "b.json"]), draws=20).results[0].value == 1


def test_cells_in_genotype_files_of_our_own_are_edges_and_with_histories_slots(tmp_path):
    (cell,) = _nni_cells().values()
    swapped = {label[:-1] + ("1" if label[-1] == "0" else "0"): choice for label, choice in cell.items()}
    operations = {
        label: ["sep_conv_3x3", "skip_connect", "max_pool_3x3", "dil_conv_3x3"] for label in cell if "op" in label
    }
    for name, choices in (("a", cell), ("b", swapped)):
        (tmp_path / name).mkdir()
        Genotype(choices, {"candidates": operations, "seed": name}).save(tmp_path / name / "genotype.json")
    files = [tmp_path / name / "genotype.json" for name in "ab"]
    record = reliability(load_runs(files), draws=20)
    assert record.results[0].value == 1
    assert record.table.counts[0] == 4
    for name in "ab":
        (tmp_path / name / "history.csv").write_text(
            "step,temperature,entropy_weight,mean_entropy,normal/op_2_0=a,normal/op_2_0=b\n0,1,0,0.6,0.5,0.5\n"
        )
    runs = load_runs([tmp_path / "a", tmp_path / "b"])
    assert "normal/op_2_0" in runs[0].genotype
    assert "To compare edges, give genotype.json" in runs.notes[0].text


LOG = "".join(
    f"11/28 02:1{epoch}:00 PM epoch {epoch} lr 2.5e-02\n11/28 02:1{epoch}:09 PM genotype = {text}\n"
    f"11/28 02:1{epoch}:30 PM valid_acc 8{epoch}.25\n"
    for epoch, text in enumerate((OTHER, OTHER, SECOND))
)


def test_of_a_log_the_last_genotype_counts_or_that_of_a_step(tmp_path):
    log = written(tmp_path, "search.log", LOG)
    assert choices(log)["normal 2->5"] == "dil_conv_3x3"
    assert choices(log, step=1)["normal 4->5"] == "dil_conv_3x3"
    assert load_runs(log)[0].settings["step"] == 2
    assert "3 genotypes, of which the last" in load_runs(log).notes[0].text
    with pytest.raises(InputError, match=r"no genotype of step 7; those of the steps 0, 1, 2 are there"):
        load_runs(log, step=7)
    printed = written(tmp_path, "printed.log", f"epoch 0\n{OTHER}\nepoch 1\n{SECOND}\n")  # without a time before it
    assert len(load_runs(printed)) == 1
    assert choices(printed, step=0)["normal 4->5"] == "dil_conv_3x3"
    unnumbered = written(tmp_path, "plain.log", LOG.replace("epoch", "round"))
    assert choices(unnumbered, step=0)["normal 4->5"] == "dil_conv_3x3"


def test_several_genotypes_in_one_file_are_runs_under_their_names(tmp_path):
    runs = load_runs(written(tmp_path, "g.py", f"V1 = {OTHER}\n\nV2 = {SECOND}\n"))
    assert [run.name for run in runs] == ["V1", "V2"]
    assert len(load_runs(written(tmp_path, "g.txt", f"{OTHER}\n{SECOND}\n"))) == 2
    lines = "".join(json.dumps({"genotype": text, "seed": i}) + "\n" for i, text in enumerate((OTHER, SECOND)))
    runs = load_runs(written(tmp_path, "g.jsonl", lines))
    assert [run.settings["seed"] for run in runs] == [0, 1]
    runs = load_runs(
        written(tmp_path, "g.json", json.dumps([{"arch": SECOND, "name": "x"}, {"arch": OTHER, "name": "y"}]))
    )
    assert [run.name for run in runs] == ["x", "y"]


def test_an_edge_that_a_cell_has_twice_holds_both_operations(tmp_path):
    """As in the cells of NASNet, whose nodes may take one state twice."""
    text = "Genotype(normal=[('sep_conv_5x5', 0), ('sep_conv_3x3', 0)], normal_concat=[2], reduce=[('a', 0), ('b', 1)])"
    edges = choices(written(tmp_path, "a.txt", text))
    assert edges["normal 0->2"] == "sep_conv_3x3 + sep_conv_5x5"
    assert edges["normal 1->2"] == "absent"


# NAS-Bench-201 --------------------------------------------------------------------------------------------------------

ARCH = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
SIX = {
    "0->1": "avg_pool_3x3", "0->2": "nor_conv_1x1", "1->2": "skip_connect", "0->3": "nor_conv_1x1",
    "1->3": "skip_connect", "2->3": "skip_connect",
}  # fmt: skip


def test_nas_bench_201_strings_everywhere(tmp_path):
    forms = {
        "a.txt": ARCH,
        "a.log": f"[epoch=3] genotype {ARCH.replace('avg_pool_3x3', 'none')}\n[epoch=4] genotype {ARCH}\n",
        "a.json": json.dumps({"arch_str": ARCH, "accuracy": 93.1, "seed": 4}),
        "list.json": json.dumps([ARCH]),
        "a.csv": f"seed;arch;accuracy\n4;{ARCH};93,1\n",
    }
    for name, text in forms.items():
        (run,) = load_runs(written(tmp_path, name, text))
        assert dict(run.genotype) == SIX, name
        assert run.candidates("0->1")[0] == ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    assert (run.metrics, run.settings["seed"]) == ({"accuracy": 93.1}, 4)
    with pytest.raises(InputError, match="node 2 needs one operation for each of the nodes 0 to 1"):
        load_runs(written(tmp_path, "b.txt", "|a~0|+|b~0|c~0|+|a~0|b~1|c~2|"))


# NNI ------------------------------------------------------------------------------------------------------------------

NNI_EXPORT = [
    {
        "parameter": {"op": "conv", "width": 16, "seed": 1},
        "value": '{"default": 0.75, "miou": 0.5}',
        "trialJobId": "aB1",
    },
    {"parameter": {"op": "skip", "width": 32, "seed": 2}, "value": "0.5", "trialJobId": "cD2"},
]


def test_nni_exports_have_parameters_as_choices_and_metrics_as_scores(tmp_path):
    runs = load_runs(written(tmp_path, "e.json", json.dumps(NNI_EXPORT)))
    assert [(run.name, dict(run.genotype), run.metrics, run.settings) for run in runs] == [
        ("aB1", {"op": "conv", "width": 16}, {"default": 0.75, "miou": 0.5}, {"seed": 1}),
        ("cD2", {"op": "skip", "width": 32}, {"default": 0.5}, {"seed": 2}),
    ]
    table = written(tmp_path, "e.csv", "width,trialJobId,op,default,miou\n16,aB1,conv,0.75,0.5\n32,cD2,skip,0.5,0.25\n")
    runs = load_runs(table)
    assert [(run.name, dict(run.genotype)) for run in runs] == [
        ("aB1", {"op": "conv", "width": "16"}), ("cD2", {"op": "skip", "width": "32"}),
    ]  # fmt: skip
    assert runs[1].metrics == {"default": 0.5, "miou": 0.25}


def test_what_nnictl_writes_of_an_experiment(tmp_path, monkeypatch):
    """Its own code writes the files; the manager's answers are given to it."""
    from nni.tools.nnictl import nnictl_utils

    answer = SimpleNamespace(text=json.dumps(NNI_EXPORT), status_code=200)
    experiments = SimpleNamespace(get_all_experiments=lambda: {"abcd1234": {"port": 1, "pid": 1}})
    monkeypatch.setattr(nnictl_utils, "Experiments", lambda: experiments)
    monkeypatch.setattr(nnictl_utils, "get_config_filename", lambda args: "abcd1234")
    monkeypatch.setattr(nnictl_utils, "detect_process", lambda pid: True)
    monkeypatch.setattr(nnictl_utils, "check_rest_server_quick", lambda port: (True, None))
    monkeypatch.setattr(nnictl_utils, "rest_get", lambda url, timeout: answer)
    for kind in ("json", "csv"):
        path = tmp_path / f"export.{kind}"
        nnictl_utils.export_trials_data(SimpleNamespace(intermediate=False, type=kind, path=str(path)))
        runs = load_runs(path)
        assert [(run.name, run.genotype["op"], str(run.genotype["width"])) for run in runs] == [
            ("aB1", "conv", "16"), ("cD2", "skip", "32"),
        ]  # fmt: skip
        assert [run.settings["seed"] for run in runs] == [1, 2]
        assert runs[0].metrics == {"default": 0.75, "miou": 0.5}
        assert list(runs[1].metrics.values()) == [0.5]  # in the table a plain number is called reward


# Sweeps, written by the tools: see make_files.py ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["optuna.csv", "optuna_multi_index.csv"])
def test_optuna(name):
    runs = load_runs(FILES / name)
    assert [run.name for run in runs] == ["0", "1", "4", "5"]  # 2 was pruned, 3 failed
    assert dict(runs[3].genotype) == {"op": "conv3", "width": "32"}
    assert runs[3].metrics == {"value": pytest.approx(10.310291217328519)}
    assert [run.settings["seed"] for run in runs] == [3] * 4
    said = " ".join(note.text for note in runs.notes)
    assert "(PRUNED)" in said
    assert "(FAIL)" in said
    assert "'lr' (a number of its own in every run)" in said
    assert "4 trials" in said


def test_the_best_trial_of_a_sweep_is_its_result():
    (run,) = load_runs(FILES / "optuna.csv", best="max")
    assert (run.name, dict(run.genotype)) == ("optuna.csv", {"op": "conv5", "width": "48"})
    (run,) = load_runs(FILES / "optuna.csv", best="min")
    assert dict(run.genotype) == {"op": "conv3", "width": "16"}
    with pytest.raises(InputError, match="--best needs one score"):
        load_runs(FILES / "ray.csv", best="max", scores="nothing")


def test_columns_can_be_named():
    runs = load_runs(FILES / "optuna.csv", choices="params_lr,params_op", scores="value")
    assert set(runs[0].genotype) == {"params_lr", "params_op"}
    with pytest.raises(InputError, match="--choices 'parms_' names none of the columns"):
        load_runs(FILES / "optuna.csv", choices="parms_")


def test_ray_tune():
    runs = load_runs(FILES / "ray.csv")
    assert [(dict(run.genotype), run.metrics) for run in runs] == [
        ({"op": "conv", "width": "16"}, {"loss": 16}),
        ({"op": "skip", "width": "16"}, {"loss": 32}),
        ({"op": "conv", "width": "32"}, {"loss": 32}),
        ({"op": "skip", "width": "32"}, {"loss": 64}),
    ]
    assert {run.settings["seed"] for run in runs} == {1}


def test_neps():
    frame = pandas.read_csv(FILES / "neps" / "summary" / "full.csv")
    for path in (FILES / "neps", FILES / "neps" / "summary" / "full.csv"):
        runs = load_runs(path)
        assert [run.genotype["op"] for run in runs] == frame["config.op"].tolist()
        assert [int(run.genotype["width"]) for run in runs] == frame["config.width"].tolist()
        scores = frame["objective_to_minimize"].tolist()
        assert [run.metrics["objective_to_minimize"] for run in runs] == pytest.approx(scores, rel=1e-12)


def test_keras_tuner():
    runs = load_runs(FILES / "keras_tuner")
    trial = json.loads((FILES / "keras_tuner" / "trial_1" / "trial.json").read_text())
    assert [run.name for run in runs] == ["trial 0", "trial 1"]
    assert dict(runs[1].genotype) == trial["hyperparameters"]["values"]
    assert runs[1].metrics == {"score": 0.625}
    assert runs[1].candidates("op") == (["conv3", "conv5", "skip"], "the space of Keras Tuner")
    assert "trial 2 (FAILED: out of memory)" in " ".join(note.text for note in runs.notes)


def test_weights_and_biases(tmp_path):
    """As the page of a project downloads its table of runs, and as the guide to its API writes it."""
    page = written(
        tmp_path, "page.csv",
        '"Name","State","Notes","User","Tags","Created","Runtime","Sweep","op","width","seed","val_acc"\n'
        '"brave-sun-1","finished","-","ada","","2024-05-01T10:00:00.000Z","61","a1b2","conv","16","1","0.91"\n'
        '"calm-sea-2","finished","-","ada","","2024-05-01T11:00:00.000Z","64","a1b2","skip","16","2","0.92"\n'
        '"old-hill-3","crashed","-","ada","","2024-05-01T12:00:00.000Z","3","a1b2","conv","16","3",""\n',
    )  # fmt: skip
    api = pandas.DataFrame(
        {
            "summary": [{"val_acc": 0.91, "_runtime": 61}, {"val_acc": 0.92, "_runtime": 64}],
            "config": [{"op": "conv", "width": 16, "seed": 1}, {"op": "skip", "width": 16, "seed": 2}],
            "name": ["brave-sun-1", "calm-sea-2"],
        }
    )
    api.to_csv(tmp_path / "api.csv")
    for path in (page, tmp_path / "api.csv"):
        runs = load_runs(path)
        found = [(run.name, run.genotype["op"], str(run.genotype["width"]), run.metrics, run.settings) for run in runs]
        assert found == [
            ("brave-sun-1", "conv", "16", {"val_acc": 0.91}, {"seed": 1}),
            ("calm-sea-2", "skip", "16", {"val_acc": 0.92}, {"seed": 2}),
        ], path
        assert {*runs[0].genotype} == {"op", "width"}


# Long tables, folders, several runs -----------------------------------------------------------------------------------

WIDE = {"r": {"x": "a", "y": "b"}, "s": {"x": "b", "y": "b"}}


def test_long_tables_in_any_order_of_columns(tmp_path):
    text = "op,accuracy,layer,seed\na,0.9,x,r\nb,0.9,y,r\nb,0.8,x,s\nb,0.8,y,s"
    runs = load_runs(written(tmp_path, "long.csv", text))
    assert {run.name: dict(run.genotype) for run in runs} == WIDE
    assert [run.metrics for run in runs] == [{"accuracy": 0.9}, {"accuracy": 0.8}]
    named = text.replace("op,accuracy,layer,seed", "was,accuracy,where,who")
    path = written(tmp_path, "named.csv", named)
    runs = load_runs(path, columns="run=who,block=where,choice=was")
    assert {run.name: dict(run.genotype) for run in runs} == WIDE
    with pytest.raises(InputError, match="no column 'wo'; did you mean 'who'"):
        load_runs(path, columns="run=wo,block=where,choice=was")
    with pytest.raises(InputError, match="line 6 has the block 'x' of run 'r' once more"):
        load_runs(written(tmp_path, "twice.csv", text + "\na,0.9,x,r"))
    grid = "run,target,source,context\n1,a,a,none\n1,a,b,local\n2,a,a,none\n2,a,b,global\n"
    assert set(load_runs(written(tmp_path, "grid.csv", grid))[0].genotype) == {"a/a", "a/b"}


def test_a_folder_of_genotype_files(tmp_path):
    written(tmp_path, "runs/a.txt", SECOND)
    written(tmp_path, "runs/b.json", json.dumps(FIELDS))
    written(tmp_path, "runs/readme.md", "# nothing")
    runs = load_runs(tmp_path / "runs")
    assert [run.name for run in runs] == ["a.txt", "b"]
    assert "readme.md" in " ".join(note.text for note in runs.notes)


def test_json_lines_and_objects_by_run(tmp_path):
    lines = "".join(json.dumps(choices) + "\n" for choices in WIDE.values())
    assert [dict(run.genotype) for run in load_runs(written(tmp_path, "l.jsonl", lines))] == list(WIDE.values())
    nested = "".join(
        json.dumps({"seed": seed, "arch": choices, "acc": 0.5, "run": name}) + "\n"
        for seed, (name, choices) in enumerate(WIDE.items())
    )
    runs = load_runs(written(tmp_path, "nested.jsonl", nested))
    assert {run.name: dict(run.genotype) for run in runs} == WIDE
    assert [(run.settings["seed"], run.metrics) for run in runs] == [(0, {"acc": 0.5}), (1, {"acc": 0.5})]
    runs = load_runs(written(tmp_path, "by_run.json", json.dumps(WIDE)))
    assert {run.name: dict(run.genotype) for run in runs} == WIDE


# Registration ---------------------------------------------------------------------------------------------------------


def test_every_format_is_listed_with_its_source(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["report", "--formats"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for name in BUILT_IN:
        assert said.count(FORMATS[name].title) == 1
        assert FORMATS[name].source in said
        assert FORMATS[name].__doc__


def test_a_format_of_a_user_is_asked_first_and_can_be_named(tmp_path):
    @register_format("plus-minus")
    class Signs(Importer):
        """A line of signs."""

        title, source = "lines of + and -", "this test"

        def recognise(self, document, options):
            return not document.text.strip("+-\n")

        def read(self, document, options):
            return [Run(document.name, dict(enumerate_signs(document.text)), document.name)], []

    def enumerate_signs(text):
        return ((f"b{i}", sign) for i, sign in enumerate(text.strip()))

    try:
        a, b = written(tmp_path, "a.txt", "++-+\n"), written(tmp_path, "b.txt", "++--\n")
        runs = load_runs([a, b])
        assert percentage_agreement([list(run.genotype.values()) for run in runs]) == 0.75
        assert len(load_runs(written(tmp_path, "c.txt", "+*-"), format="plus-minus")[0].genotype) == 3
        with pytest.raises(InputError, match=r"unknown format 'dart'; known: .*did you mean 'darts'"):
            load_runs(a, format="dart")
    finally:
        del FORMATS["plus-minus"]


def test_chance_takes_edges_of_one_node_for_alike(tmp_path):
    """A node keeps two of its edges: one of five is absent more often than one of two, whatever a search finds."""
    written(tmp_path, "a.txt", SECOND)
    written(tmp_path, "b.txt", OTHER)
    table = reliability(load_runs([tmp_path / "a.txt", tmp_path / "b.txt"]), draws=20).table
    sets: dict[int, set[str]] = {}
    for block, number in zip(table.blocks, table.categories.candidates.sets.tolist(), strict=True):
        sets.setdefault(number, set()).add(block[-1])
    assert sorted(map(sorted, sets.values())) == [["2"], ["3"], ["4"], ["5"]]
    assert [table.counts[table.blocks.index(f"normal 0->{node}")] for node in (2, 3)] == [7, 8]
