"""NNI's manager under the launcher's guard: a real one, asked by strangers, by web pages and by its owner."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import websockets.sync.client
import yaml
from websockets.exceptions import InvalidStatus

from nas_ctx.errors import InputError
from nas_ctx.experiment import launch
from nas_ctx.experiment import manager as manager_module
from nas_ctx.experiment.credentials import netrc_of, token_in
from tests.experiment.test_launch import experiment_file, processes_of
from tests.rooms import tiny

API = "/api/v1/nni"
CODE = {"model.backbone": "subprocess:check_output", "model.backbone_options": {"args": "touch ran", "shell": True}}
NNICTL = [sys.executable, "-m", "nas_ctx.cli", "nnictl", "--home"]


@pytest.fixture(scope="module")
def manager(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.Experiment]:
    """A manager whose one trial has succeeded and which waits for another."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "train.yaml").write_text(yaml.safe_dump(tiny(rooms, folder / "run-{seed}", training__steps=1)))
    path = experiment_file(folder, "python -m nas_ctx.trial train train.yaml", [3])
    path.write_text(path.read_text().replace("maxTrialNumber: 1", "maxTrialNumber: 9"))
    with tempfile.TemporaryDirectory() as open_to_all:  # the folders of pytest are closed to other users anyway
        os.chmod(open_to_all, 0o755)
        experiment = launch.create(path, Path(open_to_all) / "home")
        try:
            ends(experiment, 1)
            yield experiment
        finally:
            experiment.stop()
        assert processes_of(Path(open_to_all) / "home") == []


def ends(experiment: launch.Experiment, count: int) -> list[launch.Trial]:
    """The trials, once ``count`` of them have ended."""
    for _ in range(600):
        trials = experiment.trials()
        if sum(trial.status in ("SUCCEEDED", "FAILED") for trial in trials) == count:
            return trials
        time.sleep(0.2)
    raise AssertionError([trial.status for trial in trials])


def ask(
    experiment: launch.Experiment,
    method: str,
    path: str,
    body: Any = None,
    *,
    password: str | None = None,
    **headers: str,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """What the manager answers to a request that is sent as it stands."""
    connection = http.client.HTTPConnection("127.0.0.1", experiment.port, timeout=20)
    with contextlib.closing(connection):
        if password is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"somebody:{password}".encode()).decode()
        text = body if isinstance(body, (str, type(None))) else json.dumps(body)
        connection.request(
            method,
            path,
            text,
            {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()},
        )
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


REQUESTS = [
    ("POST", f"{API}/trial-jobs", CODE),
    ("POST", f"{API}/experiment", {}),
    ("POST", f"{API}/tensorboard", {"trials": "x"}),
    ("PUT", f"{API}/experiment?update_type=MAX_TRIAL_NUM", {"params": {"maxTrialNumber": 99}}),
    ("PUT", f"{API}/experiment/cluster-metadata", {}),
    ("PUT", "/env/local-env/abcde", {"type": "metric", "metric": "{}"}),
    ("DELETE", f"{API}/experiment", None),
    ("DELETE", f"{API}/trial-jobs/abcde", None),
    ("GET", f"{API}/trial-jobs", None),
    ("GET", f"{API}/experiment", None),
    ("GET", "/env/local-env/abcde", None),
    ("GET", "/logs/nnimanager.log", None),
    ("GET", "/", None),
    ("HEAD", f"{API}/experiment", None),
    ("OPTIONS", f"{API}/experiment", None),
    ("PATCH", f"{API}/experiment", {}),
]


def test_nobody_gets_in_without_the_token(manager: launch.Experiment) -> None:
    before = manager.get("trial-jobs")
    token = token_in(manager.netrc)
    for method, path, body in REQUESTS:
        for password in (None, "", "undefined", token[:-1], token + "x"):
            status, headers, _ = ask(manager, method, path, body, password=password)
            assert status == 401, (method, path, password)
            assert headers["WWW-Authenticate"].startswith("Basic ")
    assert ask(manager, "GET", "/", Authorization=f"Bearer {token}")[0] == 401
    assert ask(manager, "GET", f"/?token={token}", Cookie=f"token={token}")[0] == 401
    assert manager.get("trial-jobs") == before
    assert manager.get("experiment")["params"]["maxTrialNumber"] == 9


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},  # a page whose name was rebound to 127.0.0.1
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": ""},
        {"Origin": "https://evil.example", "Content_Type": "text/plain"},  # no preflight is asked for
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},  # somebody else's server on this machine
    ],
    ids=str,
)
def test_no_other_page_gets_in_even_with_a_browser_that_knows_the_token(
    manager: launch.Experiment, headers: dict[str, str]
) -> None:
    before = manager.get("trial-jobs")
    for method, path, body in REQUESTS:
        assert ask(manager, method, path, body, password=token_in(manager.netrc), **headers)[0] == 403
    assert manager.get("trial-jobs") == before


def test_nothing_is_passed_on_to_other_hosts(manager: launch.Experiment) -> None:
    for path in ("/netron", "/netron/index.html", "/NETRON/x?y", "//netron", "http://127.0.0.1/netron/"):
        assert ask(manager, "GET", path, password=token_in(manager.netrc))[0] == 403


def test_channels_of_the_dispatcher_and_of_other_machines_ask_too(manager: launch.Experiment) -> None:
    token = token_in(manager.netrc)
    url = f"127.0.0.1:{manager.port}/tuner"
    for address, origin, status in [
        (f"ws://{url}", None, 401),
        (f"ws://channel:{'0' * 64}@{url}", None, 401),
        (f"ws://channel:{token}@{url}", "http://evil.example", 403),
        (f"ws://channel:{token}@127.0.0.1:{manager.port}/netron", None, 403),
    ]:
        with pytest.raises(InvalidStatus) as refused:
            websockets.sync.client.connect(address, origin=origin, proxy=None)  # type: ignore[arg-type]
        assert refused.value.response.status_code == status


def test_a_channels_key_opens_that_channel_only(manager: launch.Experiment) -> None:
    """The dispatcher has it in its environment; on another machine it lies in a file."""
    dispatcher = next(p for p in manager_module.family(manager.pid) if "--exp_params" in p.cmdline())
    key = dispatcher.environ()["NNI_TUNER_COMMAND_CHANNEL"].partition("channel:")[2].partition("@")[0]
    assert len(key) == 64
    for method, path, body in REQUESTS:
        assert ask(manager, method, path, body, password=key)[0] == 401
    with pytest.raises(InvalidStatus):
        websockets.sync.client.connect(f"ws://channel:{key}@127.0.0.1:{manager.port}/platform/remote/1", proxy=None)


def test_the_page_opens_with_the_token(manager: launch.Experiment) -> None:
    token = token_in(manager.netrc)
    assert manager.page == f"http://nas-ctx:{token}@127.0.0.1:{manager.port}"
    status, headers, _ = ask(manager, "GET", "/", password=token)
    assert (status, headers["Location"]) == (302, f"http://127.0.0.1:{manager.port}/oview")
    status, headers, body = ask(manager, "GET", "/oview", password=token)
    assert status == 200
    assert b"Neural Network Intelligence" in body
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    profile = manager.get("experiment")
    profile["params"]["trialConcurrency"] = 1
    for name in ("127.0.0.1", "localhost"):  # by the page's own script, and through a tunnel from another port
        there = {"Host": f"{name}:9000", "Origin": f"http://{name}:9000"}
        update = f"{API}/experiment?update_type=TRIAL_CONCURRENCY"
        assert ask(manager, "PUT", update, profile, password=token, **there)[0] == 200
    assert manager.get("experiment")["params"]["trialConcurrency"] == 1


def test_nnictl_works_as_before(manager: launch.Experiment) -> None:
    home = manager.environment["HOME"]
    plain = [str(Path(sys.executable).parent / "nnictl")]
    for command, environment in [([*NNICTL, home], {}), (plain, {"HOME": home})]:
        words = [*command, "trial", "ls", manager.id]
        said = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, check=True).stdout
        assert "SUCCEEDED" in said


def test_a_trial_runs_no_code_that_its_experiment_does_not_name(manager: launch.Experiment) -> None:
    """Whoever has got as far as adding a trial: the owner's browser, say, with the guard off."""
    file = Path(manager.environment["NAS_CTX_EXPERIMENT"])
    status, _, _ = ask(manager, "POST", f"{API}/trial-jobs", CODE, password=token_in(manager.netrc))
    assert status == 200
    trial = ends(manager, 2)[-1]
    assert trial.status == "FAILED"
    assert trial.reason() == f"nas_ctx.trial train: trial parameter model.backbone: {file} lists only seed"
    assert not (file.parent / "ran").exists()


def test_the_token_is_in_one_file_that_its_owner_alone_can_read(manager: launch.Experiment) -> None:
    home = Path(manager.environment["HOME"])
    token = token_in(manager.netrc).encode()
    assert [path for path in home.rglob("*") if path.is_file() and token in path.read_bytes()] == [manager.netrc]
    assert manager.netrc.stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            assert not any(token.decode() in word for word in process.cmdline())


STRANGER = """
import encodings.idna, os, sys, urllib.error, urllib.request
netrc, port, pid = sys.argv[1:]
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for read in (lambda: open(netrc), lambda: os.listdir(os.path.dirname(netrc)), lambda: open(f"/proc/{pid}/environ")):
    try:
        read()
    except PermissionError:
        print("cannot read")
for method in ("GET", "POST", "DELETE"):
    try:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/nni/experiment", method=method))
    except urllib.error.HTTPError as error:
        print(error.code)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_of_the_machine_reads_and_runs_nothing(manager: launch.Experiment) -> None:
    words = [sys.executable, "-c", STRANGER, str(manager.netrc), str(manager.port), str(manager.pid)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cannot", "read"] * 3 + ["401"] * 3
    assert manager.status() == "RUNNING" or manager.status().startswith("TUNER")


def test_a_stopped_experiment_is_viewed_and_resumed_under_guard(tmp_path: Path) -> None:
    report = "import nni; nni.get_next_parameter(); nni.report_final_result(1)"
    path = experiment_file(tmp_path, f"python -c '{report}'", [4])
    home = tmp_path / "home"
    experiment, _ = launch.run(path, home)
    assert launch.config_of(experiment.id, home) == path  # whose search space counts when it is resumed
    command = [*NNICTL, str(home)]
    try:
        for word in ("view", "resume"):
            port = str(launch.free_port())
            said = subprocess.run([*command, word, experiment.id, "--port", port], capture_output=True, text=True)
            assert said.returncode == 0, said.stdout + said.stderr
            assert said.stdout.endswith(f"{home / '.netrc'}\n")  # where the password is
            again = manager_module.known_experiment(experiment.id, int(port), home, experiment.environment)
            assert ask(again, "GET", f"{API}/experiment")[0] == 401
            assert [trial.status for trial in again.trials()] == ["SUCCEEDED"]
            assert subprocess.run([*command, "stop", experiment.id], capture_output=True).returncode == 0
        assert processes_of(home) == []
    finally:
        for process in processes_of(home):
            process.kill()


def test_the_guard_can_be_turned_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CTX_GUARD", "off")
    (tmp_path / "wait.py").write_text("import nni, time\nnni.get_next_parameter()\ntime.sleep(600)\n")
    experiment = launch.create(experiment_file(tmp_path, "python wait.py", [0]), tmp_path / "home")
    try:
        assert ask(experiment, "GET", f"{API}/experiment", Host="anything.example")[0] == 200
    finally:
        experiment.stop()
    assert processes_of(tmp_path / "home") == []


def test_a_file_of_the_token_that_others_could_read_is_refused(tmp_path: Path) -> None:
    path = netrc_of(tmp_path)
    token = token_in(path)
    path.chmod(0o640)
    with pytest.raises(InputError, match=r"\.netrc: expected a file of yours that nobody else can read \(chmod 600\)"):
        netrc_of(tmp_path)
    path.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o600)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"\.netrc: expected a file of yours"):
        netrc_of(tmp_path)
    path.unlink()
    path.write_text("machine example.org login me password mine\n")
    path.chmod(0o600)
    with pytest.raises(InputError, match=r"\.netrc: has no password for NNI's manager"):
        netrc_of(tmp_path)
    path.unlink()
    assert token_in(netrc_of(tmp_path)) != token
