"""Two sets of runs on the same blocks: does one strategy, or one setting, agree with itself more than another?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nas_ctx.analysis.choice_table import ChoiceTable, table_of
from nas_ctx.analysis.io.checks import as_run_set
from nas_ctx.analysis.io.runs import Note, Run, RunSet
from nas_ctx.analysis.reliability import Reliability, reliability
from nas_ctx.analysis.stats.agreement import once
from nas_ctx.analysis.stats.catalogue import STATISTICS, Statistic
from nas_ctx.analysis.stats.intervals import Interval, jackknife_interval, leave_one_out_weights
from nas_ctx.analysis.stats.ratings import RatingMatrix
from nas_ctx.errors import InputError
from nas_ctx.genotype import Choice


@dataclass(frozen=True)
class Difference:
    """Second minus first set in one statistic, with the paired jackknife interval over their common blocks."""

    statistic: Statistic
    first: float
    second: float
    value: float
    interval: Interval | None


@dataclass(frozen=True)
class RunSetComparison:
    """Two records on the same blocks, the differences between them, and where their votes part.

    ``same_vote`` is the share of blocks with the same (set of) winners; ``parted`` lists the other blocks.
    """

    title: str
    names: tuple[str, str]
    first: Reliability
    second: Reliability
    differences: tuple[Difference, ...]
    same_vote: float
    parted: tuple[str, ...]
    notes: tuple[Note, ...]


def compare(
    first: RunSet | Iterable[Run | Mapping[str, Choice]],
    second: RunSet | Iterable[Run | Mapping[str, Choice]],
    *,
    names: tuple[str, str] = ("A", "B"),
    ties: str | None = None,
    order: Sequence[str] | None = None,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    title: str = "Two sets of searches compared",
) -> RunSetComparison:
    """Compare two sets of runs on the blocks that all runs of both have.

    Both sets lose the same block at a time, since a block that is hard for one is likely hard for the other.

    >>> same = [{"a/a": "none", "a/b": "local"}, {"a/a": "none", "a/b": "local"}]
    >>> other = [{"a/a": "none", "a/b": "local"}, {"a/a": "local", "a/b": "local"}]
    >>> compare(same, other, draws=100).differences[0].value
    -0.5
    """
    sets = (as_run_set(first), as_run_set(second))
    for name, runs in zip(names, sets, strict=True):
        if len(runs) < 2:
            raise InputError(f"set {name} has {len(runs)} run; agreement needs at least two")
    both = table_of([*sets[0], *sets[1]], order)
    if len(both.blocks) < 2:
        raise InputError(f"the two sets have only the block {both.blocks[0]!r} in common; a comparison needs two")
    records = []
    for runs in sets:
        kept = RunSet(tuple(_only(run, both.blocks) for run in runs), runs.notes)
        records.append(reliability(kept, ties=ties, order=both.texts, draws=draws, level=level, seed=seed, title=title))
    n = len(sets[0])
    parted = tuple(
        block
        for block, a, b in zip(both.blocks, records[0].votes, records[1].votes, strict=True)
        if set(a.winners) != set(b.winners)
    )
    return RunSetComparison(
        title=title,
        names=names,
        first=records[0],
        second=records[1],
        differences=tuple(_differences(both, n, level)),
        same_vote=1 - len(parted) / len(both.blocks),
        parted=parted,
        notes=both.notes,
    )


def _only(run: Run, blocks: Sequence[str]) -> Run:
    return Run(
        run.name,
        {block: run.genotype[block] for block in blocks},
        run.source,
        run.history,
        run.metrics,
        run.settings,
    )


def _differences(both: ChoiceTable, n_first: int, level: float) -> Iterable[Difference]:
    """Both halves keep the labels of the whole, so that Gwet's AC1 counts the same choices in both."""
    whole: RatingMatrix = both.common
    halves = (whole.of_runs(range(n_first)), whole.of_runs(range(n_first, whole.n_runs)))
    weights = leave_one_out_weights(whole.n_blocks)
    for statistic in STATISTICS:
        first, second = (float(statistic.values(half, once(whole))[0]) for half in halves)
        left_out = statistic.values(halves[1], weights) - statistic.values(halves[0], weights)
        difference = second - first
        yield Difference(statistic, first, second, difference, jackknife_interval(difference, left_out, level))
