"""The launcher and the trial with the real nnictl: what they record, where they listen, and that nothing stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nni_node
import psutil
import pytest
import yaml

from nas_ctx.analysis import load_runs
from nas_ctx.errors import InputError
from nas_ctx.experiment import launch
from nas_ctx.experiment import manager as manager_module
from tests.rooms import tiny


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process whose home folder is ``home``."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(home.resolve()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def experiment_file(folder: Path, command: str, seeds: list[int]) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "experimentName": "test",
                "trialCodeDirectory": ".",
                "trialCommand": command,
                "searchSpace": {"seed": {"_type": "choice", "_value": seeds}},
                "tuner": {"name": "GridSearch", "classArgs": {"optimize_mode": "minimize"}},
                "maxTrialNumber": len(seeds),
                "trialConcurrency": 2,
                "trainingService": {"platform": "local"},
            }
        )
    )
    return path


def test_a_manager_on_another_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the same guard; here a copy of NNI's own, which is a Node that is there wherever NNI is."""
    program = tmp_path / "another-node"
    shutil.copy(Path(nni_node.__file__).parent / "node", program)
    monkeypatch.setenv("NAS_CTX_NODE", str(program))
    (tmp_path / "wait.py").write_text("import nni, time\nnni.get_next_parameter()\ntime.sleep(600)\n")
    experiment = launch.create(experiment_file(tmp_path, "python wait.py", [1]), tmp_path / "home")
    try:
        assert psutil.Process(experiment.pid).exe() == str(program)
        assert experiment.status() == "RUNNING"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{experiment.url}/api/v1/nni/experiment")
    finally:
        experiment.stop()
    monkeypatch.setenv("NAS_CTX_NODE", str(tmp_path / "wait.py"))
    with pytest.raises(InputError, match=r"NAS_CTX_NODE: .*wait\.py: is no program"):
        launch.environment_of(tmp_path / "home")
    monkeypatch.setenv("NAS_CTX_NODE", shutil.which("false") or "")
    with pytest.raises(InputError, match=r"NAS_CTX_NODE: .*false: is no Node\.js"):
        launch.environment_of(tmp_path / "home")


def test_searches_as_trials_of_nnictl(rooms: Path, tmp_path: Path) -> None:
    """One seed searches, the other is refused by the trial's configuration check; all of it stands in NNI's record."""
    config = tiny(rooms, tmp_path / "run-{seed}")
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(config))
    path = experiment_file(tmp_path, "python -m nas_ctx.trial search search.yaml", [0, -1])
    listening: set[str] = set()

    def follow(experiment: launch.Experiment, trials: list[launch.Trial]) -> None:
        for process in manager_module.family(experiment.pid):
            try:
                connections = process.net_connections(kind="inet")
            except psutil.Error:
                continue
            listening.update(c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN)

    experiment, trials = launch.run(path, tmp_path / "home", follow=follow)

    assert listening == {"127.0.0.1"}
    assert processes_of(tmp_path / "home") == []
    by_seed = {trial.parameters["seed"]: trial for trial in trials}
    assert {seed: trial.status for seed, trial in by_seed.items()} == {0: "SUCCEEDED", -1: "FAILED"}
    assert by_seed[-1].reason() == (
        "nas_ctx.trial search: trial parameter seed: -1: input should be greater than or equal to 0"
    )
    written = json.loads((tmp_path / "run-0" / "genotype.json").read_text())
    assert by_seed[0].latest["genotype"] == written["choices"]
    assert by_seed[0].latest["parameters"] == {"seed": 0}
    assert by_seed[0].latest["default"] == json.loads((tmp_path / "run-0" / "metrics.json").read_text())["loss"]

    # The report needs nothing but the experiment's own record.
    record = load_runs([experiment.folder])
    assert [dict(run.genotype) for run in record] == [written["choices"]]


def test_an_interrupted_launch_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "wait.py").write_text("import nni, time\nnni.get_next_parameter()\ntime.sleep(600)\n")
    path = experiment_file(tmp_path, "python wait.py", [0, 1])
    home = tmp_path / "home"
    command = [str(Path(sys.executable).parent / "nas-ctx"), "launch", str(path), "--home", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("trial ") and "running" in line:
                break
        assert any("wait.py" in " ".join(p.cmdline()) for p in processes_of(home))
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)  # `make` and its children each pass an interruption on
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.communicate()
    assert processes_of(home) == []


def test_an_experiment_that_nni_gives_up_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class GivenUp(launch.Experiment):
        def get(self, what: str) -> object:
            return {"status": "ERROR", "errors": ["tuner did not start"]} if what == "check-status" else []

    path = experiment_file(tmp_path, "true", [0])
    created: list[launch.Experiment] = []

    def create(*_: object) -> launch.Experiment:
        created.append(GivenUp("abc", 1, tmp_path, {"PATH": ""}, None))
        return created[-1]

    monkeypatch.setattr(launch, "create", create)
    with pytest.raises(launch.LaunchError, match=r"experiment abc: NNI gave it up: tuner did not start; see .*log"):
        launch.run(path, tmp_path / "home")
    assert len(created) == 4  # nothing had begun: it tries again, not for ever


def test_what_nni_refuses_and_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        launch.create(tmp_path / "none.yaml", tmp_path / "home")
    path = tmp_path / "bad.yaml"
    path.write_text("trialCommand: echo\ntrialConcurrency: 1\nsearchSpaec: {}\ntrainingService: {platform: local}\n")
    with pytest.raises(InputError, match=r"bad\.yaml: nnictl refuses it: .*searchspaec"):
        launch.create(path, tmp_path / "home")
    assert processes_of(tmp_path / "home") == []


def test_a_finished_trial_is_not_run_again(rooms: Path, tmp_path: Path) -> None:
    """Where NNI starts a trial anew whose run is finished, its result is taken from the run folder."""
    from nas_ctx import runs, trial
    from tests.rooms import tiny_config

    config = tiny_config(rooms, tmp_path / "run")
    runs.search(config, progress=False)
    before = (tmp_path / "run" / "history.csv").stat().st_mtime_ns
    result = trial.run("search", config)
    assert (tmp_path / "run" / "history.csv").stat().st_mtime_ns == before
    assert result["genotype"] == json.loads((tmp_path / "run" / "genotype.json").read_text())["choices"]
    with pytest.raises(InputError, match="another configuration"):
        trial.run("search", tiny_config(rooms, tmp_path / "run", seed=1))


def test_a_trial_runs_alone(rooms: Path, tmp_path: Path) -> None:
    """Without nnictl the same command runs one trial with no parameters."""
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(tiny(rooms, tmp_path / "run", training__steps=1)))
    command = [sys.executable, "-m", "nas_ctx.trial", "train", "train.yaml", "--set", "seed=5"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["seed"] == 5
