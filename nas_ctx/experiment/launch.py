"""Runs an NNI experiment from start to end: on loopback, with NNI's state in one folder, leaving no process behind.

``nnictl create`` alone starts a manager that listens on every interface and obeys whoever reaches it, keeps its state
in the home folder, needs a free port to be named, and stays when the trials are done. This starts the same ``nnictl``,
and looks after the rest. The manager asks for a token, see ``guard.js``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from nas_ctx.errors import InputError
from nas_ctx.experiment.manager import (
    Experiment,
    LaunchError,
    Trial,
    answers,
    create,
    environment_of,
    free_port,
    known_experiment,
    logged_error,
)
from nas_ctx.files import write_text

__all__ = ["Experiment", "LaunchError", "Trial", "config_of", "create", "environment_of", "free_port", "run"]

FINISHED = {"DONE", "STOPPED", "ERROR", "VIEWED"}
ENDED = {"SUCCEEDED", "FAILED", "USER_CANCELED", "SYS_CANCELED", "EARLY_STOPPED"}
"""States of a trial that has no other one after it."""
SETTLED = 5.0
"""Seconds in which a tuner that had no more trials may still make one of the last results."""
PATIENCE = 120.0
"""Seconds that a manager may take to answer."""


def run(
    config: Path,
    home: Path,
    port: int | None = None,
    *,
    follow: Callable[[Experiment, list[Trial]], None] | None = None,
    interval: float = 1.0,
) -> tuple[Experiment, list[Trial]]:
    """Run an experiment to its end and stop its manager, also when interrupted.

    Called again after it was killed, it joins the experiment if the manager still runs, and otherwise starts a new one,
    whose trials take finished runs from their folders and resume the others from their checkpoints. For this, the
    trials' ``output`` must be a folder that depends on their parameters alone, such as ``work/{seed}``.

    Args:
        config, home, port: see :func:`create`.
        follow: called every ``interval`` seconds with the trials so far.

    Returns:
        The experiment, its record in ``.folder``, and its trials.
    """
    with _interruptible():
        experiment = _still_running(config, home) or create(config, home, port)
        watch, restarts = _Watch(), 3
        try:
            while True:
                _note(config, home, experiment)
                status = watch.look(experiment)
                if follow is not None:
                    follow(experiment, watch.trials)
                if status == "ERROR" and (watch.trials or not restarts or _dispatcher_failed(experiment)):
                    raise _given_up(experiment)
                if status == "ERROR":
                    # On a busy machine: NNI waits ten seconds for its tuner to connect, and gives up.
                    restarts -= 1
                    experiment.stop()
                    experiment = create(config, home, port)
                elif status in FINISHED or watch.exhausted(status):
                    return experiment, watch.trials
                else:
                    time.sleep(interval)
        finally:
            experiment.stop()


@dataclass
class _Watch:
    """The last state of an experiment that its manager reported, and since when it has not answered."""

    trials: list[Trial] = field(default_factory=list)
    silent_since: float | None = None
    idle_since: float | None = None

    def exhausted(self, status: str) -> bool:
        """Whether nothing can come any more: the tuner has no more trials, and all that it made have ended."""
        if status != "TUNER_NO_MORE_TRIAL" or any(trial.status not in ENDED for trial in self.trials):
            self.idle_since = None
            return False
        self.idle_since = self.idle_since or time.monotonic()
        return time.monotonic() - self.idle_since > SETTLED

    def look(self, experiment: Experiment) -> str:
        """NNI's word for the state now, or "SILENT" while the manager does not answer.

        Raises:
            LaunchError: the manager is gone, or has not answered for two minutes.
        """
        try:
            status, self.trials = experiment.status(), experiment.trials()
        except (OSError, ValueError) as error:
            # A busy machine may take long to answer; a manager that is gone does not answer again.
            self.silent_since = self.silent_since or time.monotonic()
            gone = experiment.pid is not None and not psutil.pid_exists(experiment.pid)
            if gone or time.monotonic() - self.silent_since > PATIENCE:
                why = logged_error(experiment.folder) or error
                raise LaunchError(f"experiment {experiment.id}: its manager does not answer: {why}") from None
            return "SILENT"
        self.silent_since = None
        return status


def _given_up(experiment: Experiment) -> LaunchError:
    """The error for an experiment that NNI ended itself."""
    told = "; ".join(map(str, experiment.get("check-status").get("errors", [])))
    why = logged_error(experiment.folder) or told
    logs = experiment.folder / "log"
    return LaunchError(f"experiment {experiment.id}: NNI gave it up: {why or 'no reason'}; see {logs}")


def _dispatcher_failed(experiment: Experiment) -> bool:
    """Whether the tuner's process said what was wrong: then another start ends in the same way."""
    return (logged_error(experiment.folder) or "").startswith("dispatcher.log")


_NOTES = "launched.json"


def _note(config: Path, home: Path, experiment: Experiment) -> None:
    """Remember which experiment belongs to a configuration file, and that this process looks after it."""
    notes, key = _notes(home), str(config.resolve())
    if notes.get(key, {}).get("experiment") == experiment.id and notes[key]["launcher"] == os.getpid():
        return
    notes[key] = {
        "experiment": experiment.id, "port": experiment.port, "launcher": os.getpid(), "sha256": _digest(config)
    }  # fmt: skip
    write_text(home / _NOTES, json.dumps(notes, indent=1) + "\n", mode=0o600)


def _digest(config: Path) -> str:
    """By which a changed file is known; the file itself may hold passwords of other machines."""
    return hashlib.sha256(config.read_bytes()).hexdigest()


def config_of(identity: str, home: Path) -> Path | None:
    """The file of an experiment that this launched, where it is remembered."""
    notes = _notes(home).items()
    return next((Path(path) for path, note in notes if note.get("experiment") == identity), None)


def _notes(home: Path) -> dict[str, Any]:
    try:
        notes = json.loads((home / _NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = notes.items() if isinstance(notes, dict) else []
    return {path: note for path, note in known if isinstance(note, dict)}


def _still_running(config: Path, home: Path) -> Experiment | None:
    """The experiment of a configuration whose launcher was killed, while its manager and trials went on."""
    note = _notes(home).get(str(config.resolve()))
    if not isinstance(note, dict) or not {"experiment", "port", "launcher", "sha256"} <= note.keys():
        return None
    experiment = known_experiment(str(note["experiment"]), int(note["port"]), home, environment_of(home, config))
    if experiment.pid is None or not psutil.pid_exists(experiment.pid) or not answers(experiment):
        return None
    if note["launcher"] != os.getpid() and psutil.pid_exists(note["launcher"]):
        raise InputError(f"{config}: process {note['launcher']} runs it, as experiment {experiment.id}")
    if note["sha256"] != _digest(config):
        raise InputError(
            f"{config}: has changed since experiment {experiment.id} was started, which still runs; "
            f"stop that first: nas-ctx nnictl --home {home} stop {experiment.id}"
        )
    return experiment


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
