"""Experiments of NNI that are killed and launched again; on this machine, and on two others over SSH."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from nas_ctx import runs
from nas_ctx.analysis import load_runs
from nas_ctx.errors import InputError
from nas_ctx.experiment import launch
from nas_ctx.genotype import Genotype
from tests.experiment.test_launch import experiment_file, processes_of
from tests.rooms import tiny, tiny_config
from tests.runs.processes import contents, same

STEPS = {"training__steps": 30, "training__checkpoint_every": 5, "training__validate_every": 10}


def kill(processes: list[psutil.Process]) -> None:
    """Kill these processes, all of which this test started."""
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=20)


@pytest.mark.long
def test_an_experiment_goes_on_whatever_was_killed(rooms: Path, tmp_path: Path) -> None:
    """First the launcher is killed, then all: manager, trials; then it comes to its end as if nothing had been."""
    home, output = tmp_path / "home", tmp_path / "run-{seed}"
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(tiny(rooms, output, **STEPS), sort_keys=False))
    path = experiment_file(tmp_path, "python -m nas_ctx.trial search search.yaml", [0, 1, 2])
    path.write_text(path.read_text().replace("trialConcurrency: 2", "trialConcurrency: 1"))
    command = [str(Path(sys.executable).parent / "nas-ctx"), "launch", str(path), "--home", str(home)]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert launcher.stdout is not None
        first = next(line for line in launcher.stdout if line.startswith("experiment "))
        with pytest.raises(InputError, match=f"process {launcher.pid} runs it"):
            launch.run(path, home)
        for line in launcher.stdout:  # the first of three trials is done
            if "1 trials done" in line:
                break
        launcher.kill()
        launcher.communicate()

        joined: list[str] = []

        def kill_all(experiment: launch.Experiment, trials: list[launch.Trial]) -> None:
            joined.append(experiment.id)
            if (tmp_path / "run-1" / "checkpoints" / "step=10.ckpt").exists():
                kill(processes_of(home))

        with pytest.raises(launch.LaunchError, match="does not answer"):
            launch.run(path, home, follow=kill_all, interval=0.05)
        assert joined[0] == first.split()[1]
        assert not (tmp_path / "run-1" / "metrics.json").exists()
        before = (tmp_path / "run-0" / "history.csv").stat().st_mtime_ns

        experiment, trials = launch.run(path, home)
    finally:
        launcher.kill()
        kill(processes_of(home))
    assert [trial.status for trial in trials] == ["SUCCEEDED"] * 3
    assert experiment.id != joined[0]
    assert (tmp_path / "run-0" / "history.csv").stat().st_mtime_ns == before
    record = load_runs([experiment.folder])
    assert sorted(run.settings["seed"] for run in record) == [0, 1, 2]
    for seed in (0, 1, 2):
        config = tiny_config(rooms, tmp_path / f"alone-{seed}", seed=seed, **STEPS)
        runs.search(config, progress=False)
        same(contents(tmp_path / f"run-{seed}"), contents(tmp_path / f"alone-{seed}"))


@pytest.mark.long
def test_a_trial_that_was_killed_goes_on_in_the_next_launch(rooms: Path, tmp_path: Path) -> None:
    """NNI brings the others to their end; launched again, the killed one alone runs on from its checkpoint."""
    home, output = tmp_path / "home", tmp_path / "run-{seed}"
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(tiny(rooms, output, **STEPS), sort_keys=False))
    path = experiment_file(tmp_path, "python -m nas_ctx.trial search search.yaml", [0, 1])
    killed: list[int] = []

    def kill_one(experiment: launch.Experiment, trials: list[launch.Trial]) -> None:
        if not killed and (tmp_path / "run-1" / "checkpoints" / "step=10.ckpt").exists():
            killed.append(int((tmp_path / "run-1" / ".lock").read_text().split()[1]))
            kill([psutil.Process(killed[0])])

    try:
        _, trials = launch.run(path, home, follow=kill_one, interval=0.02)
        first = sorted(trial.status for trial in trials)
        assert first in (["FAILED", "SUCCEEDED"], ["SUCCEEDED", "USER_CANCELED"])  # NNI has called it both
        assert not (tmp_path / "run-1" / "metrics.json").exists()
        before = (tmp_path / "run-0" / "history.csv").stat().st_mtime_ns
        experiment, trials = launch.run(path, home)
    finally:
        kill(processes_of(home))
    assert [trial.status for trial in trials] == ["SUCCEEDED"] * 2
    assert (tmp_path / "run-0" / "history.csv").stat().st_mtime_ns == before
    assert sorted(run.settings["seed"] for run in load_runs([experiment.folder])) == [0, 1]
    runs.search(tiny_config(rooms, tmp_path / "alone", seed=1, **STEPS), progress=False)
    same(contents(tmp_path / "run-1"), contents(tmp_path / "alone"))


SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
SetEnv HOME={home} OMP_NUM_THREADS=1
"""


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[tuple[int, Path, Path]]]:
    """Two machines: an sshd each on loopback, with its own keys and home; (port, user's key, home)."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd here (Debian: openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it
    daemons, found = [], []
    try:
        for name in ("one", "two"):
            folder, home, port = tmp_path / f"sshd-{name}", tmp_path / f"home-{name}", launch.free_port()
            folder.mkdir()
            home.mkdir()
            for key in ("host", "user"):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
            (folder / "config").write_text(SSHD.format(port=port, folder=folder, home=home))
            log = (folder / "log").open("w")
            daemons.append(subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "config")], stderr=log))
            found.append((port, folder / "user", home))
        yield found
    finally:
        for daemon in daemons:
            kill([*psutil.Process(daemon.pid).children(recursive=True), psutil.Process(daemon.pid)])
        for _, _, home in found:
            kill(processes_of(home))


@pytest.mark.long
def test_two_machines_over_ssh(rooms: Path, tmp_path: Path, machines: list[tuple[int, Path, Path]]) -> None:
    """Five seeds on two machines; the report is made from the experiment's record alone."""
    code = tmp_path / "code"
    code.mkdir()
    # No output: a run lies in its trial's folder on the machine that it ran on.
    (code / "search.yaml").write_text(yaml.safe_dump(tiny(rooms, None), sort_keys=False))
    path = experiment_file(
        code, "python -m nas_ctx.trial search search.yaml --experiment experiment.yaml", [0, 1, 2, 3, 4]
    )
    content = yaml.safe_load(path.read_text()) | {"nniManagerIp": "127.0.0.1"}
    content["trainingService"] = {
        "platform": "remote",
        "machineList": [
            {
                "host": "127.0.0.1",
                "port": port,
                "user": getpass.getuser(),
                "sshKeyFile": str(key),
                "pythonPath": str(Path(sys.executable).parent),
            }
            for port, key, _ in machines
        ],
    }
    path.write_text(yaml.safe_dump(content))
    experiment, trials = launch.run(path, tmp_path / "home")
    assert [trial.status for trial in trials] == ["SUCCEEDED"] * 5
    for _, _, home in machines:
        assert list(home.rglob("genotype.json")), "a machine had nothing to do"
        shutil.rmtree(home)
    record = load_runs([experiment.folder])
    assert sorted(run.settings["seed"] for run in record) == [0, 1, 2, 3, 4]
    runs.search(tiny_config(rooms, tmp_path / "here", seed=3), progress=False)
    there = next(run for run in record if run.settings["seed"] == 3)
    assert dict(there.genotype) == dict(Genotype.load(tmp_path / "here" / "genotype.json"))
    assert processes_of(tmp_path / "home") == []
