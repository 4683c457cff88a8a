"""The launcher ends when nothing can come any more, and says why: before the start, from NNI's logs, and as it goes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from nas_ctx.analysis import load_runs
from nas_ctx.cli import main
from nas_ctx.cli.trial_progress import TrialProgress
from nas_ctx.errors import InputError
from nas_ctx.experiment import checks, launch, manager

FILE: dict[str, Any] = {
    "trialCodeDirectory": ".",
    "trialCommand": "python trial.py",
    "searchSpace": {"seed": {"_type": "choice", "_value": [0, 1]}},
    "tuner": {"name": "GridSearch"},
    "maxTrialNumber": 4,
    "trialConcurrency": 2,
    "trainingService": {"platform": "local"},
}


def experiment_file(folder: Path, **changes: Any) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump({**FILE, **changes}))
    return path


def test_any_metric_and_a_tuner_with_too_few_points(tmp_path: Path) -> None:
    """Four trials are allowed, and the grid has two: one reports texts, the other a score that is no number."""
    (tmp_path / "trial.py").write_text(
        "import nni\n"
        "if nni.get_next_parameter()['seed'] == 0:\n"
        "    nni.report_intermediate_result('half way')\n"
        "    nni.report_final_result('a text, {')\n"
        "else:\n"
        "    nni.report_final_result({'default': float('nan'), 'genotype': {'a/b': 'local'}})\n"
    )
    experiment, trials = launch.run(experiment_file(tmp_path), tmp_path / "home")
    assert [trial.status for trial in trials] == ["SUCCEEDED", "SUCCEEDED"]
    latest = {trial.parameters["seed"]: trial.latest for trial in trials}
    assert latest[0] == {"default": "a text, {"}
    assert math.isnan(latest[1]["default"])
    assert [dict(run.genotype) for run in load_runs([experiment.folder])] == [{"a/b": "local"}]
    assert experiment.pid is not None
    assert not psutil.pid_exists(experiment.pid)


def test_a_tuner_that_fails_ends_the_launch_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    create = launch.create
    monkeypatch.setattr(launch, "create", lambda *given: starts.append(given) or create(*given))
    path = experiment_file(tmp_path, tuner={"name": "TPE", "classArgs": {"optimize_mode": "sideways"}})
    with pytest.raises(launch.LaunchError, match=r"NNI gave it up: dispatcher\.log: .*; see .*log"):
        launch.run(path, tmp_path / "home")
    assert len(starts) == 1  # it would fail again


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tuner": {"name": "GridSerach"}}, r"tuner: name: 'GridSerach': NNI knows .*did you mean 'GridSearch'"),
        ({"assessor": {"name": "Medianstopp"}}, r"assessor: name: 'Medianstopp': .*did you mean 'Medianstop'"),
        ({"tuner": {"codeDirectory": "mine", "className": "a.B"}}, r"tuner: codeDirectory: mine: no such folder"),
        ({"trial_code_directory": "code", "trialCodeDirectory": "code"}, r"trialCodeDirectory: code: no such folder"),
        ({"searchSpace": {"lr": {"_type": "unifrom", "_value": [0, 1]}}}, r"lr: _type: 'unifrom': .*mean 'uniform'"),
        ({"searchSpace": {"lr": {"_type": "choice", "_value": []}}}, r"searchSpace: lr: _value: nothing to draw from"),
        ({"trialGpuNumber": 2}, r"trialGpuNumber: 2: nvidia-smi finds 1 GPU on this machine"),
        ({"trainingService": {"platform": "local", "trialGpuNumber": 3}}, r"trialGpuNumber: 3: nvidia-smi finds 1 GPU"),
    ],
)
def test_what_can_be_known_is_refused_before_the_start(
    changes: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: A card (UUID: GPU-1)'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(manager, "nnictl", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(InputError, match=words) as error:
        manager.create(experiment_file(tmp_path, **changes), tmp_path / "home")
    assert "\n" not in str(error.value)
    checks.check_experiment(experiment_file(tmp_path, trialGpuNumber=1))


def test_a_manager_that_does_not_start_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the reason, which ``nnictl`` does not say; another try that ends alike is the last one."""
    calls = []

    def nnictl(words: list[str], *_: Any, **__: Any) -> str:
        calls.append(words[0])
        log = tmp_path / "home" / "nni-experiments" / "abc" / "log"
        log.mkdir(parents=True, exist_ok=True)
        (log / "nnimanager.log").write_text(
            "[2026-01-01 00:00:00] INFO (main) Start NNI manager\n"
            "[2026-01-01 00:00:01] ERROR (main) Error: no GPU scheduler on this machine\n    at somewhere.js:1\n"
        )
        return "Experiment ID: abc\nConnection refused"

    monkeypatch.setattr(manager, "nnictl", nnictl)
    reason = r"could not start the experiment; it said: nnimanager\.log: Error: no GPU scheduler on this machine$"
    with pytest.raises(launch.LaunchError, match=reason):
        manager.create(experiment_file(tmp_path), tmp_path / "home")
    assert calls.count("create") == 2


def trial(number: int, status: str, **latest: Any) -> manager.Trial:
    return manager.Trial(f"id{number}", number, status, {"training.seed": number}, latest)


@pytest.fixture
def experiment(tmp_path: Path) -> manager.Experiment:
    environment = manager.environment_of(tmp_path / "home")
    return manager.Experiment("abc", 8080, tmp_path, environment, None)


def test_in_a_log_each_event_is_a_line(experiment: manager.Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    show = TrialProgress()
    show(experiment, [])
    first = trial(0, "RUNNING")
    for trials in (
        [first],
        [first],
        [trial(0, "RUNNING", step=10, steps=40, default=0.5, blocks_decided=3), trial(1, "RUNNING")],
        [trial(0, "SUCCEEDED", default=0.25), trial(1, "RUNNING", default="a \x1b text")],
    ):
        show(experiment, trials)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("experiment abc on http://127.0.0.1:8080, password in ")
    assert lines[1:] == [
        "trial 0 (seed 0) running",
        "trial 0 (seed 0) running, step 10 of 40, result 0.5, 3 blocks decided",
        "trial 1 (seed 1) running",
        "trial 0 (seed 0) succeeded, result 0.25",
    ]


def test_on_a_terminal_it_is_one_table_redrawn(
    experiment: manager.Experiment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    clock = iter([100.0, 700.0])
    monkeypatch.setattr("nas_ctx.cli.trial_progress.time.monotonic", lambda: next(clock))
    show = TrialProgress()
    for step in (10, 20):
        show(experiment, [trial(0, "SUCCEEDED", default=0.25), trial(1, "RUNNING", step=step, steps=40, default=0.5)])
    out = capsys.readouterr().out
    assert out.count("\x1b[3A\r\x1b[J") == 1  # a heading and two rows are written over
    header, *rows = out.split("\x1b[J")[1].splitlines()
    assert header.split("  ")[0] == "trial"
    assert [row.split() for row in rows] == [
        ["0", "seed", "0", "succeeded", "0.25"],
        ["1", "seed", "1", "running", "20", "of", "40", "0.5", "20", "min"],  # ten steps took ten minutes
    ]


def test_what_nni_says_is_one_line_without_controls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It repeats what stands in the file, and ended with exit code 1."""

    def fails(*_: Any, **__: Any) -> None:
        raise launch.LaunchError("it said:\n\x1b[31mno\u202e tuner")

    monkeypatch.setattr(launch, "run", fails)
    assert main(["launch", str(tmp_path / "e.yaml")]) == 2
    assert capsys.readouterr().err == "nas-ctx launch: it said: \\x1b[31mno\\u202e tuner\n"
