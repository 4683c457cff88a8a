"""NNI's record with values that NNI does not write: the trial is left out with a note, and the others are read."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from nas_ctx.analysis import load_runs
from nas_ctx.errors import InputError
from tests.analysis.test_runs import write_experiment

RESULT = {"default": 0.5, "genotype": {"a": "x", "b": "y"}}


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    trials = {f"tr1a{number}": (number, ["WAITING", "SUCCEEDED"], RESULT) for number in range(3)}
    return write_experiment(tmp_path / "abcd1234", trials)


def change(experiment: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(experiment / "db" / "nni.sqlite")
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    "final",
    [
        None, b"\xff\x00", 5, float("inf"), "", "[" * 100_000, json.dumps("[" * 100_000),
        json.dumps('{"default": 1e400}'),
        json.dumps('{"genotype": {"a": "x"}, "default": ' + "9" * 5000 + "}"),
        json.dumps('{"genotype": {"\\ud800": "x"}}'),
        json.dumps(json.dumps({"genotype": 5})),
    ],
)  # fmt: skip
def test_odd_results(experiment: Path, final: Any) -> None:
    change(experiment, "update MetricData set data = ? where trialJobId = 'tr1a1' and type = 'FINAL'", final)
    runs = load_runs(experiment)
    assert [run.name for run in runs] == ["tr1a0", "tr1a2"]
    assert any("tr1a1" in note.text for note in runs.notes)


@pytest.mark.parametrize("name", [None, b"\xff", 1.5, "", "../..", "/", "a\x00b", "**", "x" * 5000])
def test_odd_names_of_trials(experiment: Path, name: Any) -> None:
    """A name is that of a folder, too."""
    for table in ("TrialJobEvent", "MetricData"):
        change(experiment, f"update {table} set trialJobId = ? where trialJobId = 'tr1a1'", name)
    assert [run.name for run in load_runs(experiment)] == ["tr1a0", "tr1a2"]


@pytest.mark.parametrize(
    "data", [b"\xff\x00", 5, "[" * 100_000, '{"parameter_id": ' + "9" * 5000 + "}", '{"parameters": 1e400}']
)
def test_odd_parameters(experiment: Path, data: Any) -> None:
    change(experiment, "update TrialJobEvent set data = ? where trialJobId = 'tr1a1' and event = 'WAITING'", data)
    assert len(load_runs(experiment)) == 3


def test_a_view_without_end_is_no_table(experiment: Path) -> None:
    change(experiment, "drop table MetricData")
    change(
        experiment,
        "create view MetricData as with recursive n(i) as (select 1 union all select i + 1 from n) "
        "select i as timestamp, 'tr1a1' as trialJobId, '1' as parameterId, 'FINAL' as type, 0 as sequence, "
        "'{}' as data from n",
    )
    with pytest.raises(InputError, match="MetricData"):
        load_runs(experiment)
