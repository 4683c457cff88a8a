"""Tables as people have them, and that nothing absurd passes for a choice of a search."""

from __future__ import annotations

import json
import re

import pandas
import pytest

from nas_ctx.analysis import load_runs, reliability
from nas_ctx.analysis.io.formats import sweeps
from nas_ctx.analysis.io.plausible import absurdity, matches
from nas_ctx.cli import main
from nas_ctx.errors import InputError
from tests.analysis.test_runs import DONE, write_experiment

BLOCKS = {"größe": {"r/1": "klein", "r/2": "groß"}, "rate": {"r/1": "0.5", "r/2": "0.25"}}
PLAIN = "block,r/1,r/2\ngröße,klein,groß\nrate,0.5,0.25\n"
AS_RUNS = {run: {block: row[run] for block, row in BLOCKS.items()} for run in ("r/1", "r/2")}
FORMS = {
    "semicolons": PLAIN.replace(".", "#").replace(",", ";").replace("#", ","),
    "tabs": PLAIN.replace(",", "\t"),
    "sep line": "sep=;\n" + PLAIN.replace(",", ";"),
    "byte order mark": "\ufeff" + PLAIN,
    "blanks": PLAIN.replace(",", " , ").replace("\n", " \n"),
    "quoted separators": PLAIN.replace("block,", '"block; the, label; of; it",'),
    "carriage returns": PLAIN.replace("\n", "\r\n"),
    "index of pandas": ",block,r/1,r/2\n0,größe,klein,groß\n1,rate,0.5,0.25\n",
}


def found(path, **options):
    return {
        run.name: {block: str(choice) for block, choice in run.genotype.items()} for run in load_runs(path, **options)
    }


@pytest.mark.parametrize("form", FORMS)
def test_tables_as_people_have_them(form, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(FORMS[form].encode())
    assert found(path) == AS_RUNS


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-16", "UTF-16-LE"), ("utf-16-le", "UTF-16-LE"), ("cp1252", "Windows-1252")]
)
def test_other_encodings_are_decoded_with_a_note(encoding, told, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(PLAIN.encode(encoding))
    if encoding == "utf-16-le":
        path.write_bytes(PLAIN.encode(encoding))
    runs = load_runs(path)
    assert found(path) == AS_RUNS
    assert [told in note.text for note in runs.notes if note.kind == "encoding"] == [True]


def test_what_is_no_text_is_refused_with_advice(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"block,a\nx,\x81\x00y\n")
    with pytest.raises(InputError, match=r"byte 10 is no character of .* save it as UTF-8"):
        load_runs(path)


def test_what_pandas_writes_is_read(tmp_path):
    frame = pandas.DataFrame(AS_RUNS)
    frame.to_csv(tmp_path / "blocks.csv")  # the blocks are the index, whose column has no name
    frame.T.to_csv(tmp_path / "runs.csv", index_label="run")
    frame.rename_axis("block").reset_index().to_csv(tmp_path / "numbered.csv")
    assert found(tmp_path / "blocks.csv") == AS_RUNS
    assert found(tmp_path / "runs.csv", transposed=True) == AS_RUNS
    assert found(tmp_path / "numbered.csv") == AS_RUNS


# Nothing absurd -------------------------------------------------------------------------------------------------------

SWEEP = (
    "run,op1,op2,width,seed,user,started,val_acc,folder,lr\n"
    "a,conv,skip,16,0,ada,2024-05-01 10:00:00,0.91,/data/a,0.012345\n"
    "b,conv,skip,16,1,ada,2024-05-01 11:00:00,0.92,/data/b,0.045612\n"
    "c,conv,conv,32,2,ada,2024-05-01 12:00:00,0.93,/data/c,0.0078123\n"
)


def test_what_is_no_choice_is_left_out_with_its_reason(tmp_path):
    path = tmp_path / "sweep.csv"
    path.write_text(SWEEP)
    runs = load_runs(path, transposed=True)
    assert [dict(run.genotype) for run in runs] == [
        {"op1": "conv", "op2": "skip", "width": "16"},
        {"op1": "conv", "op2": "skip", "width": "16"},
        {"op1": "conv", "op2": "conv", "width": "32"},
    ]
    assert [(run.settings["seed"], run.metrics["val_acc"]) for run in runs] == [(0, 0.91), (1, 0.92), (2, 0.93)]
    said = " ".join(note.text for note in runs.notes)
    for name, reason in (
        ("seed", "the seed"),
        ("user", "how or where it ran"),
        ("started", "how or where it ran"),
        ("val_acc", "a metric"),
        ("folder", "a path"),
        ("lr", "a number of its own in every run"),
    ):
        assert f"{name!r} ({reason})" in said
    assert set(load_runs(path, transposed=True, choices="op*,seed")[0].genotype) == {"op1", "op2", "seed"}


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("x", ["8c0f3d2a", "93be11d0", "0fa0b1c2"], "an id"),
        ("x", ["1b4e28ba-2fa1-11d2-883f-0016d3cca427", "6fa459ea-ee8a-3ca4-894e-db77e160355e", "7" * 8], "an id"),
        ("trial_id", ["a", "b", "c"], "an id"),
        ("x", ["0 days 00:01:02.5"] * 2, "a date"),
        ("x", ["01.05.2024", "2.5.2024"], "a date"),
        ("x", ["s3://bucket/a", "~/b"], "a path"),
        ("loss/val_best", ["0.5", "0.25"], "a metric"),
        ("mIoU (%)", [71, 72], "a metric"),
        ("train.random_seed", ["3", "4"], "the seed"),
    ],
)
def test_what_cannot_be_a_choice(name, values, reason):
    assert absurdity(name, values) == reason


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("loss_weight", [0.5, 1.0, 2.0]),
        ("params_width", [16, 32, 64]),
        ("group", [1, 2, 4]),
        ("dropout", [0.1, 0.25, 0.5]),
        ("number", [1, 2]),
        ("depth", [3, 4, 5]),
        ("op", ["sepconv3", "dilconv5", "maxpool3"]),
    ],
)
def test_choices_are_not_left_out_for_their_names_or_for_being_numbers(name, values):
    assert absurdity(name, values) == ""


def test_the_same_in_json_objects_of_one_run_each(tmp_path):
    for seed in range(3):
        content = {"op1": "conv", "op2": ["skip", "conv", "skip"][seed], "seed": seed, "best_loss": 0.5 + seed / 9}
        (tmp_path / f"{seed}.json").write_text(json.dumps(content))
    runs = load_runs(sorted(tmp_path.glob("*.json")))
    assert set(runs[0].genotype) == {"op1", "op2"}
    assert [run.settings["seed"] for run in runs] == [0, 1, 2]
    assert reliability(runs, metric="best_loss", draws=20).scores.metric == "best_loss"


def test_a_report_never_takes_bookkeeping_for_agreement(tmp_path, capsys):
    """Three runs of one user on one machine that agree on nothing that was searched."""
    path = tmp_path / "t.csv"
    path.write_text("run,op1,op2,user,host,project\n1,a,a,ada,m1,p\n2,b,c,ada,m1,p\n3,c,b,ada,m1,p\n")
    assert main(["report", str(path), "--transposed", "--out", str(tmp_path / "out"), "--no-figures"]) == 0
    assert "over 2 blocks" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "report.json").read_text())["statistics"][0]["value"] == 0


def test_a_table_the_wrong_way_round_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "sweep.csv"
    path.write_text(SWEEP)
    with pytest.raises(InputError, match=r"a row per run, not per block: its first column is 'run'; add --transposed"):
        load_runs(path)
    path.write_text(SWEEP.replace("run,", "which,"))
    with pytest.raises(InputError, match=r"the column 'seed' is the seed; add --transposed"):
        load_runs(path)
    path.write_text("op1,op2,val_acc\na,b,0.9\na,c,0.8\n")
    with pytest.raises(InputError, match=r"'val_acc' is a metric; name its choices, as in --choices 'op1,op2'"):
        load_runs(path)
    assert len(load_runs(path, choices="op1,op2")) == 2
    path.write_text("what,a,b\nop1,conv,conv\nseed,1,2\nval_acc,0.9,0.8\n")
    assert set(load_runs(path)[0].genotype) == {"op1"}
    with pytest.raises(
        InputError, match=r"a row per block, not per run: the row 'seed' is the seed; leave out --transp"
    ):
        load_runs(path, transposed=True)


def test_a_table_without_any_choice_says_what_its_columns_are(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("run,seed,loss\n1,1,0.5\n2,2,0.25\n")
    with pytest.raises(
        InputError, match=r"'seed' \(the seed\), 'loss' \(a metric\); name those that are with --choices"
    ):
        load_runs(path, transposed=True)


def test_blocks_in_which_no_two_runs_agree_are_asked_about(tmp_path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{i},conv,word-{'abcdefgh'[i]}\n" for i in range(8))
    path.write_text("run,op,odd\n" + rows)
    runs = load_runs(path, transposed=True)
    assert set(runs[0].genotype) == {"op", "odd"}
    assert "no two runs have the same choice: 'odd'" in " ".join(note.text for note in runs.notes)


# Experiments of NNI without genotypes ---------------------------------------------------------------------------------


def test_an_experiment_without_genotypes_has_its_parameters_as_choices(tmp_path):
    folder = write_experiment(tmp_path / "abcd1234", {"one": (0, DONE, 0.5), "two": (1, DONE, {"default": 0.75})})
    change_parameters(folder, {0: {"op": "conv", "seed": 3}, 1: {"op": {"_name": "skip", "depth": 2}, "seed": 4}})
    runs = load_runs(folder)
    assert [(run.name, dict(run.genotype), run.metrics, run.settings) for run in runs] == [
        ("one", {"op": "conv"}, {"default": 0.5}, {"seed": 3}),
        ("two", {"op": "skip", "op.depth": 2}, {"default": 0.75}, {"seed": 4}),
    ]
    (best,) = load_runs(folder, best="max")
    assert best.genotype["op"] == "skip"


def change_parameters(folder, parameters):
    import sqlite3

    connection = sqlite3.connect(folder / "db" / "nni.sqlite")
    for number, values in parameters.items():
        data = json.dumps({"parameter_id": number, "parameters": values})
        connection.execute(
            "update TrialJobEvent set data = ? where sequenceId = ? and data is not null", (data, number)
        )
    connection.commit()
    connection.close()


def test_a_failed_experiment_tells_why_each_trial_gave_no_run(tmp_path):
    trials = {
        "dead": (0, ("RUNNING", "FAILED"), None),
        "busy": (1, ("RUNNING",), None),
        "plain": (2, DONE, {"default": 0.5}),
    }
    with pytest.raises(InputError) as caught:
        load_runs(write_experiment(tmp_path / "abcd1234", trials))
    for trial, why in (("dead", "FAILED"), ("busy", "no final result"), ("plain", "its parameters no choice")):
        assert any(trial in part and why in part for part in str(caught.value).split("Trial"))


# Errors teach ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "looks"),
    [
        ("a.csv", "name,op\na\n", "a text that begins with 'name,op"),
        ("b.json", '{"layers": {"a": 1, "b": {"c": 2}}}', "a JSON object with the keys 'layers'"),
        ("c.csv", "x,a,a\n1,u,v\n", "a table with the columns 'x', 'a', 'a'"),
    ],
)
def test_an_error_says_what_the_file_looks_like_and_what_to_try(name, text, looks, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_runs(path)
    assert f"It looks like {looks}" in str(caught.value)
    assert "`nas-ctx report --formats` lists what is read" in str(caught.value)


def test_trials_of_one_sweep_are_said_to_be_that_at_the_top(tmp_path, capsys):
    path = tmp_path / "sweep.csv"
    path.write_text("number,params_op,params_w,value,state\n0,a,1,0.5,COMPLETE\n1,a,2,0.6,COMPLETE\n")
    assert main(["report", str(path), "--out", str(tmp_path / "out"), "--no-figures", "--draws", "20"]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "counted as runs" in page[page.index("<body") : page.index("pairwise agreement")]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "t.json",
            '{"trial_id": 1, "status": "COMPLETED", "hyperparameters": {"values": {"a": "x"}, "space": [{"class_name": '
            '"Choice", "config": {"name": ["a"], "values": ["x"]}}]}}',
            "at least two runs",
        ),
        (
            "t.yaml",
            "normal: [[a, 0], [b, 1]]\nreduce: [[a, 0], [b, 1]]\n3: [[a, 0], [b, 1]]\n",
            "name of a cell, got 3",
        ),
        ("t.csv", "name,summary,config,State\nr1,{},\"{'a': 'x'}\",crashed\n", "Of .*t.csv: r1 .crashed."),
    ],
    ids=["the name of a hyperparameter is a list", "the name of a cell is a number", "a state without a Name"],
)
def test_odd_names_are_refused_or_passed_over(name, text, told, tmp_path, capsys):
    (tmp_path / name).write_text(text)
    assert main(["report", str(tmp_path / name), "--out", str(tmp_path / "out"), "--no-figures"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(told, line)


def test_the_patterns_of_a_sweep_are_held_against_its_columns_and_not_its_cells(tmp_path, monkeypatch):
    """A table of a million cells took 19 s."""
    asked = []
    monkeypatch.setattr(sweeps, "matches", lambda name, patterns: asked.append(name) or matches(name, patterns))
    rows = ["number,value,params_op,params_seed", *(f"{n},0.5,{'ab'[n % 2]},{n}" for n in range(100))]
    (tmp_path / "study.csv").write_text("\n".join(rows))
    runs = load_runs(tmp_path / "study.csv")
    assert [run.settings["seed"] for run in runs] == list(range(100))
    assert {run.metrics["value"] for run in runs} == {0.5}
    assert len(asked) <= 2 * 4


def test_a_measured_column_of_few_repeats_is_left_out_with_a_note_and_counted_on_demand(tmp_path):
    times = [12.1, 12.5, 13.0, 12.5, 11.9, 12.2, 12.8, 13.1]
    rows = [f"run {i},{'ab'[i % 2]},{(0.1, 0.01, 0.001)[i % 3]},{time}" for i, time in enumerate(times)]
    table = tmp_path / "runs.csv"
    table.write_text("\n".join(["run,op,lr,time_s", *rows]) + "\n")
    found = load_runs(table, transposed=True)
    assert set(found[0].genotype) == {"op", "lr"}
    assert any("'time_s' (decimal numbers of which few are twice, like a measurement)" in n.text for n in found.notes)
    counted = load_runs(table, choices="op,lr,time_s")
    assert set(counted[0].genotype) == {"op", "lr", "time_s"}
    with pytest.raises(InputError, match=r"'time_s' is missing.*--choices"):
        reliability(counted, draws=20, candidates={"op": ["a", "b"], "lr": ["0.1", "0.01", "0.001"]})
