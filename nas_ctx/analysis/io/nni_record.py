"""Reads the record that NNI's manager keeps of an experiment: ``<experiment>/db/nni.sqlite``, opened read-only.

Table ``TrialJobEvent`` holds one row per change of a trial's state (WAITING, RUNNING, SUCCEEDED, FAILED, USER_CANCELED,
SYS_CANCELED, EARLY_STOPPED); table ``MetricData`` holds reported results, of which one row per trial has type FINAL.
Its ``data`` is JSON in a JSON string; inside, ``default`` is the number NNI ranks by and ``genotype`` the choices. No
NNI is needed to read it, and an experiment that still runs can be read.

The file may be a stranger's. A view could compute for ever, so that both must be tables; time and the length of values
are bounded, and what is not of NNI's form is no trial.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_ctx.analysis.io.formats.texts import SEEDS
from nas_ctx.errors import InputError
from nas_ctx.files import parse_json, read_json
from nas_ctx.genotype import Genotype

_FAILED = {"FAILED", "USER_CANCELED", "SYS_CANCELED", "EARLY_STOPPED"}
_STATES = {*_FAILED, "UNKNOWN", "WAITING", "RUNNING", "SUCCEEDED"}
_TRIAL = re.compile(r"[A-Za-z0-9_-]{1,64}")  # an id, which names a folder too

MAX_SECONDS = 5.0
"""How long a record may take to read."""
MAX_ROWS = 200_000
"""The most events and the most final results of a record."""
MAX_LENGTH = 4_000_000
"""The longest value of a record, in bytes."""


@dataclass(frozen=True)
class RecordedTrial:
    """One trial that reported a genotype: its id, choices, numbers, parameters, and its run folder if that is here.

    ``tuned`` says that the choices are its parameters, the experiment having reported no genotypes.
    """

    name: str
    genotype: Genotype
    metrics: dict[str, float]
    parameters: dict[str, Any]
    folder: Path | None
    tuned: bool = False


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
    """The folder of the experiment ``identifier``, from NNI's own registry ``<nni_home>/.experiment``.

    ``nni_home`` may also be the home folder that NNI was given, as to ``nas-ctx launch --home``.
    """
    home = Path(nni_home) if nni_home is not None else Path.home()
    if nni_home is None or (not (home / ".experiment").exists() and (home / "nni-experiments").is_dir()):
        home = home / "nni-experiments"
    registry = home / ".experiment"
    known: object = read_json(registry) if registry.exists() else {}
    if not isinstance(known, dict):
        raise InputError(f"{registry}: expected an object of experiments")
    entry = known.get(identifier)
    candidates = [home / identifier]
    if isinstance(entry, dict) and isinstance(entry.get("logDir"), str):
        candidates.insert(0, Path(entry["logDir"]) / identifier)
    for folder in candidates:
        with contextlib.suppress(OSError, ValueError):  # a registry can name what no file is called
            if is_experiment(folder):
                return folder
    if entry is not None:
        raise InputError(f"{registry}: experiment {identifier!r} has no db/nni.sqlite in {candidates[0]}")
    listed = ", ".join(sorted(map(str, known))) or "none"
    raise InputError(f"{identifier}: no such file or folder, and no experiment of {registry} (known: {listed})")


def read_experiment(folder: Path) -> tuple[list[RecordedTrial], list[str]]:
    """The trials of an experiment that reported a genotype, oldest first, and a sentence on each other one.

    Where none did, the choices of its trials are their parameters, all but the seed.
    """
    events, finals = _rows(folder / "db" / "nni.sqlite")
    states: dict[str, str] = {}
    log_paths: dict[str, str] = {}
    parameters: dict[str, dict[str, Any]] = {}
    for trial, event, data, log_path in events:
        parameters.update(_parameters(data))
        if trial is not None and event in _STATES:
            states[trial] = event
            log_paths[trial] = log_path if isinstance(log_path, str) and log_path else log_paths.get(trial, "")
    reported = {trial: (str(parameter), data) for trial, parameter, data in finals}
    trials, tuned, problems = [], [], []
    for trial, state in states.items():
        name = f"Trial {trial} of experiment {folder.name}"
        if not isinstance(trial, str) or not _TRIAL.fullmatch(trial):
            problems.append(f"Trial {str(trial)[:64]!r} of experiment {folder.name} has no id of NNI's form.")
        elif state in _FAILED:
            problems.append(f"{name} ended as {state}.")
        elif trial not in reported:
            problems.append(f"{name} is {state} and has reported no final result.")
        else:
            parameter, data = reported[trial]
            known = parameters.get(parameter, {})
            try:
                result = _final_result(data)
                if "genotype" in result:
                    trials.append(_with_genotype(trial, result, known, log_paths[trial], folder))
                else:
                    tuned.append(_tuned(trial, result, known))
            except InputError as error:
                problems.append(f"{name}: {error}.")
    if trials:
        problems += [
            f"Trial {each.name} of experiment {folder.name}: its final result holds no genotype." for each in tuned
        ]
    return trials or tuned, problems


def read_search_space(folder: Path) -> dict[str, list[Any]]:
    """Name -> values of every plain choice in the search space that NNI's record has of an experiment.

    What is no choice among words and numbers is left out, and so is everything where the record has no search space.
    """
    database = folder / "db" / "nni.sqlite"
    try:
        with _opened(database, ["ExperimentProfile"]) as connection:
            rows = connection.execute("select params from ExperimentProfile order by revision desc limit 1").fetchall()
        profile = parse_json(rows[0][0], "") if rows and isinstance(rows[0][0], str) else None
    except (sqlite3.Error, InputError):
        return {}
    space = profile.get("searchSpace") if isinstance(profile, dict) else None
    return {
        name: entry["_value"]
        for name, entry in (space.items() if isinstance(space, dict) else ())
        if isinstance(entry, dict) and entry.get("_type") == "choice" and _words_or_numbers(entry.get("_value"))
    }


def _words_or_numbers(values: object) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(value, str | int | float) for value in values)


@contextlib.contextmanager
def _opened(database: Path, tables: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """The record, read-only, with bounds on time and on the length of values; ``tables`` must be tables."""
    with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        until = time.monotonic() + MAX_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
        if hasattr(connection, "setlimit"):  # since Python 3.11
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_LENGTH)
        connection.execute("pragma trusted_schema = off")
        for table in tables:
            kind = connection.execute("select type from sqlite_master where name = ?", [table]).fetchone()
            if kind is not None and kind != ("table",):
                raise InputError(f"{database}: {table} is a {kind[0]}, expected NNI's table")
        yield connection


def _rows(database: Path) -> tuple[list[Any], list[Any]]:
    """The events, and the final results, of a record."""
    try:
        with _opened(database, ["TrialJobEvent", "MetricData"]) as connection:
            events = connection.execute(
                "select trialJobId, event, data, logPath from TrialJobEvent order by timestamp, rowid limit ?",
                [MAX_ROWS + 1],
            ).fetchall()
            finals = connection.execute(
                "select trialJobId, parameterId, data from MetricData where type = 'FINAL' order by timestamp, rowid "
                "limit ?",
                [MAX_ROWS + 1],
            ).fetchall()
    except sqlite3.Error as error:
        late = f"takes more than {MAX_SECONDS:g} seconds to read" if "interrupted" in str(error) else str(error)
        raise InputError(f"{database}: cannot be read as NNI's record: {late}") from None
    if max(len(events), len(finals)) > MAX_ROWS:
        raise InputError(f"{database}: more than {MAX_ROWS} events or final results")
    return events, finals


def _with_genotype(
    trial: str, result: dict[str, Any], known: dict[str, Any], log_path: str, experiment: Path
) -> RecordedTrial:
    genotype = Genotype.from_json(result["genotype"])
    if isinstance(result.get("candidates"), dict):
        genotype = Genotype(genotype, {**genotype.meta, "candidates": result["candidates"]})
    if isinstance(result.get("parameters"), dict):
        known = plain_values(result["parameters"])
    if isinstance(result.get("versions"), dict):
        known = {**known, "versions": plain_values(result["versions"])}
    run_folder = _run_folder(result.get("folder"), log_path, trial, experiment)
    return RecordedTrial(trial, genotype, _metrics(result), known, run_folder)


def _tuned(trial: str, result: dict[str, Any], known: dict[str, Any]) -> RecordedTrial:
    choices = {key: value for key, value in known.items() if key.lower() not in SEEDS}
    if not choices:
        raise InputError("its final result holds no genotype, and its parameters no choice")
    seeds = [value for key, value in known.items() if key.lower() in SEEDS]
    settings = {"seed": seeds[0]} if seeds else {}
    return RecordedTrial(trial, Genotype(choices), _metrics(result), settings, None, tuned=True)


def _metrics(result: dict[str, Any]) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in result.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _final_result(data: object) -> dict[str, Any]:
    """The whole of a final result, which NNI stores as JSON within a JSON string; a number is the default metric."""
    if not isinstance(data, str):
        raise InputError(f"its final result is {'missing' if data is None else 'no text'}")
    # A score may be no number, and be written as NaN, which is no JSON: the genotype beside it counts all the same.
    result = parse_json(data, "its final result", nan=True)
    if isinstance(result, str):
        result = parse_json(result, "its final result", nan=True)
    if isinstance(result, int | float) and not isinstance(result, bool):
        return {"default": result}
    if not isinstance(result, dict):
        raise InputError("its final result holds no genotype")
    return result


def _run_folder(reported: object, log_path: str, trial: str, experiment: Path) -> Path | None:
    """Where the trial left a run folder, if it did so on this machine: where it said, or in its own trial folder."""
    own = [Path(log_path)] if log_path else []
    own += [*experiment.glob(f"environments/*/trials/{trial}"), experiment / "trials" / trial]
    candidates = [Path(reported)] if isinstance(reported, str) else []
    candidates += [path for folder in own for path in (folder, folder / "run")]
    return next((path for path in candidates if _holds_genotype(path)), None)


def _holds_genotype(folder: Path) -> bool:
    try:
        return (folder / "genotype.json").is_file()
    except (OSError, ValueError):  # a name that is too long for any file, or has a null byte
        return False


def _parameters(data: object) -> dict[str, dict[str, Any]]:
    """Parameter id -> flat parameters, from the ``data`` of an event; what is not of that form is no parameter.

    The id is what counts: a trial may fetch other parameters than those that its own event shows.
    """
    try:
        content = parse_json(data, "") if isinstance(data, str) and data else {}
    except InputError:
        return {}
    inner = content.get("parameters") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(inner, dict):
        return {}
    return {str(content.get("parameter_id")): plain_values(inner)}


def plain_values(values: dict[str, Any]) -> dict[str, Any]:
    """The plain values, and of a nested search space what was chosen (``_name``) and its further values."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = value if isinstance(value, dict) and "_name" in value else {"_name": value}
        flat |= {key if name == "_name" else f"{key}.{name}": below for name, below in inner.items()}
    return {key: value for key, value in flat.items() if isinstance(value, str | int | float | bool)}
