"""Two sets of runs on the same blocks: does one strategy, or one setting, agree with itself more than another?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nas_ctx.analysis.candidates import Given
from nas_ctx.analysis.choice_table import ChoiceTable, table_of
from nas_ctx.analysis.io.checks import as_run_set
from nas_ctx.analysis.io.limits import check_pairs
from nas_ctx.analysis.io.runs import Note, Run, RunSet
from nas_ctx.analysis.reliability import Reliability, record_of
from nas_ctx.analysis.stats.catalogue import PERCENTAGE, Statistic, statistics_for
from nas_ctx.analysis.stats.permutation import check_draws
from nas_ctx.analysis.stats.two_sets import Difference, set_difference
from nas_ctx.errors import InputError
from nas_ctx.genotype import Choice


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

    def difference(self, statistic: Statistic) -> Difference:
        return next(difference for difference in self.differences if difference.statistic is statistic)

    @property
    def deciding(self) -> Difference:
        """That in the leading kappa, or in percentage agreement where a pair of runs has no kappa (0/0)."""
        kappa = self.difference(self.first.leading.statistic)
        return self.difference(PERCENTAGE) if math.isnan(kappa.test.p) else kappa


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
    candidates: Given | None = None,
    title: str = "Two sets of searches compared",
) -> RunSetComparison:
    """Compare two sets of runs on the blocks that all runs of both have; see :mod:`nas_ctx.analysis.stats.two_sets`.

    >>> same = [{"a/a": "none", "a/b": "local"}, {"a/a": "none", "a/b": "local"}]
    >>> other = [{"a/a": "none", "a/b": "local"}, {"a/a": "local", "a/b": "local"}]
    >>> compare(same, other, draws=100).differences[0].value
    -0.5
    """
    check_draws(draws)
    sets = (as_run_set(first), as_run_set(second))
    both = _common_table(sets, names, order, candidates)
    n = len(sets[0])
    records = [
        record_of(runs, both.of_runs(chosen), ties=ties, draws=draws, level=level, seed=seed, title=title)
        for runs, chosen in zip(sets, (range(n), range(n, n + len(sets[1]))), strict=True)
    ]
    parted = _parted(both.blocks, *records)
    return RunSetComparison(
        title=title,
        names=names,
        first=records[0],
        second=records[1],
        differences=tuple(
            set_difference(both.categories, n, statistic, level=level, draws=draws, seed=seed)
            for statistic in statistics_for(both.categories)
        ),
        same_vote=1 - len(parted) / len(both.blocks),
        parted=parted,
        notes=both.notes,
    )


def _common_table(
    sets: tuple[RunSet, RunSet], names: tuple[str, str], order: Sequence[str] | None, candidates: Given | None
) -> ChoiceTable:
    """The choices of all runs, those of the first set before those of the second.

    Raises:
        InputError: there are too few runs, or too few blocks in common.
    """
    for name, runs in zip(names, sets, strict=True):
        if len(runs) < 2:
            raise InputError(f"set {name} has {len(runs)} run; agreement needs at least two")
    everyone = [*sets[0], *sets[1]]
    check_pairs(len(everyone), max(len(run.genotype) for run in everyone), "both sets")
    both = table_of(everyone, order, candidates)
    if len(both.blocks) < 2:
        raise InputError(f"the two sets have only the block {both.blocks[0]!r} in common; a comparison needs two")
    return both


def _parted(blocks: Sequence[str], first: Reliability, second: Reliability) -> tuple[str, ...]:
    """The blocks whose votes have other winners in one set than in the other."""
    votes = zip(blocks, first.votes, second.votes, strict=True)
    return tuple(block for block, a, b in votes if set(a.winners) != set(b.winners))
