"""Reading runs: every kind of input, alone and mixed, what is left out, and what is refused."""

from __future__ import annotations

import io
import json
import sqlite3

import numpy as np
import pytest

from nas_ctx.analysis import Run, SearchHistory, load_runs, percentage_agreement, reliability, write_report
from nas_ctx.cli import main
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype

from .searches import drawn_genotypes, write_csv, write_runs

A = {"a/a": "none", "a/b": "local", "b/a": "s-label", "b/b": "global"}
B = {**A, "a/b": "t-label"}


@pytest.fixture
def genotypes(tmp_path):
    paths = []
    for name, choices in (("one", A), ("two", B)):
        paths.append(tmp_path / f"{name}.json")
        Genotype(choices).save(paths[-1])
    return paths


def test_genotype_files_of_all_kinds_together(tmp_path, genotypes):
    atrc = tmp_path / "version_0" / "atrc_genotype.json"
    atrc.parent.mkdir()
    atrc.write_text(json.dumps({"data": {"a": {"a": 0, "b": 2}, "b": {"a": 4, "b": 1}}, "step": 10}))
    exported = tmp_path / "exported.json"
    exported.write_text(json.dumps(A))
    several = tmp_path / "top.json"
    several.write_text(json.dumps([A, B]))
    runs = load_runs([*genotypes, atrc, exported, several])
    assert [run.name for run in runs] == ["one", "two", "version_0", "exported", "top.json#1", "top.json#2"]
    assert [dict(run.genotype) == A for run in runs] == [True, False, True, True, True, False]


def test_one_path_alone(genotypes):
    assert len(load_runs(genotypes[0])) == 1


def test_run_folders_carry_everything(tmp_path):
    folders = write_runs(tmp_path, 3)
    runs = load_runs(folders)
    assert [run.name for run in runs] == ["seed-0", "seed-1", "seed-2"]
    assert runs[1].metrics["score"] == json.loads((folders[1] / "metrics.json").read_text())["score"]
    assert runs[1].settings["seed"] == 1
    assert len(runs[1].history.steps) == 200
    assert not runs.notes


def test_names_are_as_short_as_they_can_be(tmp_path):
    folders = [*write_runs(tmp_path / "x", 2), *write_runs(tmp_path / "y", 2, seed=5)]
    assert [run.name for run in load_runs(folders)] == ["x/seed-0", "x/seed-1", "y/seed-0", "y/seed-1"]


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".csv", ";"), (".tsv", "\t"), (".txt", "\t")])
def test_tables(tmp_path, suffix, separator):
    drawn = drawn_genotypes(3)
    runs = load_runs(write_csv(tmp_path / f"t{suffix}", drawn, separator))
    assert [run.name for run in runs] == ["run 0", "run 1", "run 2"]
    assert [dict(run.genotype) for run in runs] == drawn


def test_transposed_table_quotes_and_byte_order_mark(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\ufeffrun,"b, one",two\r\nfirst,"x ""y""",z\r\n\r\nsecond,u,\r\n', encoding="utf-8")
    runs = load_runs(path, transposed=True)
    assert [(run.name, dict(run.genotype)) for run in runs] == [
        ("first", {"b, one": 'x "y"', "two": "z"}),
        ("second", {"b, one": "u"}),
    ]


@pytest.mark.parametrize("text", ['{"a": "x", "b": "y"}', "block,r\na,x\nb,y\n"])
def test_standard_input(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert dict(load_runs("-")[0].genotype) == {"a": "x", "b": "y"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("block,r\n", "needs a header"),
        ("block\na\n", "needs a header"),
        ("block,r,r\na,x,y\n", "'r' twice"),
        ("block,r,s\na,x,y\na,x,y\n", "'a' twice"),
        ("block,r,\na,x,y\n", "empty label at position 3"),
        ("block,r,s\na,x\n", "line 2 has 2 cells but the header has 3"),
        ("block,r,s\na,x,\n", "run 's' has no rating"),
        ('block,r,s\na,"x,y\n', "line"),
    ],
)
def test_wrong_tables_are_refused_by_line(tmp_path, text, told):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_runs(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_wrong_paths_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x01")
    for path, told in (
        ("no/such.json", "no such file"),
        (tmp_path / "empty", "neither a run folder"),
        (tmp_path / "binary.csv", "UTF-8"),
    ):
        with pytest.raises(InputError, match=told):
            load_runs(path)
    with pytest.raises(InputError, match="empty list"):
        load_runs([])


# What looks doubtful is named -----------------------------------------------------------------------------------------


def notes(runs) -> str:
    return "\n".join(f"{note.kind}: {note.text}" for note in runs.notes)


def test_a_path_given_twice_is_counted_once_and_named(genotypes):
    runs = load_runs([*genotypes, genotypes[0].parent / "." / "one.json"])
    assert len(runs) == 2
    assert "given twice" in notes(runs)


def test_a_link_to_another_path_is_not_a_run_more(genotypes):
    latest = genotypes[0].parent / "_latest"
    latest.symlink_to(genotypes[0])
    runs = load_runs([latest, *genotypes])
    assert len(runs) == 2
    assert "given twice" not in notes(runs)


def copy_of(folder, name):
    copy = folder.parent.parent / name / "copy"
    copy.mkdir(parents=True)
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def test_the_same_run_under_two_names_counts_once_unless_asked_for_and_is_said_at_the_top(tmp_path, capsys):
    folders = write_runs(tmp_path / "a", 2)
    copy = copy_of(folders[0], "b")
    runs = load_runs([*folders, copy])
    assert [run.name for run in runs] == ["seed-0", "seed-1"]
    assert "the same run twice: seed-0 and copy are one run" in notes(runs)
    both = load_runs([*folders, copy], keep_copies=True)
    assert len(both) == 3
    assert "counted as two, as was asked for" in notes(both)
    words = ["report", *map(str, [*folders, copy]), "--out", str(tmp_path / "out"), "--draws", "20", "--no-figures"]
    assert main([*words, "--keep-copies"]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "seed-0 and copy are one run" in page[page.index("<body") : page.index("pairwise agreement")]


def test_a_copied_genotype_file_with_a_record_counts_once(tmp_path):
    Genotype(A, {"seed": 1, "probabilities": {"a/a": {"none": 0.7}}}).save(tmp_path / "x.json")
    (tmp_path / "y.json").write_bytes((tmp_path / "x.json").read_bytes())
    Genotype(A, {"seed": 2, "probabilities": {"a/a": {"none": 0.8}}}).save(tmp_path / "z.json")
    assert [run.name for run in load_runs([tmp_path / f"{name}.json" for name in "xyz"])] == ["x", "z"]
    with pytest.raises(InputError, match="x and y are one run: the same choices and record; counted once"):
        reliability(load_runs([tmp_path / "x.json", tmp_path / "y.json"]), draws=20)


def test_byte_equal_files_of_choices_alone_count_and_are_told_of(tmp_path):
    """Searches that agree, or all collapse, leave such files: to count them once would hide it."""
    for name, choices in (("x", A), ("y", A), ("z", B)):
        Genotype(choices).save(tmp_path / f"{name}.json")
    runs = load_runs([tmp_path / f"{name}.json" for name in "xyz"])
    assert len(runs) == 3
    assert "x, y are byte-equal files that hold choices only" in notes(runs)


def test_missing_values_as_r_and_pandas_write_them_are_told_of(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("block,r,s,t\nx,a,NA,a\ny,b,b,nan\nz,a,b,a\nw,NA,a,\n")
    runs = load_runs(path)
    assert "3 choices are missing, written as NA (2), nan (1)" in notes(runs)


def test_many_gaps_are_one_line():
    whole = {f"b{i}": "x" for i in range(260)}
    record = reliability([whole, dict(list(whole.items())[:10]), whole], draws=20)
    told = [note.text for note in record.notes if note.kind == "block missing"]
    assert len(told) == 1
    assert told[0].startswith("250 blocks ('b10', 'b11', 'b12', 'b13' and 246 more) are missing")


def test_decimal_commas_and_the_two_forms_of_a_choice_of_inputs(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("block;r;s\nrate;0,5;0.5\nwidth;1;1.0\nname;a,b;a\n")
    assert reliability(load_runs(path), draws=20).results[0].value == pytest.approx(2 / 3)
    assert [note.text.split(": ")[1] for note in load_runs(path).notes if note.kind == "decimal comma"] == [
        "1 value with a decimal comma, read as numbers"
    ]
    ours, exported = {"ic": 1, "op": "conv"}, {"ic": [1], "op": "conv"}
    for name, choices in (("ours", ours), ("exported", exported)):
        (tmp_path / f"{name}.json").write_text(json.dumps(choices))
    record = reliability(load_runs([tmp_path / "ours.json", tmp_path / "exported.json"]), draws=20)
    assert record.results[0].value == 1


def test_labels_are_composed_and_two_blocks_may_not_become_one(tmp_path):
    runs = [{"caf\u00e9": "x", "b": "\u00e9"}, {"cafe\u0301 ": "x", "b": "e\u0301"}]
    assert reliability(runs, draws=20).results[0].value == 1
    with pytest.raises(InputError, match="are one block, written in two ways"):
        reliability([{"a": "x", "a ": "y"}, {"a": "x"}], draws=20)
    with pytest.raises(InputError, match="has no rating at all"):
        reliability([{"a": "NA", "b": "nan"}, {"a": "x", "b": "y"}], draws=20)


def test_inactive_choices_are_left_out_and_told_of():
    """An inner choice under an outer candidate that was not taken is noise: it must not count."""
    runs = [
        Run("r", {"outer": "plain", "other": "a", "inner": "x"}, settings={"inactive": ["inner"]}),
        Run("s", {"outer": "plain", "other": "a", "inner": "y"}, settings={"inactive": ["inner"]}),
        Run("t", {"outer": "nested", "other": "a", "inner": "y"}),
    ]
    record = reliability(runs, draws=20, ties="order")
    assert record.blocks == ("outer", "other")
    assert "2 choices of 1 blocks ('inner') had no effect" in "".join(note.text for note in record.notes)
    assert dict(record.consensus) == {"outer": "plain", "other": "a", "inner": "y"}


def test_labels_that_differ_in_case_stay_apart_and_are_named_and_blanks_do_not_count(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("block,r,s\nOne,local,Local\none,x,x \n")
    runs = load_runs(path)
    assert "'Local', 'local'" in notes(runs)
    assert "block labels 'One', 'one'" in notes(runs)
    assert reliability(runs, draws=50).results[0].value == 0.5


def test_blocks_that_not_all_runs_have_are_named_and_left_to_alpha():
    runs = [A, {key: A[key] for key in ("a/a", "a/b", "b/a")}, B]
    record = reliability(runs, draws=50)
    assert record.blocks == ("a/a", "a/b", "b/a")
    assert "'b/b' is missing in run 2" in "".join(note.text for note in record.notes)
    assert record.alpha_over_all is not None
    with pytest.raises(InputError, match="no block in common"):
        reliability([{"x": "1", "y": "2"}, {"z": "1"}])


def test_choices_of_any_json_kind():
    odd = [{"a": 1, "b": None, "c": (0, 2), "d": True}, {"a": "1", "b": None, "c": (0, 2), "d": 1}]
    record = reliability(odd, draws=50)
    assert record.results[0].value == 0.75, "a number is one choice however it is written, and True is none"
    assert set(record.table.texts) == {"1", "null", "[0, 2]", "true"}
    assert record.votes[1].choice is not None
    one = reliability([odd[0], odd[0]], draws=50)
    assert dict(one.consensus) == odd[0]


def test_natural_order_of_choices():
    runs = [{"a": "conv10", "b": "conv9", "c": 7, "d": "none"}, {"a": "conv9", "b": "conv10", "c": 3.5, "d": "none"}]
    assert reliability(runs, draws=20).table.texts == ("none", "3.5", "7", "conv9", "conv10")
    assert reliability(runs, draws=20, order=["conv10"]).table.texts[0] == "conv10"


# NNI's record ---------------------------------------------------------------------------------------------------------


def write_experiment(folder, trials, *, rows=()):
    """An experiment as NNI 3.0 stores it: ``trials`` maps ids to (parameter id, events, final result or None)."""
    (folder / "db").mkdir(parents=True)
    connection = sqlite3.connect(folder / "db" / "nni.sqlite")
    connection.execute(
        "create table TrialJobEvent (timestamp integer, trialJobId text, event text, data text, logPath text, "
        "sequenceId integer, message text, environmentId text)"
    )
    connection.execute(
        "create table MetricData (timestamp integer, trialJobId text, parameterId text, type text, sequence integer, "
        "data text)"
    )
    for time, (trial, (parameter, events, final)) in enumerate(trials.items()):
        for step, event in enumerate(events):
            data = {"parameter_id": time, "parameter_source": "algorithm", "parameters": {"seed": 100 + time}}
            log = str(folder / "environments" / "local-env" / "trials" / trial)
            row = (
                10 * time + step,
                trial,
                event,
                json.dumps(data) if step == 0 else None,
                log,
                time,
                None,
                "local-env",
            )
            connection.execute("insert into TrialJobEvent values (?,?,?,?,?,?,?,?)", row)
        for kind, value in (("PERIODICAL", {"default": 0.1}), ("FINAL", final)):
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(json.dumps(value))
                connection.execute(
                    "insert into MetricData values (?,?,?,?,?,?)", (10 * time + 5, trial, str(parameter), kind, 0, text)
                )
    connection.commit()
    connection.close()
    return folder


DONE = ("RUNNING", "SUCCEEDED")
TRIALS = {
    "good1": (1, DONE, {"default": 0.5, "genotype": A}),
    "good2": (0, DONE, {"default": 0.6, "genotype": B}),
    "dead": (2, ("RUNNING", "FAILED"), None),
    "gone": (3, ("WAITING", "USER_CANCELED"), {"default": 0.1, "genotype": A}),
    "busy": (4, ("RUNNING",), None),
    "plain": (5, DONE, 0.5),
    "broken": (6, DONE, "not json"),
    "wrong": (7, DONE, {"default": 0.5, "genotype": {"a/a": "s-label"}}),
}


def test_experiment_folder_names_what_it_leaves_out(tmp_path):
    runs = load_runs(write_experiment(tmp_path / "abcd1234", TRIALS))
    assert [run.name for run in runs] == ["good1", "good2"]
    assert [dict(run.genotype) for run in runs] == [A, B]
    assert [run.metrics for run in runs] == [{"default": 0.5}, {"default": 0.6}]
    said = notes(runs)
    for trial, why in (
        ("dead", "FAILED"),
        ("gone", "USER_CANCELED"),
        ("busy", "no final result"),
        ("plain", "no genotype"),
        ("broken", "not JSON"),
        ("wrong", "no s-label context with itself"),
    ):
        assert any(trial in line and why in line for line in said.splitlines()), trial


def with_search_space(folder, params):
    """The profile of an experiment as NNI 3.0 stores it: the newest revision counts."""
    connection = sqlite3.connect(folder / "db" / "nni.sqlite")
    connection.execute(
        "create table ExperimentProfile (params text, id text, execDuration integer, startTime integer, "
        "endTime integer, logDir text, nextSequenceId integer, revision integer)"
    )
    for revision, text in ((2, params), (1, json.dumps({"searchSpace": {"op": {"_type": "choice", "_value": ["x"]}}}))):
        connection.execute("insert into ExperimentProfile values (?,'e',0,0,0,'',0,?)", (text, revision))
    connection.commit()
    connection.close()
    return folder


def trials_of(*genotypes):
    return {f"t{i}": (i, DONE, {"default": 0.5, "genotype": genotype}) for i, genotype in enumerate(genotypes)}


def test_the_search_space_of_an_experiment_says_what_its_blocks_could_choose(tmp_path):
    space = {
        "op": {"_type": "choice", "_value": ["conv3", "conv5", "skip"]},
        "width": {"_type": "choice", "_value": [1, 2]},
        "lr": {"_type": "loguniform", "_value": [0.001, 0.1]},
    }
    trials = trials_of({"op": "skip", "width": 1}, {"op": "conv3", "width": 1})
    folder = with_search_space(write_experiment(tmp_path / "abcd1234", trials), json.dumps({"searchSpace": space}))
    record = reliability(load_runs(folder), draws=20)
    assert record.candidates == (3, 2)
    assert record.candidates_from == "the search space of the experiment"


@pytest.mark.parametrize(
    "params",
    ["no JSON", "[]", '{"searchSpace": 3}', '{"searchSpace": {"op": {"_type": "choice", "_value": [{"_name": "a"}]}}}',
     '{"searchSpace": {"op": {"_type": "choice", "_value": ["other", "values"]}}}'],
)  # fmt: skip
def test_a_search_space_of_another_kind_says_nothing(tmp_path, params):
    trials = trials_of({"op": "skip", "width": 1}, {"op": "conv3", "width": 1})
    folder = with_search_space(write_experiment(tmp_path / "abcd1234", trials), params)
    assert reliability(load_runs(folder), draws=20).candidates is None


def test_a_trials_parameters_are_those_it_reported_with(tmp_path):
    """NNI may hand a trial other parameters than those of its own event: the id in its metrics tells which."""
    runs = load_runs(write_experiment(tmp_path / "abcd1234", TRIALS))
    assert [run.settings["seed"] for run in runs] == [101, 100]


def test_experiment_by_id(tmp_path, monkeypatch):
    folder = write_experiment(tmp_path / "elsewhere" / "abcd1234", TRIALS)
    home = tmp_path / "home"
    (home / "nni-experiments").mkdir(parents=True)
    registry = home / "nni-experiments" / ".experiment"
    registry.write_text(json.dumps({"abcd1234": {"id": "abcd1234", "logDir": str(folder.parent)}}))
    assert len(load_runs("abcd1234", nni_home=home / "nni-experiments")) == 2
    monkeypatch.setenv("HOME", str(home))
    assert len(load_runs("abcd1234")) == 2
    with pytest.raises(InputError, match="known: abcd1234"):
        load_runs("zzzz9999")


def write_trial_folder(folder, choices, **meta):
    Genotype(choices, meta).save(folder / "genotype.json")
    (folder / "history.csv").write_text(
        "step,temperature,entropy_weight,mean_entropy,a/a=none,a/a=global\n0,1,0,0.6,0.5,0.5\n10,1,0,0.1,1,0\n"
    )


def test_run_folders_of_trials_are_found_where_they_are(tmp_path):
    """In the trial's own folder, where the trial told, and not when it holds another search."""
    told = tmp_path / "told"
    trials = {**TRIALS, "good2": (0, DONE, {"default": 0.6, "genotype": B, "folder": str(told)})}
    folder = write_experiment(tmp_path / "abcd1234", trials)
    write_trial_folder(folder / "environments" / "local-env" / "trials" / "good1" / "run", A, decided_at={"a/b": 7})
    write_trial_folder(told, B)
    runs = load_runs(folder)
    assert runs[0].decided_at("a/b") == 7
    assert runs[0].decided_at("a/a") is None  # the search said which blocks it decided
    assert runs[1].decided_at("a/a") == 10  # read off the history
    write_trial_folder(told, A)
    again = load_runs(folder)
    assert again[1].history is None
    assert "told holds other choices than trial good2" in notes(again)


def test_parameters_in_the_final_result_count_most(tmp_path):
    final = {"default": 0.5, "genotype": A, "parameters": {"seed": 42}}
    runs = load_runs(write_experiment(tmp_path / "abcd1234", {"good1": (0, DONE, final)}))
    assert runs[0].facts() == {"seed": 42}


def test_ties_are_broken_by_probabilities_that_genotype_files_carry():
    runs = [
        Run("r", {"a": "x", "b": "x"}, settings={"probabilities": {"a": {"x": 0.5, "y": 0.4}, "b": {}}}),
        Run("s", {"a": "y", "b": "x"}, settings={"probabilities": {"a": {"x": 0.3, "y": 0.6}, "b": {}}}),
    ]
    assert reliability(runs, ties="probability", draws=20).votes[0].choice == "y"


def test_experiment_is_opened_read_only_and_a_foreign_database_is_refused(tmp_path):
    folder = write_experiment(tmp_path / "abcd1234", TRIALS)
    before = (folder / "db" / "nni.sqlite").read_bytes()
    load_runs(folder)
    assert (folder / "db" / "nni.sqlite").read_bytes() == before
    assert [path.name for path in (folder / "db").iterdir()] == ["nni.sqlite"]
    other = tmp_path / "other"
    (other / "db").mkdir(parents=True)
    (other / "db" / "nni.sqlite").write_text("no database")
    with pytest.raises(InputError, match="cannot be read"):
        load_runs(other)


def test_an_experiment_without_usable_trials_says_so(tmp_path):
    folder = write_experiment(tmp_path / "abcd1234", {"dead": TRIALS["dead"]})
    with pytest.raises(InputError, match="no usable run"):
        load_runs(folder)


# Histories ------------------------------------------------------------------------------------------------------------

HEADER = "step,temperature,entropy_weight,mean_entropy,a=x,a=y,b=x,b=y\n"


def test_history_steps(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(
        HEADER
        + "0,1,0,0.69,0.5,0.5,0.6,0.4\n10,0.5,0,0.5,0.4,0.6,0.9,0.1\n20,0.1,0,0.2,0,1,0.4,0.6\n30,0.1,0,0,0,1,0.7,0.3\n"
    )
    history = SearchHistory.load(path)
    assert history.decided_at("a") == 20
    assert history.decided_at("b") is None
    assert history.settled_at("a") == 10
    assert history.settled_at("b") == 30
    assert history.at(np.array([-5, 0, 9, 10, 99])).tolist() == [0, 0, 0, 1, 3]


def test_agreement_over_the_steps_is_that_of_the_then_leading_choices(tmp_path):
    runs = load_runs(write_runs(tmp_path, 4, steps=40))
    record = reliability(runs, draws=50)
    course = record.trajectory
    for i in (0, 17, len(course.steps) - 1):
        leading = [
            [run.history.choices[b][run.history.probabilities[b][i].argmax()] for b in record.blocks] for run in runs
        ]
        assert course.percentage[i] == pytest.approx(percentage_agreement(leading))
    assert course.percentage[-1] == pytest.approx(record.results[0].value)
    assert course.same_vote[-1] == 1
    after = course.same_vote[course.steps >= course.stable_from]
    assert (after == 1).all()


def test_ties_are_broken_by_the_final_probability(tmp_path):
    base = "0,1,0,0.6,{},{},1,0\n"
    folders = []
    for name, p in (("r", 0.9), ("s", 0.4)):
        folder = tmp_path / name
        folder.mkdir()
        Genotype({"a": "x" if p > 0.5 else "y", "b": "x"}).save(folder / "genotype.json")
        (folder / "history.csv").write_text(HEADER + base.format(p, 1 - p))
        folders.append(folder)
    record = reliability(load_runs(folders), ties="probability", draws=20)
    assert dict(record.consensus) == {"a": "x", "b": "x"}
    assert record.consensus.meta["tie_blocks"] == ["a"]


def test_a_run_that_prefers_nothing_yet_agrees_with_nobody(tmp_path):
    """All distributions start uniform, and argmax would call that full agreement on the first choice."""
    folders = []
    for name in ("r", "s"):
        folder = tmp_path / name
        folder.mkdir()
        Genotype({"a": "x", "b": "x"}).save(folder / "genotype.json")
        start, end = "0,1,0,0.69,0.5,0.5,0.5,0.5\n", f"9,1,0,0.6{name == 's':d},0.6,0.4,0.7,0.3\n"
        (folder / "history.csv").write_text(HEADER + start + end)
        folders.append(folder)
    course = reliability(load_runs(folders), draws=20).trajectory
    assert course.percentage.tolist() == [0, 1]
    assert course.same_vote.tolist() == [0, 1]


def test_runs_that_differ_in_more_than_the_seed_are_named(tmp_path):
    folders = write_runs(tmp_path, 3)
    assert not load_runs(folders).notes
    (folders[1] / "environment.json").write_text(json.dumps({"seed": 1, "torch": "2.5.0", "started": "now"}))
    said = notes(load_runs(folders))
    assert "'torch' too: 2.13.0, 2.5.0" in said
    assert "started" not in said


def test_a_report_over_different_versions_or_configurations_says_so_at_its_top(tmp_path):
    folders = write_runs(tmp_path, 3)
    text = "output: work/{}\nseed: {}\ntraining: {{lr: {}, steps: 9}}\n"
    for number, folder in enumerate(folders):
        (folder / "config.yaml").write_text(text.format(number, number, 0.01))
    assert not load_runs(folders).notes
    (folders[1] / "config.yaml").write_text(text.format(1, 1, 0.02))
    (folders[2] / "environment.json").write_text(json.dumps({"seed": 2, "versions": {"torch": "2.5.0"}}))
    (folders[0] / "environment.json").write_text(json.dumps({"seed": 0, "versions": {"torch": "2.4.0"}}))
    page = write_report(reliability(load_runs(folders), draws=20), tmp_path / "out", figures=False).read_text()
    top = page[page.index("<body") : page.index("pairwise agreement")]
    assert "in their configuration too: training.lr (0.01, 0.02)." in top
    assert "versions.torch" in top
    assert "2.4.0, 2.5.0" in top


def test_an_experiment_that_went_on_in_a_new_record_counts_each_run_once(tmp_path):
    """After a crash the trials of the new experiment take the finished runs from the same folders."""
    final = {"default": 0.6, "genotype": B, "folder": str(tmp_path / "seed-0")}
    write_trial_folder(tmp_path / "seed-0", B)
    first = write_experiment(tmp_path / "abcd1234", {"one": (0, DONE, final)})
    second = write_experiment(tmp_path / "efgh5678", {"two": (0, DONE, final), "good": TRIALS["good1"]})
    runs = load_runs([first, second, tmp_path / "seed-0"])
    assert len(runs) == 2
    assert notes(runs).count("are one run") == 2


def test_a_trial_tells_its_versions(tmp_path):
    finals = [{"default": 0, "genotype": A, "versions": {"torch": f"2.{number}"}} for number in (4, 5)]
    trials = {f"t{number}": (number, DONE, final) for number, final in enumerate(finals)}
    assert "'versions.torch' too: 2.4, 2.5" in notes(load_runs(write_experiment(tmp_path / "abcd1234", trials)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("step,x\n1,2\n", "first columns"),
        (HEADER, "no step"),
        (HEADER + "0,1,0,0.69,0.5,0.5,0.6\n", "columns"),
        (HEADER + "0,1,0,0.69,0.5,0.5,0.6,z\n", "z"),
        (HEADER + "5,1,0,0,1,0,1,0\n5,1,0,0,1,0,1,0\n", "do not increase after step 5"),
        (HEADER.replace("a=y", "a=x") + "0,1,0,0,1,0,1,0\n", "appears twice"),
        (HEADER.replace("a=y", "ay") + "0,1,0,0,1,0,1,0\n", "<block>=<choice>"),
    ],
)
def test_wrong_histories_are_refused(tmp_path, text, told):
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        SearchHistory.load(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_metrics_must_be_numbers(tmp_path):
    (folder,) = write_runs(tmp_path, 1)
    (folder / "metrics.json").write_text('{"score": "high"}')
    with pytest.raises(InputError, match="'score' must hold a number, got 'high'"):
        load_runs(folder)


def test_runs_made_in_python():
    record = reliability([Run("mine", A), Run("yours", B)], draws=20)
    assert [run.name for run in record.runs] == ["mine", "yours"]
    with pytest.raises(InputError, match="at least two runs, got 1"):
        reliability([Run("mine", A)])
