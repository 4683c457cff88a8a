"""What a reader must know about runs: which look alike, and in what they differ beside the seed; names that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nas_ctx.analysis.io.runs import DIFFER, Note, Run, RunSet
from nas_ctx.genotype import Choice, Genotype

_MAY_DIFFER = {"seed", "started", "step"}  # facts in which repetitions of one search differ
_GENERIC = {"genotype", "atrc_genotype"}  # file names that every run has


def as_run_set(runs: RunSet | Iterable[Run | Mapping[str, Choice]]) -> RunSet:
    """Runs given as :class:`Run` or as plain genotypes (then named "run 1", "run 2", ...), as a set."""
    if isinstance(runs, RunSet):
        return runs
    listed = [run if isinstance(run, Run) else _plain_run(i, run) for i, run in enumerate(runs, start=1)]
    named = with_unique_names(listed)
    return RunSet(tuple(named), tuple(doubts(named)))


def _plain_run(number: int, choices: Mapping[str, Choice]) -> Run:
    genotype = choices if isinstance(choices, Genotype) else Genotype(choices)
    return Run(f"run {number}", genotype, settings=genotype.meta)


def with_unique_names(runs: Sequence[Run]) -> list[Run]:
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


def doubts(runs: Sequence[Run]) -> Iterator[Note]:
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
