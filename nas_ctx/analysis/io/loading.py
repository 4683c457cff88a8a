"""Reads runs from whatever holds them, alone or mixed."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas_ctx.analysis.io.checks import doubts, with_unique_names, without_copies
from nas_ctx.analysis.io.cleaning import cleaned
from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats.base import FORMATS, Importer, ReadOptions, Runs, importers
from nas_ctx.analysis.io.formats.nni import cells_as_edges
from nas_ctx.analysis.io.formats.trials import trials
from nas_ctx.analysis.io.formats.wide import choice_columns
from nas_ctx.analysis.io.history import SearchHistory
from nas_ctx.analysis.io.limits import MAX_RUNS, TooLarge, check_size
from nas_ctx.analysis.io.nni_record import (
    experiment_folder,
    is_experiment,
    looks_like_id,
    read_experiment,
    read_search_space,
)
from nas_ctx.analysis.io.plausible import plausible
from nas_ctx.analysis.io.runs import Note, Run, RunSet
from nas_ctx.analysis.stats.labels import key_of, label_of
from nas_ctx.errors import InputError
from nas_ctx.files import MAX_BYTES, read_json
from nas_ctx.genotype import Genotype

_REASON = 120  # characters of why a file of a folder gave no run
_REASONS = 8  # why trials gave no run, that an error names


def load_runs(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    transposed: bool = False,
    nni_home: str | os.PathLike[str] | None = None,
    keep_copies: bool = False,
    format: str | None = None,
    choices: str | None = None,
    scores: str | None = None,
    columns: str | None = None,
    step: int | None = None,
    best: str | None = None,
) -> RunSet:
    """Read runs from ``paths``, alone or mixed.

    A path is a run folder, an NNI experiment folder or id (looked up in ``nni_home``, by default
    ``~/nni-experiments``), a file in one of the formats that ``nas-ctx report --formats`` lists, a folder of such, or
    ``"-"`` for standard input. Each file's format is recognised, or named by ``format``. Tables that are ``transposed``
    have a row per run; ``choices`` and ``scores`` are patterns of the columns or keys that are that, ``columns`` says
    which of a long table are what ("run=A,block=B,choice=C"), ``step`` which genotype of a log counts, and ``best``
    ("max" or "min") takes of each sweep the trial of the best score. What cannot be read raises
    :class:`~nas_ctx.errors.InputError`; failed trials of an experiment are left out and noted. A run that is a copy of
    another one counts once, unless ``keep_copies``.
    """
    options = ReadOptions(transposed, format, choices, scores, columns, step, best)
    listed = _without_links([paths] if isinstance(paths, str | os.PathLike) else list(paths))
    runs, notes = _of_all(listed, options, nni_home)
    runs, repeated = _once_each(runs)
    runs, slots = cells_as_edges(runs)
    runs, absurd = _screened(runs, options)
    named, left_out = cleaned(with_unique_names(runs))
    single, copies = without_copies(named, keep=keep_copies)
    return RunSet(tuple(single), (*copies, *notes, *repeated, *slots, *absurd, *left_out, *doubts(single)))


def _without_links(listed: list[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """``listed`` without links to others of them, such as NNI's ``_latest`` beside its experiments."""
    links = [os.path.islink(path) for path in listed]
    targets = {os.path.realpath(path) for path, link in zip(listed, links, strict=True) if not link}
    return [path for path, link in zip(listed, links, strict=True) if not link or os.path.realpath(path) not in targets]


def _of_all(
    listed: Sequence[str | os.PathLike[str]], options: ReadOptions, nni_home: str | os.PathLike[str] | None
) -> Runs:
    """The runs of all paths, each path once; no run, or more than are compared, is an error."""
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
        loaded, remarks = _load(where, options, nni_home)
        runs += loaded
        notes += remarks
        if len(runs) > MAX_RUNS:
            check_size(len(runs), 0, f"{where} and what was given before it" if len(seen) > 1 else where)
    if not runs:
        reasons = " ".join(note.text for note in notes[:_REASONS])
        more = f" and {len(notes) - _REASONS} more" if len(notes) > _REASONS else ""
        where = ", ".join(map(str, listed)) or "an empty list of paths"
        raise InputError(f"no usable run in {where}{': ' if reasons else ''}{reasons}{more}")
    blocks = {block for run in runs for block in run.genotype}
    check_size(len(runs), len(blocks), ", ".join(map(str, listed[:2])) + (" and others" if len(listed) > 2 else ""))
    return runs, notes


def _screened(runs: list[Run], options: ReadOptions) -> Runs:
    """``runs`` without what can be no choice, where any key or column of their files could be a block."""
    free = [run for run in runs if run.free_names]
    if not free:
        return runs, []
    cleared, notes = plausible(free, options.choices, options.scores)
    by_id = dict(zip(map(id, free), cleared, strict=True))
    return [by_id.get(id(run), run) for run in runs], notes


def _once_each(runs: list[Run]) -> tuple[list[Run], list[Note]]:
    """Runs, each folder once: an experiment that continues after a crash does so in a new record."""
    kept: dict[str, Run] = {}
    notes = []
    for number, run in enumerate(runs):
        key = os.path.realpath(run.folder) if run.folder else str(number)
        if kept.setdefault(key, run) is not run:
            text = f"{run.source} and {kept[key].source} are one run, in {run.folder}, and counted once."
            notes.append(Note("given twice", text))
    return list(kept.values()), notes


def _load(where: str, options: ReadOptions, nni_home: str | os.PathLike[str] | None) -> Runs:
    if where == "-":
        stdin = getattr(sys.stdin, "buffer", None)
        data = sys.stdin.read(MAX_BYTES + 1).encode() if stdin is None else stdin.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise TooLarge(f"standard input: has more than {MAX_BYTES} bytes, which is as many as are read")
        return _from_document(Document("standard input", data), options)
    path = Path(where)
    if not path.exists():
        if looks_like_id(where):
            return _from_experiment(experiment_folder(where, nni_home), options)
        raise InputError(f"{where}: no such file, folder or NNI experiment")
    if is_experiment(path):
        return _from_experiment(path, options)
    if (path / "genotype.json").exists() or (path / "config.yaml").exists():
        return [_from_run_folder(path)], []
    return _from_document(Document.open(path), options)


def _from_document(document: Document, options: ReadOptions) -> Runs:
    """What the first importer reads that recognises a document, or the one that ``options`` name."""
    named = None if options.format is None else FORMATS[options.format]()
    importer = named or next((each for _, each in importers() if each.recognise(document, options)), None)
    if importer is None:
        return _from_folder(document, options)
    try:
        runs, notes = importer.read(document, options)
    except InputError as error:
        raise error if named else _advised(error, importer, document) from None
    if importer.free_names:
        runs = [replace(run, free_names=True) if run.form != "genotype" else run for run in runs]
    if document.suffix == ".json":
        digest = hashlib.sha256(document.data).hexdigest()
        runs = [replace(run, digest=f"{digest}#{number}") for number, run in enumerate(runs)]
    return runs, [*document.remarks, *notes]


def _advised(error: InputError, importer: Importer, document: Document) -> InputError:
    """``error``, and for what is read as a table or object of any tool, what it looks like and what to try."""
    if (
        isinstance(error, TooLarge)
        or not importer.free_names
        or "--" in str(error)
        or '"format"' in document.text[:200]
    ):
        return error
    table, where = document.table, document.name if document.path is not None else "-"
    example = (
        f"{where} --choices '{','.join(choice_columns(table))}'" if table is not None else f"{where} --format NAME"
    )
    return InputError(
        f"{error}. It looks like {document.looks}; `nas-ctx report --formats` lists what is read, and "
        f"`nas-ctx report {example} --out report` reads it as you say"
    )


def _from_folder(folder: Document, options: ReadOptions) -> Runs:
    """The runs of the files and run folders in a folder; anything else is left out, and noted."""
    assert folder.path is not None
    all_runs: list[Run] = []
    notes: list[Note] = []
    left_out: list[str] = []
    entries = sorted(entry for entry in folder.path.iterdir() if not entry.name.startswith("."))
    for entry in entries:
        if not entry.is_file() and not ((entry / "genotype.json").exists() or is_experiment(entry)):
            left_out.append(f"{entry.name} (neither a file nor a run)")
            continue
        try:
            runs, remarks = _load(str(entry), options, None)
        except TooLarge:
            raise
        except InputError as error:
            left_out.append(f"{entry.name} ({str(error).removeprefix(f'{entry}: ')[:_REASON]})")
            continue
        all_runs += runs
        notes += remarks
    if not all_runs:
        held = f"; it holds {'; '.join(left_out[:3])}" if left_out else ""
        raise InputError(
            f"{folder.name}: neither a run folder (it has no genotype.json) nor an NNI experiment (it has no "
            f"db/nni.sqlite), nor a folder of files with genotypes{held}"
        )
    if left_out:
        more = f" and {len(left_out) - 6} more" if len(left_out) > 6 else ""
        notes.append(Note("left out", f"Of {folder.name}: {'; '.join(left_out[:6])}{more}."))
    return all_runs, notes


def _from_run_folder(folder: Path) -> Run:
    file = folder / "genotype.json"
    if not file.exists() and (folder / "config.yaml").exists():
        raise InputError(f"{folder}: a run that has not finished, or no search: it has no genotype.json")
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


def _from_experiment(folder: Path, options: ReadOptions) -> Runs:
    recorded, problems = read_experiment(folder)
    notes = [Note("left out", text) for text in problems]
    space = read_search_space(folder)
    runs = []
    for trial in recorded:
        name, source = f"{folder.name}/{trial.name}", f"{folder} trial {trial.name}"
        settings = {**trial.genotype.meta, **trial.parameters}
        if known := _candidates_in(space, trial.genotype):
            settings["search_space"] = known
        run = Run(name, trial.genotype, source, None, trial.metrics, settings)
        if trial.tuned:
            run = replace(run, form="nni")
        if trial.folder is not None:
            own = _from_run_folder(trial.folder)
            if dict(own.genotype) == dict(trial.genotype):
                run = replace(run, history=own.history, settings={**own.settings, **settings}, folder=own.folder)
            else:
                text = f"{trial.folder} holds other choices than trial {trial.name} reported; its history is not used."
                notes.append(Note("history left out", text))
        runs.append(run)
    if recorded and recorded[0].tuned:
        runs, told = plausible(runs, options.choices, options.scores)
        return trials(runs, [*notes, *told], str(folder), options)
    return runs, notes


def _candidates_in(space: dict[str, list[Any]], genotype: Genotype) -> dict[str, list[Any]]:
    """What ``space`` lists for blocks of ``genotype``, where it lists what was chosen; else it is of something else."""
    return {
        block: space[block]
        for block, choice in genotype.items()
        if block in space and key_of(label_of(choice)) in {key_of(label_of(value)) for value in space[block]}
    }


def _numbers(content: object, name: str) -> dict[str, float]:
    if not isinstance(content, dict):
        raise InputError(f"{name}: expected an object of names and numbers, got {type(content).__name__}")
    for key, value in content.items():
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise InputError(f"{name}: key {key!r} must hold a number, got {value!r}")
    return {key: float(value) for key, value in content.items() if value is not None}
