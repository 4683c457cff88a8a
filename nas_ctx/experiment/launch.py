"""Runs an NNI experiment from start to end: on loopback, with NNI's state in one folder, leaving no process behind.

``nnictl create`` alone starts a manager that listens on every interface and obeys whoever reaches it, keeps its state
in the home folder, needs a free port to be named, and stays when the trials are done. This starts the same ``nnictl``,
and looks after the rest. The manager asks for a token, see ``guard.js``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from nas_ctx.errors import InputError
from nas_ctx.experiment.credentials import USER, netrc_of, token_in
from nas_ctx.experiment.parameters import VARIABLE
from nas_ctx.files import write_text

FINISHED = {"DONE", "STOPPED", "ERROR", "VIEWED"}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class LaunchError(RuntimeError):
    """NNI could not be started, or stopped answering."""


@dataclass
class Trial:
    """One trial of an experiment as the manager tells of it; ``parameters`` are empty while they are uncertain."""

    id: str
    number: int
    status: str
    parameters: dict[str, Any]
    latest: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def reason(self) -> str:
        """The last line that a failed trial wrote to its standard error."""
        if self.folder is None:
            return "no trial folder"
        try:
            lines = (self.folder / "trial.stderr").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError as error:
            return str(error)
        return lines[-1] if lines else "no message"


@dataclass
class Experiment:
    """A running experiment: where its manager answers, and where its record lies."""

    id: str
    port: int
    folder: Path
    environment: dict[str, str]
    pid: int | None

    @property
    def url(self) -> str:
        """The address of the web page, which asks for a user name, any, and a password, the token in ``netrc``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        """The address with the token in it: it opens the web page at once, and is not to be passed on."""
        return f"http://{USER}:{token_in(self.netrc)}@127.0.0.1:{self.port}"

    @property
    def netrc(self) -> Path:
        """The file with the token."""
        return Path(self.environment["NETRC"])

    def get(self, what: str) -> Any:
        """What the manager answers to a question, decoded."""
        password = base64.b64encode(f"{USER}:{token_in(self.netrc)}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/api/v1/nni/{what}", headers={"Authorization": f"Basic {password}"}
        )
        with _DIRECT.open(request, timeout=20) as answer:
            return json.load(answer)

    def status(self) -> str:
        """NNI's word for the state of the experiment."""
        return str(self.get("check-status")["status"])

    def trials(self) -> list[Trial]:
        """The trials so far, each with its latest metric."""
        # The last intermediate and the final result of each trial; the final one counts.
        metrics = sorted(self.get("metric-data-latest"), key=lambda metric: metric["type"] == "FINAL")
        latest = {metric["trialJobId"]: metric for metric in metrics}
        trials: list[Trial] = []
        given: dict[int, dict[str, Any]] = {}
        for job in self.get("trial-jobs"):
            for record in map(json.loads, job.get("hyperParameters", [])):
                given[record["parameter_id"]] = record["parameters"]
            folder = Path(job["logPath"]) if "logPath" in job else None
            trials.append(Trial(job["trialJobId"], job.get("sequenceId", len(trials)), job["status"], {}, {}, folder))
        # NNI hands its parameters to the trials in the order in which they ask, and shows them in the order in which
        # the trials were started. Only a trial's metrics tell for sure which ones it got.
        for trial in trials:
            if trial.id in latest:
                value = _decoded(latest[trial.id]["data"])
                trial.latest = value if isinstance(value, dict) else {"default": value}
                trial.parameters = given.pop(int(latest[trial.id]["parameterId"]), {})
        silent = [trial for trial in trials if trial.id not in latest]
        if len(silent) == len(given) == 1:
            silent[0].parameters = next(iter(given.values()))
        return trials

    def stop(self) -> None:
        """Stop the experiment by its id, and see that neither the manager nor a trial stays."""
        ours = _family(self.pid)
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            _nnictl(["stop", self.id], self.environment, timeout=60)
        _end(ours, patience=10)


def create(config: Path, home: Path, port: int | None = None, tries: int = 10) -> Experiment:
    """Start the experiment that ``config`` describes, with its manager on loopback.

    Args:
        config: NNI's YAML file.
        home: NNI's state goes to ``<home>/nni-experiments``.
        port: of the web page; by default a free one.
        tries: starting fails now and then on a busy machine, and another process can take the port.

    Raises:
        InputError: no such file, or NNI refuses what stands in it.
        LaunchError: the manager did not start.
    """
    if not config.is_file():
        raise InputError(f"{config}: no such file")
    environment = environment_of(home, config)
    said = ""
    for _ in range(tries):
        chosen = port or free_port()
        said = _nnictl(["create", "--config", str(config), "--port", str(chosen)], environment, timeout=120)
        found = re.search(r"Experiment ID:\s*(\w+)", said)
        if found is None:
            reason = [line for line in said.splitlines() if line.strip()]
            raise InputError(f"{config}: nnictl refuses it: {reason[-1] if reason else 'it says nothing'}")
        experiment = _known(found[1], chosen, home, environment)
        if "Web portal URLs" in said and _answers(experiment):
            return experiment
        experiment.stop()
    raise LaunchError(f"{config}: nnictl could not start the experiment in {tries} tries; it said: {said[-500:]}")


def run(
    config: Path,
    home: Path,
    port: int | None = None,
    *,
    follow: Callable[[Experiment, list[Trial]], None] | None = None,
    interval: float = 1.0,
) -> tuple[Experiment, list[Trial]]:
    """Run an experiment to its end and stop its manager, also when interrupted.

    Called again after it was killed, it goes on: it joins the experiment where the manager still runs, and starts a new
    one else, whose trials take finished runs from their folders and go on with the others from their checkpoints. For
    that the trials' ``output`` must be a folder that depends on their parameters alone, such as ``work/{seed}``.

    Args:
        config, home, port: see :func:`create`.
        follow: called every ``interval`` seconds with the trials so far.

    Returns:
        The experiment, its record in ``.folder``, and its trials.
    """
    with _interruptible():
        experiment = _still_running(config, home) or create(config, home, port)
        _note(config, home, experiment)
        try:
            silent_since: float | None = None
            restarts = 3
            trials: list[Trial] = []
            while True:
                try:
                    status, trials = experiment.status(), experiment.trials()
                    silent_since = None
                except (OSError, ValueError) as error:
                    # A busy machine may take long to answer; a manager that is gone does not answer again.
                    silent_since = silent_since or time.monotonic()
                    gone = experiment.pid is not None and not psutil.pid_exists(experiment.pid)
                    if gone or time.monotonic() - silent_since > 120:
                        raise LaunchError(f"experiment {experiment.id}: its manager does not answer: {error}") from None
                    status = "SILENT"
                if follow is not None:
                    follow(experiment, trials)
                if status == "ERROR" and not trials and restarts:
                    # On a busy machine: NNI waits ten seconds for its tuner to connect, and gives up.
                    restarts -= 1
                    experiment.stop()
                    experiment = create(config, home, port)
                    _note(config, home, experiment)
                    continue
                if status == "ERROR":
                    why = "; ".join(map(str, experiment.get("check-status").get("errors", [])))
                    logs = experiment.folder / "log"
                    raise LaunchError(f"experiment {experiment.id}: NNI gave it up: {why or 'no reason'}; see {logs}")
                if status in FINISHED:
                    return experiment, trials
                time.sleep(interval)
        finally:
            experiment.stop()


_NOTES = "launched.json"


def _note(config: Path, home: Path, experiment: Experiment) -> None:
    """Remember which experiment belongs to a configuration file, and that this process looks after it."""
    notes = _notes(home)
    notes[str(config.resolve())] = {
        "experiment": experiment.id, "port": experiment.port, "launcher": os.getpid(), "text": config.read_text("utf-8")
    }  # fmt: skip
    write_text(home / _NOTES, json.dumps(notes, indent=1) + "\n", mode=0o600)  # it repeats the file


def config_of(identity: str, home: Path) -> Path | None:
    """The file of an experiment that this launched, where it is remembered."""
    notes = _notes(home).items()
    return next((Path(path) for path, note in notes if note.get("experiment") == identity), None)


def _notes(home: Path) -> dict[str, Any]:
    try:
        notes = json.loads((home / _NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _still_running(config: Path, home: Path) -> Experiment | None:
    """The experiment of a configuration whose launcher was killed, while its manager and trials went on."""
    note = _notes(home).get(str(config.resolve()))
    if not isinstance(note, dict) or not {"experiment", "port", "launcher", "text"} <= note.keys():
        return None
    experiment = _known(str(note["experiment"]), int(note["port"]), home, environment_of(home, config))
    if experiment.pid is None or not psutil.pid_exists(experiment.pid) or not _answers(experiment):
        return None
    if note["launcher"] != os.getpid() and psutil.pid_exists(note["launcher"]):
        raise InputError(f"{config}: process {note['launcher']} runs it, as experiment {experiment.id}")
    if note["text"] != config.read_text("utf-8"):
        raise InputError(
            f"{config}: has changed since experiment {experiment.id} was started, which still runs; "
            f"stop that first: nas-ctx nnictl --home {home} stop {experiment.id}"
        )
    return experiment


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment_of(home: Path, config: Path | None = None) -> dict[str, str]:
    """The environment that nnictl, its manager and the trials of ``config`` run in; makes the state folder."""
    home = home.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = dict(os.environ)
    # Weights and fonts that were fetched before stay where they are.
    environment.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    environment["HOME"] = str(home)
    environment["NETRC"] = str(netrc_of(home))
    # No proxy gets the token to see.
    for name in ("no_proxy", "NO_PROXY"):
        environment[name] = ",".join(filter(None, ["localhost,127.0.0.1", environment.get(name)]))
    if config is not None:
        environment[VARIABLE] = str(config.resolve())
    # `python` and `nnictl` are those of the environment that this runs in, whether it was activated or not.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    preloads = [json.dumps(str(resources.files("nas_ctx.experiment") / name)) for name in ("loopback.js", "guard.js")]
    words = [environment.get("NODE_OPTIONS", ""), *(f"--require {preload}" for preload in preloads)]
    environment["NODE_OPTIONS"] = " ".join(words).strip()
    environment["PYTHONWARNINGS"] = "ignore:pkg_resources is deprecated"
    return environment


def _nnictl(words: list[str], environment: dict[str, str], timeout: float) -> str:
    """Run nnictl and return what it says; when that is interrupted, what it had started goes with it."""
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "nnictl"), *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a Ctrl-C is for us; we stop nnictl and the manager in order
    )
    try:
        return _ANSI.sub("", process.communicate(timeout=timeout)[0])
    except BaseException:
        _end(_family(process.pid), patience=0)
        raise


def _known(identity: str, port: int, home: Path, environment: dict[str, str]) -> Experiment:
    """The experiment as NNI's registry knows it."""
    root = home.resolve() / "nni-experiments"
    entry: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        entry = json.loads((root / ".experiment").read_text(encoding="utf-8")).get(identity, {})
    folder = Path(entry.get("logDir") or root) / identity
    return Experiment(identity, port, folder, environment, entry.get("pid"))


def _answers(experiment: Experiment) -> bool:
    try:
        return experiment.status() not in ("ERROR", "STOPPED")
    except (OSError, ValueError):
        return False


def _family(pid: int | None) -> list[psutil.Process]:
    """The manager and all that it started."""
    if pid is None:
        return []
    try:
        manager = psutil.Process(pid)
        return [*manager.children(recursive=True), manager]
    except psutil.NoSuchProcess:
        return []


def _end(processes: list[psutil.Process], patience: float) -> None:
    """See that ``processes`` end: by themselves within ``patience`` seconds, or killed."""
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=10)


def _decoded(data: Any) -> Any:
    """A metric as NNI keeps it: JSON in JSON."""
    while isinstance(data, str):
        data = json.loads(data)
    return data


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into KeyboardInterrupt, and let no further one disturb the stopping."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
