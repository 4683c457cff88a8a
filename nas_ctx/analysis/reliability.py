"""The record of a reliability analysis: computed once, then drawn as page, tables and figures by others."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from nas_ctx import __version__
from nas_ctx.analysis.choice_table import ChoiceTable, table_of
from nas_ctx.analysis.deprecated import warn_renamed
from nas_ctx.analysis.grid import Grid, TaskAgreement, grid_of, task_agreements
from nas_ctx.analysis.io.runs import Note, Run, RunSet, as_run_set
from nas_ctx.analysis.stats.agreement import (
    cohens_kappa,
    krippendorff_parts,
    light_parts,
    once,
    pair_counts,
    pair_indices,
    percentage_agreement,
)
from nas_ctx.analysis.stats.catalogue import LIGHT, STATISTICS, Statistic
from nas_ctx.analysis.stats.intervals import Interval, block_interval
from nas_ctx.analysis.stats.permutation import ChanceTest, chance_test, check_draws
from nas_ctx.analysis.stats.random_policy import RandomPolicy, random_policy
from nas_ctx.analysis.stats.rank_correlation import RankCorrelation, agreement_with_others, rank_correlation
from nas_ctx.analysis.stats.ratings import Floats, Label
from nas_ctx.analysis.stats.stability import VoteStability, extrapolate_stability, runs_needed, vote_stability
from nas_ctx.analysis.stats.votes import BlockVote, vote
from nas_ctx.analysis.trajectory import Trajectory, trajectory_of
from nas_ctx.errors import InputError
from nas_ctx.genotype import CONTEXT_NAMES, Choice, Genotype

_MOST_PAIR_WORK = 4e10  # pairs x blocks x blocks that Light's interval may cost; about ten seconds on two cores


@dataclass(frozen=True)
class StatisticResult:
    """One statistic with its interval. Light's kappa also tells how many pairs of runs were undefined (0/0) and what
    the mean over the others is; ``note`` says in words what the reader must know about a missing number."""

    statistic: Statistic
    value: float
    observed: float
    chance: float
    interval: Interval | None
    undefined_pairs: int = 0
    defined_value: float = math.nan
    note: str = ""


@dataclass(frozen=True)
class RunScores:
    """One number per run beside its agreement with the others.

    ``random`` are the scores of uniformly drawn runs and ``random_agreement`` their percentage agreement.
    """

    metric: str
    values: tuple[float, ...]
    correlation: RankCorrelation
    random: tuple[float, ...] = ()
    random_agreement: float | None = None


@dataclass(frozen=True)
class Reliability:
    """Everything a report says. See the fields' own classes; arrays are (n_runs, n_runs) or as documented there."""

    title: str
    runs: tuple[Run, ...]
    table: ChoiceTable
    votes: tuple[BlockVote, ...]
    ties: str | None
    candidates: tuple[int, ...]
    candidates_from: str
    results: tuple[StatisticResult, ...]
    alpha_over_all: float | None
    pair_agreement: Floats
    pair_kappa: Floats
    with_others: Floats
    test: ChanceTest
    policy: RandomPolicy
    stability: tuple[VoteStability, ...]
    needed: int | None
    grid: Grid | None
    tasks: tuple[TaskAgreement, ...]
    trajectory: Trajectory | None
    scores: RunScores | None
    notes: tuple[Note, ...]
    settings: dict[str, object]
    versions: dict[str, str]

    @property
    def blocks(self) -> tuple[str, ...]:
        return self.table.blocks

    @property
    def course(self) -> Trajectory | None:
        """The former name of :attr:`trajectory`."""
        warn_renamed("Reliability.course", "Reliability.trajectory")
        return self.trajectory

    @property
    def enough(self) -> tuple[VoteStability, ...]:
        """The former name of :attr:`stability`."""
        warn_renamed("Reliability.enough", "Reliability.stability")
        return self.stability

    def result(self, statistic: Statistic) -> StatisticResult:
        return next(result for result in self.results if result.statistic is statistic)

    @property
    def tied(self) -> tuple[str, ...]:
        """The blocks in which a tie stands."""
        return tuple(b for b, of in zip(self.blocks, self.votes, strict=True) if of.tied and of.decided_by is None)

    @property
    def consensus(self) -> Genotype | None:
        """The voted genotype, or None while a tie stands: name a rule for ties to get one."""
        if self.tied:
            return None
        pairs = zip(self.blocks, self.votes, strict=True)
        broken = [block for block, of in zip(self.blocks, self.votes, strict=True) if of.decided_by]
        meta: dict[str, object] = {"votes_of": [run.name for run in self.runs]}
        if broken:
            meta |= {"ties": self.ties, "tie_blocks": broken}
        return Genotype({block: self.table.choice(of.choice) for block, of in pairs}, meta)


def reliability(
    runs: RunSet | Iterable[Run | Mapping[str, Choice]],
    *,
    ties: str | None = None,
    order: Sequence[str] | None = None,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    metric: str | None = None,
    random_runs: RunSet | None = None,
    title: str = "Reliability of repeated searches",
) -> Reliability:
    """Analyse at least two ``runs`` (a set from :func:`load_runs`, or genotypes).

    ``ties`` is the rule that breaks ties ("probability", "order", "refuse"; None lets them stand), ``order`` the order
    of the choices, ``draws`` and ``seed`` those of Monte Carlo, ``level`` that of the intervals. ``metric`` names the
    number of each run's metrics to compare agreement with (by default "default", "score" or "delta_m", the first that
    all runs have); ``random_runs`` are runs with uniformly drawn genotypes, for comparison.

    >>> from nas_ctx.analysis import PERCENTAGE
    >>> record = reliability([{"a/a": "none", "a/b": "local"}, {"a/a": "none", "a/b": "global"}], draws=200)
    >>> record.result(PERCENTAGE).value, record.tied, record.consensus
    (0.5, ('a/b',), None)
    """
    check_draws(draws)
    runs = as_run_set(runs)
    if len(runs) < 2:
        raise InputError(f"agreement needs at least two runs, got {len(runs)} ({', '.join(run.name for run in runs)})")
    table = table_of(runs.runs, order)
    if len(table.blocks) < 2:
        raise InputError(f"agreement needs at least two blocks that all runs have, got only {table.blocks[0]!r}")
    blocks = table.common
    candidates, candidates_from = _candidates(runs.runs, table)
    votes = _votes(runs.runs, table, ties, candidates)
    results = tuple(_results(table, level))
    agree, _ = pair_counts(blocks)
    grid = grid_of(table.blocks)
    stability = vote_stability(blocks, seed=seed)
    further = np.linspace(2, max(15, min(3 * len(runs), 60)), 30 if len(runs) > 10 else 60).round().astype(int)
    stability += extrapolate_stability(blocks, sorted(set(further.tolist())))
    with_others = agreement_with_others(blocks)
    return Reliability(
        title=title,
        runs=runs.runs,
        table=table,
        votes=votes,
        ties=ties,
        candidates=candidates,
        candidates_from=candidates_from,
        results=results,
        alpha_over_all=_alpha_over_all(table),
        pair_agreement=agree / blocks.n_blocks,
        pair_kappa=cohens_kappa(blocks),
        with_others=with_others,
        test=chance_test(blocks, draws=draws, seed=seed),
        policy=random_policy(len(runs), candidates, results[0].value, draws=draws, seed=seed),
        stability=tuple(stability),
        needed=runs_needed(stability, len(runs)),
        grid=grid,
        tasks=tuple(task_agreements(blocks, grid)) if grid else (),
        trajectory=trajectory_of(runs.runs, table.blocks),
        scores=_scores(runs.runs, with_others, metric, random_runs, draws, seed),
        notes=(*runs.notes, *table.notes),
        settings={"draws": draws, "level": level, "seed": seed, "ties": ties, "metric": metric},
        versions={
            "nas_ctx": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    )


def _results(table: ChoiceTable, level: float) -> Iterable[StatisticResult]:
    blocks = table.common
    pairs = len(pair_indices(blocks.n_runs)[0])
    for statistic in STATISTICS:
        parts = statistic.parts(blocks, once(blocks))
        value = float(parts.value[0])
        too_much = statistic is LIGHT and pairs * blocks.n_blocks**2 > _MOST_PAIR_WORK
        interval = None if too_much else block_interval(blocks, statistic, level=level)
        notes = []
        if too_much:
            notes.append("No interval: there are too many pairs of runs for a jackknife; Conger's kappa has one.")
        undefined, defined_value = 0, math.nan
        if statistic is LIGHT:
            kappas = cohens_kappa(blocks)[pair_indices(blocks.n_runs)]
            undefined = int(np.isnan(kappas).sum())
            defined_value = float(light_parts(blocks, once(blocks), defined_only=True).value[0])
            if undefined:
                notes.append(
                    f"{undefined} of {pairs} pairs are undefined (0/0): both runs used one same choice throughout. "
                    + (f"The mean over the other pairs is {defined_value:.2f}." if undefined < pairs else "")
                )
        elif math.isnan(value):
            notes.append("Undefined (0/0): only one choice occurs.")
        if interval is None and not too_much and not math.isnan(value):
            notes.append(
                "No interval: without one of the blocks it would be undefined (0/0), so it hangs on that block."
            )
        yield StatisticResult(
            statistic,
            value,
            float(parts.observed[0]),
            float(parts.chance[0]),
            interval,
            undefined,
            defined_value,
            " ".join(notes).strip(),
        )


def _alpha_over_all(table: ChoiceTable) -> float | None:
    if len(table.blocks) == len(table.all_blocks):
        return None
    return float(krippendorff_parts(table.whole, once(table.whole)).value[0])


def _candidates(runs: Sequence[Run], table: ChoiceTable) -> tuple[tuple[int, ...], str]:
    """How many choices each block had, and where that is known from."""
    histories = [run.history for run in runs if run.history is not None]
    if histories and all(block in histories[0].choices for block in table.blocks):
        counts = tuple(max(len(h.choices.get(block, ())) for h in histories) for block in table.blocks)
        return counts, "the histories"
    grid = grid_of(table.blocks)
    if grid is not None and set(table.texts) <= set(CONTEXT_NAMES):
        own = {index for (target, source), index in grid.positions.items() if target == source}
        return tuple(4 if b in own else 5 for b in range(len(table.blocks))), "the five relational contexts"
    return (table.common.n_labels,) * len(table.blocks), "the choices that occur"


def _votes(
    runs: Sequence[Run], table: ChoiceTable, ties: str | None, candidates: Sequence[int]
) -> tuple[BlockVote, ...]:
    found = [_final_probabilities(runs, table, block) for block in table.blocks]
    probabilities = [of for of in found if of is not None]
    bases = [max(count, 2) for count in candidates]
    return tuple(
        vote(
            table.common,
            ties=ties,
            order=table.common.labels,
            probabilities=probabilities if len(probabilities) == len(found) else None,
            n_choices=bases,
            names=table.blocks,
        )
    )


def _final_probabilities(runs: Sequence[Run], table: ChoiceTable, block: str) -> dict[Label, float] | None:
    """Label -> mean over runs of its probability at the end of the search; None when a run carries none."""
    found = [run.final_probabilities(block) for run in runs]
    known = [of for of in found if of is not None]
    if len(known) < len(found):
        return None
    return {
        label: float(np.mean([of.get(text, 0.0) for of in known]))
        for label, text in zip(table.common.labels, table.texts, strict=True)
    }


def _scores(
    runs: Sequence[Run],
    with_others: Floats,
    metric: str | None,
    random_runs: RunSet | None,
    draws: int,
    seed: int,
) -> RunScores | None:
    shared = set.intersection(*(set(run.metrics) for run in runs))
    if metric is None:
        metric = next((name for name in ("default", "score", "delta_m") if name in shared), None)
        if metric is None:
            return None
    elif metric not in shared:
        lacking = [run.name for run in runs if metric not in run.metrics]
        raise InputError(
            f"metric {metric!r} is missing in {', '.join(lacking)}; metrics that all runs have: "
            f"{', '.join(sorted(shared)) or 'none'}"
        )
    values = tuple(run.metrics[metric] for run in runs)
    correlation = rank_correlation(with_others, values, draws=draws, seed=seed)
    if random_runs is None:
        return RunScores(metric, values, correlation)
    drawn = tuple(run.metrics[metric] for run in random_runs if metric in run.metrics)
    if not drawn:
        raise InputError(f"none of the {len(random_runs)} random runs has the metric {metric!r}")
    together = percentage_agreement(table_of(random_runs.runs).common) if len(random_runs) > 1 else None
    return RunScores(metric, values, correlation, drawn, together)
