"""Reads runs from whatever holds them, alone or mixed."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas_ctx.analysis.io.checks import doubts, with_unique_names, without_copies
from nas_ctx.analysis.io.cleaning import cleaned
from nas_ctx.analysis.io.history import SearchHistory
from nas_ctx.analysis.io.nni_record import experiment_folder, is_experiment, looks_like_id, read_experiment
from nas_ctx.analysis.io.runs import Note, Run, RunSet
from nas_ctx.analysis.io.tables import read_table
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype, parse_json, read_json

_TABLES = {".csv", ".tsv", ".txt"}


def load_runs(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    transposed: bool = False,
    nni_home: str | os.PathLike[str] | None = None,
    keep_copies: bool = False,
) -> RunSet:
    """Read runs from ``paths``, alone or mixed.

    A path is a genotype file (ours, the authors', or what NNI exports, one or a list), a run folder, an NNI experiment
    folder or id (looked up in ``nni_home``, by default ``~/nni-experiments``), a CSV or TSV with a row per block and a
    column per run (the other way round when ``transposed``), or ``"-"`` for standard input (JSON or CSV). What cannot
    be read raises :class:`~nas_ctx.errors.InputError`; failed trials of an experiment are left out and noted. A run
    that is a copy of another one counts once, unless ``keep_copies``.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    runs: list[Run] = []
    notes: list[Note] = []
    seen: set[str] = set()
    for given in listed:
        where = str(given)
        identity = where if where == "-" else os.path.realpath(where)
        if identity in seen:
            notes.append(Note("given twice", f"{where} was given more than once and is counted once."))
            continue
        seen.add(identity)
        loaded, remarks = _load(where, transposed, nni_home)
        runs += loaded
        notes += remarks
    if not runs:
        raise InputError(f"no usable run in {', '.join(map(str, listed)) or 'an empty list of paths'}")
    runs, repeated = _once_each(runs)
    named, left_out = cleaned(with_unique_names(runs))
    single, copies = without_copies(named, keep=keep_copies)
    return RunSet(tuple(single), (*copies, *notes, *repeated, *left_out, *doubts(single)))


def _once_each(runs: list[Run]) -> tuple[list[Run], list[Note]]:
    """Runs, each folder once: an experiment that goes on after a crash does so in a new record."""
    kept: dict[str, Run] = {}
    notes = []
    for number, run in enumerate(runs):
        key = os.path.realpath(run.folder) if run.folder else str(number)
        if kept.setdefault(key, run) is not run:
            text = f"{run.source} and {kept[key].source} are one run, in {run.folder}, and counted once."
            notes.append(Note("given twice", text))
    return list(kept.values()), notes


def _load(where: str, transposed: bool, nni_home: str | os.PathLike[str] | None) -> tuple[list[Run], list[Note]]:
    if where == "-":
        return _from_text(sys.stdin.read(), "standard input", transposed), []
    path = Path(where)
    if not path.exists():
        if looks_like_id(where):
            return _from_experiment(experiment_folder(where, nni_home))
        raise InputError(f"{where}: no such file, folder or NNI experiment")
    if is_experiment(path):
        return _from_experiment(path)
    if path.is_dir():
        return [_from_run_folder(path)], []
    if path.suffix.lower() in _TABLES:
        return _from_table(_text_of(path), where, transposed, path.suffix.lower()), []
    if path.suffix.lower() == ".json":
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return [replace(run, digest=f"{digest}#{i}") for i, run in enumerate(_from_json(read_json(path), where))], []
    return _from_text(_text_of(path), where, transposed), []


def _from_text(text: str, name: str, transposed: bool) -> list[Run]:
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(parse_json(text, name), name)
    return _from_table(text, name, transposed, "")


def _from_json(content: object, name: str) -> list[Run]:
    several = isinstance(content, list)
    items = content if isinstance(content, list) else [content]
    runs = []
    for number, item in enumerate(items):
        label = f"{name}#{number + 1}" if several else name
        try:
            genotype = Genotype.from_json(item)
        except InputError as error:
            raise InputError(f"{label}: {error}") from None
        runs.append(Run(label, genotype, label, settings=genotype.meta))
    return runs


def _from_table(text: str, name: str, transposed: bool, suffix: str) -> list[Run]:
    table = read_table(text, name, transposed=transposed, suffix=suffix)
    return [Run(run, choices, name) for run, choices in table.items()]


def _from_run_folder(folder: Path) -> Run:
    file = folder / "genotype.json"
    if not file.exists() and (folder / "config.yaml").exists():
        raise InputError(f"{folder}: a run that has not finished, or no search: it has no genotype.json")
    if not file.exists():
        raise InputError(
            f"{folder}: neither a run folder (it has no genotype.json) nor an NNI experiment (it has no db/nni.sqlite)"
        )
    genotype = Genotype.load(file)
    history, metrics, environment = folder / "history.csv", folder / "metrics.json", folder / "environment.json"
    facts = read_json(environment) if environment.exists() else {}
    return Run(
        str(folder),
        genotype,
        str(folder),
        history=SearchHistory.load(history) if history.exists() else None,
        metrics=_numbers(read_json(metrics), str(metrics)) if metrics.exists() else {},
        settings={
            **(facts if isinstance(facts, dict) else {}),
            "configuration": _configuration(folder),
            **genotype.meta,
        },
        folder=str(folder),
    )


def _configuration(folder: Path) -> dict[str, Any]:
    """What ``config.yaml`` of a run folder says, by dotted keys; the seed, and where things lie, left out."""
    path = folder / "config.yaml"
    if not path.exists():
        return {}
    from nas_ctx.config import PLACES
    from nas_ctx.config.nested import flat, read_yaml

    return {key: value for key, value in flat(read_yaml(path)).items() if key not in {"seed", *PLACES}}


def _from_experiment(folder: Path) -> tuple[list[Run], list[Note]]:
    trials, problems = read_experiment(folder)
    notes = [Note("left out", text) for text in problems]
    runs = []
    for trial in trials:
        settings = {**trial.genotype.meta, **trial.parameters}
        run = Run(trial.name, trial.genotype, f"{folder} trial {trial.name}", None, trial.metrics, settings)
        if trial.folder is not None:
            own = _from_run_folder(trial.folder)
            if dict(own.genotype) == dict(trial.genotype):
                run = replace(run, history=own.history, settings={**own.settings, **settings}, folder=own.folder)
            else:
                text = f"{trial.folder} holds other choices than trial {trial.name} reported; its history is not used."
                notes.append(Note("history left out", text))
        runs.append(replace(run, name=f"{folder.name}/{run.name}"))
    return runs, notes


def _numbers(content: object, name: str) -> dict[str, float]:
    if not isinstance(content, dict):
        raise InputError(f"{name}: expected an object of names and numbers, got {type(content).__name__}")
    for key, value in content.items():
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise InputError(f"{name}: key {key!r} must hold a number, got {value!r}")
    return {key: float(value) for key, value in content.items() if value is not None}


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
