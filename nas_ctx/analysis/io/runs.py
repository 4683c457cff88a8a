"""Runs: one search with one seed each, read from whatever holds them.

A run is its choices, and where a folder has them its history, its metrics and its settings. What could not be used
is named in the notes of the set; nothing is merged or left out in silence.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

from nas_ctx.analysis.io.history import SearchHistory
from nas_ctx.analysis.io.nni_record import experiment_folder, is_experiment, looks_like_id, read_experiment
from nas_ctx.analysis.io.tables import read_table
from nas_ctx.errors import InputError
from nas_ctx.genotype import Choice, Genotype, parse_json, read_json

DIFFER = "settings differ"
"""The kind of a note that says that runs are not repetitions of one search; a report has it at its top."""
_TABLES = {".csv", ".tsv", ".txt"}
_MAY_DIFFER = {"seed", "started", "step"}  # facts in which repetitions of one search differ
_NO_FACTS = {"decided_at", "probabilities", "configuration"}  # what was found, or has a note of its own
_GENERIC = {"genotype", "atrc_genotype"}  # file names that every run has


@dataclass(frozen=True)
class Run:
    """One search: ``genotype`` maps blocks to choices, ``source`` says where it was read, the rest is what came along.

    ``metrics`` are numbers by name; ``settings`` is what else is known, such as seed, versions, and of our own searches
    ``decided_at`` (block -> step) and ``probabilities`` (block -> choice -> final probability).
    """

    name: str
    genotype: Mapping[str, Choice]
    source: str = ""
    history: SearchHistory | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""  # of the run, where it was read from one

    def decided_at(self, block: str) -> int | None:
        """The step at which ``block`` was decided: as the search wrote it down, else as its history shows it."""
        written = self.settings.get("decided_at")
        if isinstance(written, Mapping):
            step = written.get(block)
            return step if isinstance(step, int) else None
        return None if self.history is None else self.history.decided_at(block)

    def final_probabilities(self, block: str) -> dict[str, float] | None:
        """Choice, as text -> its probability at the end of the search; None where the run carries none."""
        if self.history is not None and block in self.history.choices:
            return dict(zip(self.history.choices[block], self.history.probabilities[block][-1].tolist(), strict=True))
        written = self.settings.get("probabilities")
        of = written.get(block) if isinstance(written, Mapping) else None
        if isinstance(of, Mapping) and all(isinstance(p, int | float) for p in of.values()):
            return {str(choice): float(p) for choice, p in of.items()}
        return None

    def facts(self) -> dict[str, str | int | float | bool]:
        """The plain facts among the settings, inner ones by dotted key; what was found by the search is none.

        >>> Run("a", {}, settings={"seed": 1, "versions": {"torch": "2.4"}, "decided_at": {"x": 3}}).facts()
        {'seed': 1, 'versions.torch': '2.4'}
        """
        found: dict[str, str | int | float | bool] = {}
        for key, value in self.settings.items():
            inner = value if isinstance(value, Mapping) and key not in _NO_FACTS else {}
            for name, fact in ((key, value), *((f"{key}.{name}", fact) for name, fact in inner.items())):
                if isinstance(fact, str | int | float | bool):
                    found[name] = fact
        return found


@dataclass(frozen=True)
class Note:
    """Something the reader of a report must know about its input: ``kind`` is a word or two, ``text`` a sentence."""

    kind: str
    text: str


@dataclass(frozen=True)
class RunSet(Sequence[Run]):
    """Runs in order, with notes on what was left out or looks doubtful."""

    runs: tuple[Run, ...]
    notes: tuple[Note, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | Sequence[Run]:
        return self.runs[index]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)


def load_runs(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    transposed: bool = False,
    nni_home: str | os.PathLike[str] | None = None,
) -> RunSet:
    """Read runs from ``paths``, alone or mixed.

    A path is a genotype file (ours, the authors', or what NNI exports, one or a list), a run folder, an NNI experiment
    folder or id (looked up in ``nni_home``, by default ``~/nni-experiments``), a CSV or TSV with a row per block and a
    column per run (the other way round when ``transposed``), or ``"-"`` for standard input (JSON or CSV). What cannot
    be read raises :class:`~nas_ctx.errors.InputError`; failed trials of an experiment are left out and noted.
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
        found, remarks = _load(where, transposed, nni_home)
        runs += found
        notes += remarks
    if not runs:
        raise InputError(f"no usable run in {', '.join(map(str, listed)) or 'an empty list of paths'}")
    runs, repeated = _once_each(runs)
    named = _with_unique_names(runs)
    return RunSet(tuple(named), (*notes, *repeated, *_doubts(named)))


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


def as_run_set(runs: RunSet | Iterable[Run | Mapping[str, Choice]]) -> RunSet:
    """Runs given as :class:`Run` or as plain genotypes (then named "run 1", "run 2", ...), as a set."""
    if isinstance(runs, RunSet):
        return runs
    made = [run if isinstance(run, Run) else Run(f"run {i}", Genotype(run)) for i, run in enumerate(runs, start=1)]
    named = _with_unique_names(made)
    return RunSet(tuple(named), tuple(_doubts(named)))


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
        return _from_json(read_json(path), where), []
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
        run = Run(trial.name, trial.genotype, f"{folder} trial {trial.name}", None, trial.metrics, trial.parameters)
        if trial.folder is not None:
            own = _from_run_folder(trial.folder)
            if dict(own.genotype) == dict(trial.genotype):
                run = replace(
                    run, history=own.history, settings={**own.settings, **trial.parameters}, folder=own.folder
                )
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


def _with_unique_names(runs: Sequence[Run]) -> list[Run]:
    """Runs with the shortest ends of their names that tell all of them apart."""
    parts = []
    for run in runs:
        path = Path(run.name.removesuffix(".json"))
        pieces = [piece for piece in path.parts if piece not in ("/", ".", "..")]
        if len(pieces) > 1 and pieces[-1] in _GENERIC:
            pieces = pieces[:-1]
        parts.append(pieces or [run.name])
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(pieces[-length:]) for pieces in parts]
        if len(set(names)) == len(names):
            return [replace(run, name=name) for run, name in zip(runs, names, strict=True)]
    counts: Counter[str] = Counter()
    unique = []
    for run in runs:
        counts[run.name] += 1
        unique.append(replace(run, name=f"{run.name} ({counts[run.name]})" if counts[run.name] > 1 else run.name))
    return unique


def _doubts(runs: Sequence[Run]) -> Iterator[Note]:
    """Notes on runs that look like one another, and on labels that differ only in case or blanks."""
    alike: dict[frozenset[tuple[str, Choice]], list[Run]] = {}
    for run in runs:
        group = alike.setdefault(frozenset(run.genotype.items()), [])
        for other in group:
            if _same_evidence(run, other):
                yield Note(
                    "same run?",
                    f"{other.name} and {run.name} have the same choices and the same record; if they are one run given "
                    "twice, agreement is overstated. Both are counted.",
                )
        group.append(run)
    yield from _differing_settings(runs)
    for kind, labels in (
        ("choice", {str(choice) for run in runs for choice in run.genotype.values()}),
        ("block", {label for run in runs for label in run.genotype}),
    ):
        for similar in _alike(labels):
            listed = ", ".join(repr(label) for label in similar)
            yield Note("similar labels", f"The {kind} labels {listed} differ only in case or blanks; kept apart.")


def _differing_settings(runs: Sequence[Run]) -> Iterator[Note]:
    """A note where runs differ in more than the seed: then they are not repetitions of one search."""
    facts = [run.facts() for run in runs]
    for name in dict.fromkeys(name for of in facts for name in of):
        values = list(dict.fromkeys(str(of[name]) for of in facts if name in of))
        if name not in _MAY_DIFFER and len(values) > 1:
            shown = ", ".join(value[:16] for value in values[:4]) + (", ..." if len(values) > 4 else "")
            yield Note(DIFFER, f"The runs do not differ in the seed alone, but in {name!r} too: {shown}.")
    configurations = [run.settings["configuration"] for run in runs if run.settings.get("configuration")]
    differing = []
    for key in sorted({key for configuration in configurations for key in configuration}):
        values = list(dict.fromkeys(str(configuration.get(key)) for configuration in configurations))
        if len(values) > 1:
            differing.append(f"{key} ({', '.join(value[:40] for value in values[:4])})")
    if differing:
        more = f" and {len(differing) - 6} more" if len(differing) > 6 else ""
        text = f"The runs do not differ in the seed alone, but in their configuration too: {', '.join(differing[:6])}"
        yield Note(DIFFER, text + more + ".")


def _same_evidence(run: Run, other: Run) -> bool:
    """Whether beyond the choices there is a record, and it is the same: history, metrics, or an equal seed."""
    if run.history is not None and other.history is not None:
        return run.history.steps.tolist() == other.history.steps.tolist() and (
            run.history.mean_entropy.tolist() == other.history.mean_entropy.tolist()
        )
    if run.metrics or other.metrics:
        return dict(run.metrics) == dict(other.metrics)
    seed = run.settings.get("seed")
    return seed is not None and seed == other.settings.get("seed")


def _alike(labels: Iterable[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for label in sorted(labels):
        groups.setdefault("".join(label.split()).casefold(), []).append(label)
    return [group for group in groups.values() if len(group) > 1]
