"""Reads the record that NNI's manager keeps of an experiment: ``<experiment>/db/nni.sqlite``, opened read-only.

Table ``TrialJobEvent`` holds one row per change of a trial's state (WAITING, RUNNING, SUCCEEDED, FAILED, USER_CANCELED,
SYS_CANCELED, EARLY_STOPPED); table ``MetricData`` holds reported results, of which one row per trial has type FINAL.
Its ``data`` is JSON in a JSON string; inside, ``default`` is the number NNI ranks by and ``genotype`` the choices. No
NNI is needed to read it, and an experiment that still runs can be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype, parse_json, read_json

_FAILED = {"FAILED", "USER_CANCELED", "SYS_CANCELED", "EARLY_STOPPED"}
_STATES = {*_FAILED, "UNKNOWN", "WAITING", "RUNNING", "SUCCEEDED"}


@dataclass(frozen=True)
class RecordedTrial:
    """One trial that reported a genotype: its id, choices, numbers, parameters, and its run folder if that is here."""

    name: str
    genotype: Genotype
    metrics: dict[str, float]
    parameters: dict[str, Any]
    folder: Path | None


def is_experiment(path: Path) -> bool:
    """Whether ``path`` is the folder of an NNI experiment."""
    return (path / "db" / "nni.sqlite").is_file()


def looks_like_id(word: str) -> bool:
    """Whether ``word`` has the form of an experiment id (letters and digits, usually eight).

    >>> looks_like_id("w3kfq8zt"), looks_like_id("runs/a.json")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z0-9_]{2,32}", word) is not None


def experiment_folder(identifier: str, nni_home: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the experiment ``identifier``, from NNI's own registry ``<nni_home>/.experiment``."""
    home = Path(nni_home) if nni_home is not None else Path.home() / "nni-experiments"
    registry = home / ".experiment"
    known: object = read_json(registry) if registry.exists() else {}
    if not isinstance(known, dict):
        raise InputError(f"{registry}: expected an object of experiments")
    entry = known.get(identifier)
    candidates = [home / identifier]
    if isinstance(entry, dict) and isinstance(entry.get("logDir"), str):
        candidates.insert(0, Path(entry["logDir"]) / identifier)
    for folder in candidates:
        if is_experiment(folder):
            return folder
    if entry is not None:
        raise InputError(f"{registry}: experiment {identifier!r} has no db/nni.sqlite in {candidates[0]}")
    listed = ", ".join(sorted(map(str, known))) or "none"
    raise InputError(f"{identifier}: no such file or folder, and no experiment of {registry} (known: {listed})")


def read_experiment(folder: Path) -> tuple[list[RecordedTrial], list[str]]:
    """The trials of an experiment that reported a genotype, oldest first, and a sentence on each other one."""
    database = folder / "db" / "nni.sqlite"
    try:
        with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            events = connection.execute(
                "select trialJobId, event, data, logPath from TrialJobEvent order by timestamp, rowid"
            ).fetchall()
            finals = connection.execute(
                "select trialJobId, parameterId, data from MetricData where type = 'FINAL' order by timestamp, rowid"
            ).fetchall()
    except sqlite3.Error as error:
        raise InputError(f"{database}: cannot be read as NNI's record: {error}") from None
    states: dict[str, str] = {}
    log_paths: dict[str, str] = {}
    parameters: dict[str, dict[str, Any]] = {}
    for trial, event, data, log_path in events:
        parameters.update(_parameters(data))
        if trial is not None and event in _STATES:
            states[trial] = event
            log_paths[trial] = log_path or log_paths.get(trial, "")
    reported = {trial: (str(parameter), data) for trial, parameter, data in finals}
    trials, problems = [], []
    for trial, state in states.items():
        name = f"Trial {trial} of experiment {folder.name}"
        if state in _FAILED:
            problems.append(f"{name} ended as {state}.")
        elif trial not in reported:
            problems.append(f"{name} is {state} and has reported no final result.")
        else:
            parameter, data = reported[trial]
            try:
                genotype, result = _final_result(data)
            except InputError as error:
                problems.append(f"{name}: {error}.")
                continue
            metrics = {
                key: float(value)
                for key, value in result.items()
                if isinstance(value, int | float) and not isinstance(value, bool)
            }
            run_folder = _run_folder(result.get("folder"), log_paths[trial], trial, folder)
            reported_parameters = result.get("parameters")
            known = (
                _flat(reported_parameters) if isinstance(reported_parameters, dict) else parameters.get(parameter, {})
            )
            if isinstance(result.get("versions"), dict):
                known = {**known, "versions": _flat(result["versions"])}
            trials.append(RecordedTrial(trial, genotype, metrics, known, run_folder))
    return trials, problems


def _final_result(data: str) -> tuple[Genotype, dict[str, Any]]:
    """The genotype and the whole of a final result, which NNI stores as JSON within a JSON string."""
    result = parse_json(data, "its final result")
    if isinstance(result, str):
        result = parse_json(result, "its final result")
    if not isinstance(result, dict) or "genotype" not in result:
        raise InputError("its final result holds no genotype")
    genotype = Genotype.from_json(result["genotype"])
    if isinstance(result.get("candidates"), dict):
        genotype = Genotype(genotype, {**genotype.meta, "candidates": result["candidates"]})
    return genotype, result


def _run_folder(reported: object, log_path: str, trial: str, experiment: Path) -> Path | None:
    """Where the trial left a run folder, if it did so on this machine: where it said, or in its own trial folder."""
    own = [Path(log_path)] if log_path else []
    own += [*experiment.glob(f"environments/*/trials/{trial}"), experiment / "trials" / trial]
    candidates = [Path(reported)] if isinstance(reported, str) else []
    candidates += [path for folder in own for path in (folder, folder / "run")]
    return next((path for path in candidates if (path / "genotype.json").is_file()), None)


def _parameters(data: str | None) -> dict[str, dict[str, Any]]:
    """Parameter id -> flat parameters, from the ``data`` of an event; what is not of that form is no parameter.

    The id is what counts: a trial may fetch other parameters than those that its own event shows.
    """
    try:
        content = json.loads(data) if data else {}
    except json.JSONDecodeError:
        return {}
    inner = content.get("parameters") if isinstance(content, dict) else None
    if not isinstance(inner, dict):
        return {}
    return {str(content.get("parameter_id")): _flat(inner)}


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if isinstance(value, str | int | float | bool)}
