"""What a reader must know about runs: which look the same, in what they differ besides the seed, and unique names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nas_ctx.analysis.io.cleaning import cleaned
from nas_ctx.analysis.io.runs import COPY, DIFFER, Note, Run, RunSet
from nas_ctx.genotype import Choice, Genotype

_MAY_DIFFER = {"seed", "started", "step"}  # facts in which repetitions of one search differ
_RECORDS = ("probabilities", "seed")
_GENERIC = {"genotype", "atrc_genotype"}  # file names that every run has


def as_run_set(runs: RunSet | Iterable[Run | Mapping[str, Choice]]) -> RunSet:
    """Runs given as :class:`Run` or as plain genotypes (then named "run 1", "run 2", ...), as a set."""
    if isinstance(runs, RunSet):
        return runs
    listed = [run if isinstance(run, Run) else _plain_run(i, run) for i, run in enumerate(runs, start=1)]
    named, left_out = cleaned(with_unique_names(listed))
    return RunSet(tuple(named), (*left_out, *doubts(named)))


def without_copies(runs: Sequence[Run], *, keep: bool = False) -> tuple[list[Run], list[Note]]:
    """``runs`` with each search once, and notes on copies; with ``keep`` copies count and are noted.

    Runs of the same choices are copies if their records are the same: history, probabilities, or the seed. Files of the
    same bytes that hold nothing but choices may be copies, or searches that agree; they are told of, and count.
    """
    kept: list[Run] = []
    by_choices: dict[frozenset[tuple[str, Choice]], dict[str | None, list[Run]]] = {}  # those with a record, by table
    notes = []
    for run in runs:
        alike = by_choices.setdefault(frozenset(run.genotype.items()), {})
        recorded = run.history is not None or any(run.settings.get(key) not in (None, {}) for key in _RECORDS)
        table = run.source if run.own_name else None  # its rows are runs of their own, though a sweep may have one seed
        others = (other for name, rows in alike.items() if table is None or name != table for other in rows)
        copy_of = next((other for other in others if _same_record(run, other)), None) if recorded else None
        if copy_of is not None:
            how = "counted as two, as was asked for" if keep else "counted once; --keep-copies counts both"
            notes.append(Note(COPY, f"{copy_of.name} and {run.name} are one run: the same choices and record; {how}."))
        if copy_of is None or keep:
            kept.append(run)
            if recorded:
                alike.setdefault(table, []).append(run)
    return kept, [*notes, *_same_bytes(kept)]


def _same_bytes(runs: Sequence[Run]) -> Iterator[Note]:
    by_digest: dict[str, list[str]] = {}
    for run in runs:
        if run.digest and not run.settings.get("seed"):
            by_digest.setdefault(run.digest, []).append(run.name)
    for names in by_digest.values():
        if len(names) > 1:
            listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            yield Note(
                COPY,
                f"{listed} are byte-equal files that hold choices only: searches that agree, or copies of one, which "
                "would overstate agreement. All are counted.",
            )


def _same_record(run: Run, other: Run) -> bool:
    """Whether two runs of the same choices are one: by histories, probabilities or seeds, whichever both have."""
    if run.history is not None and other.history is not None and run.history.mean_entropy.any():
        return run.history.steps.tolist() == other.history.steps.tolist() and (
            run.history.mean_entropy.tolist() == other.history.mean_entropy.tolist()
        )
    for key in _RECORDS:
        mine, its = run.settings.get(key), other.settings.get(key)
        if mine not in (None, {}) and its not in (None, {}) and not _certain(mine):
            return bool(mine == its)
    return False


def _certain(probabilities: object) -> bool:
    """Whether these are distributions of one value each, as without alternatives: they tell no runs apart."""
    return isinstance(probabilities, Mapping) and all(
        isinstance(distribution, Mapping) and len(distribution) == 1 for distribution in probabilities.values()
    )


def _plain_run(number: int, choices: Mapping[str, Choice]) -> Run:
    genotype = choices if isinstance(choices, Genotype) else Genotype(choices)
    return Run(f"run {number}", genotype, settings=genotype.meta)


def with_unique_names(runs: Sequence[Run]) -> list[Run]:
    """Runs with the shortest ends of their names that tell all of them apart."""
    parts = []
    for run in runs:
        if run.own_name:
            parts.append([*Path(run.source).parts, run.name])
            continue
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


def doubts(runs: Sequence[Run]) -> Iterator[Note]:
    """Notes on settings in which runs differ, and on labels that differ only in case or blanks."""
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
    for name in dict.fromkeys(name for known in facts for name in known):
        values = list(dict.fromkeys(str(known[name]) for known in facts if name in known))
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


def _alike(labels: Iterable[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for label in sorted(labels):
        groups.setdefault("".join(label.split()).casefold(), []).append(label)
    return [group for group in groups.values() if len(group) > 1]
