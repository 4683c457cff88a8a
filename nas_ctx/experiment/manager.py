"""NNI's manager as seen from here: how it is started, what it is asked, and how it is ended.

The manager listens on loopback only and asks for a token, see ``loopback.js`` and ``guard.js``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import psutil

from nas_ctx.errors import InputError
from nas_ctx.experiment import node
from nas_ctx.experiment.checks import check_experiment
from nas_ctx.experiment.credentials import USER, netrc_of, token_in
from nas_ctx.experiment.parameters import VARIABLE
from nas_ctx.files import umask_of

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class LaunchError(RuntimeError):
    """NNI could not be started, or stopped answering."""


@dataclass
class Trial:
    """One trial of an experiment as the manager reports it; ``parameters`` are empty while they are uncertain."""

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
        headers = {"Authorization": authorization(self.netrc)}
        request = urllib.request.Request(f"{self.url}/api/v1/nni/{what}", headers=headers)
        with DIRECT.open(request, timeout=20) as answer:
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
        ours = family(self.pid)
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            nnictl(["stop", self.id], self.environment, timeout=60)
        end(ours, patience=10)


def authorization(path: Path) -> str:
    """The header of a request to a manager that asks for the token in ``path``."""
    return f"Basic {base64.b64encode(f'{USER}:{token_in(path)}'.encode()).decode()}"


def create(config: Path, home: Path, port: int | None = None, tries: int = 10) -> Experiment:
    """Start the experiment that ``config`` describes, with its manager on loopback.

    Args:
        config: NNI's YAML file.
        home: NNI's state goes to ``<home>/nni-experiments``.
        port: of the web page; by default a free one.
        tries: starting fails now and then on a busy machine, and another process can take the port.

    Raises:
        InputError: no such file, or NNI refuses its content.
        LaunchError: the manager did not start.
    """
    if not config.is_file():
        raise InputError(f"{config}: no such file")
    check_experiment(config)
    environment = environment_of(home, config)
    output, reasons = "", list[str]()
    for _ in range(tries):
        chosen = port or free_port()
        output = nnictl(["create", "--config", str(config), "--port", str(chosen)], environment, timeout=120)
        identity = re.search(r"Experiment ID:\s*(\w+)", output)
        if identity is None:
            lines = [line for line in output.splitlines() if line.strip()]
            raise InputError(f"{config}: nnictl refuses it: {lines[-1] if lines else 'it says nothing'}")
        experiment = known_experiment(identity[1], chosen, home, environment)
        if "Web portal URLs" in output and answers(experiment):
            return experiment
        experiment.stop()
        reason = logged_error(experiment.folder)
        if reason in reasons:  # another try would end like this one
            break
        reasons += filter(None, [reason])
    why = reasons[-1] if reasons else output[-500:]
    raise LaunchError(f"{config}: nnictl could not start the experiment; it said: {why}")


def logged_error(folder: Path) -> str | None:
    """The first error in the logs of an experiment: its dispatcher's, which runs the tuner, or else its manager's."""
    for name in ("dispatcher.log", "nnimanager.log"):
        try:
            text = (folder / "log" / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        line = re.search(r"^\[[^\]]*\] ERROR \([^)]*\) *(.+)$", text, re.MULTILINE)
        if line is not None:
            return f"{name}: {line[1].strip()}"
    return None


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
    if environment.get(node.VARIABLE):
        folders = [node.package_with(Path(environment[node.VARIABLE]), home), environment.get("PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(map(str, filter(None, folders)))
    preloads = [json.dumps(str(resources.files("nas_ctx.experiment") / name)) for name in ("loopback.js", "guard.js")]
    words = [environment.get("NODE_OPTIONS", ""), *(f"--require {preload}" for preload in preloads)]
    environment["NODE_OPTIONS"] = " ".join(words).strip()
    environment["PYTHONWARNINGS"] = "ignore:pkg_resources is deprecated"
    return environment


def nnictl(words: list[str], environment: dict[str, str], timeout: float) -> str:
    """Run nnictl and return what it says; when that is interrupted, what it had started goes with it."""
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "nnictl"), *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        umask=umask_of(environment.get(VARIABLE, os.devnull)),  # NNI's logs repeat the experiment's file
        start_new_session=True,  # a Ctrl-C is for us; we stop nnictl and the manager in order
    )
    try:
        return _ANSI.sub("", process.communicate(timeout=timeout)[0])
    except BaseException:
        end(family(process.pid), patience=0)
        raise


def known_experiment(identity: str, port: int, home: Path, environment: dict[str, str]) -> Experiment:
    """The experiment as NNI's registry knows it."""
    root = home.resolve() / "nni-experiments"
    entry: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        entry = dict(json.loads((root / ".experiment").read_text(encoding="utf-8")).get(identity, {}))
    folder = Path(entry.get("logDir") or root) / identity
    return Experiment(identity, port, folder, environment, entry.get("pid"))


def answers(experiment: Experiment) -> bool:
    """Whether the manager answers, and runs the experiment."""
    try:
        return experiment.status() not in ("ERROR", "STOPPED")
    except (OSError, ValueError):
        return False


def family(pid: int | None) -> list[psutil.Process]:
    """The manager and all that it started."""
    if pid is None:
        return []
    try:
        manager = psutil.Process(pid)
        return [*manager.children(recursive=True), manager]
    except psutil.NoSuchProcess:
        return []


def end(processes: list[psutil.Process], patience: float) -> None:
    """See that ``processes`` end: by themselves within ``patience`` seconds, or killed."""
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=10)


def _decoded(data: Any) -> Any:
    """A metric as NNI keeps it: JSON in JSON. A trial may report anything; what is no JSON is text."""
    while isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            break
    return data
