"""The record of a reliability analysis: computed once, then drawn as page, tables and figures by others."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy

from nas_ctx import __version__
from nas_ctx.analysis.candidates import Given
from nas_ctx.analysis.choice_table import ChoiceTable, table_of
from nas_ctx.analysis.deprecated import warn_renamed
from nas_ctx.analysis.grid import Grid, TaskAgreement, grid_of, task_agreements
from nas_ctx.analysis.io.checks import as_run_set
from nas_ctx.analysis.io.limits import MAX_LISTED
from nas_ctx.analysis.io.runs import COPY, Note, Run, RunSet
from nas_ctx.analysis.results import StatisticResult, statistic_results
from nas_ctx.analysis.scores import RunScores, run_scores
from nas_ctx.analysis.significance import Standing, standing_of, test_behind
from nas_ctx.analysis.stats.agreement import cohens_kappa, pair_counts
from nas_ctx.analysis.stats.catalogue import KRIPPENDORFF, Statistic, leading
from nas_ctx.analysis.stats.labels import key_of, label_of
from nas_ctx.analysis.stats.permutation import ChanceTest, chance_test, check_draws
from nas_ctx.analysis.stats.random_policy import RandomPolicy, occurring_p, random_policy
from nas_ctx.analysis.stats.rank_correlation import agreement_with_others
from nas_ctx.analysis.stats.ratings import Floats, Label, RatingMatrix
from nas_ctx.analysis.stats.stability import VoteStability, extrapolate_stability, runs_needed, vote_stability
from nas_ctx.analysis.stats.votes import BlockVote, vote
from nas_ctx.analysis.trajectory import Trajectory, trajectory_of
from nas_ctx.errors import InputError
from nas_ctx.genotype import Choice, Genotype

_MOST_EXTRAPOLATED = 60  # runs


@dataclass(frozen=True)
class Reliability:
    """Everything a report says. See the fields' own classes; arrays are (n_runs, n_runs) or as documented there."""

    title: str
    runs: tuple[Run, ...]
    table: ChoiceTable
    votes: tuple[BlockVote, ...]
    ties: str | None
    results: tuple[StatisticResult, ...]
    test: ChanceTest
    policy: RandomPolicy | None
    stability: tuple[VoteStability, ...]
    trajectory: Trajectory | None
    scores: RunScores | None
    notes: tuple[Note, ...]
    settings: dict[str, object]

    @property
    def blocks(self) -> tuple[str, ...]:
        return self.table.blocks

    @property
    def candidates(self) -> tuple[int, ...] | None:
        """How many candidates each block had; None where that is not known."""
        return self.table.counts

    @property
    def candidates_from(self) -> str:
        """What says so, in words."""
        return self.table.candidates.known_from

    @property
    def leading(self) -> StatisticResult:
        """The kappa that the report rests on: Light's, or one that allows for blocks with different candidates."""
        return self.result(leading(self.table.categories))

    @property
    def standing(self) -> Standing:
        """Whether the runs agree more than chance would, or could show it at all."""
        return standing_of(self.test, self.leading, self.policy, self.occurring_p)

    @cached_property
    def occurring_p(self) -> float | None:
        """Against uniform draws among what occurs in each block; None where the candidates are known or look alike."""
        return None if self.candidates is not None else occurring_p(self.table.common)

    @property
    def verdict_test(self) -> tuple[float, str]:
        """The p value on which the verdict rests, nan where it rests on none, and in words what test it is of."""
        return test_behind(self.standing, self.test, self.policy, self.occurring_p)

    @property
    def versions(self) -> dict[str, str]:
        """Of what computed this."""
        libraries = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
        return {"nas_ctx": __version__, **libraries}

    @property
    def lists_pairs(self) -> bool:
        """Whether the runs are few enough to list each two of them."""
        return len(self.runs) <= MAX_LISTED

    @cached_property
    def pair_agreement(self) -> Floats:
        """(n_runs, n_runs)."""
        return pair_counts(self.table.common)[0] / len(self.blocks)

    @cached_property
    def pair_kappa(self) -> Floats:
        """(n_runs, n_runs): Cohen's; nan with a single block."""
        if len(self.blocks) < 2:
            return np.full((len(self.runs), len(self.runs)), np.nan)
        return cohens_kappa(self.table.categories)

    @cached_property
    def with_others(self) -> Floats:
        """(n_runs,)."""
        return agreement_with_others(self.table.common)

    @cached_property
    def grid(self) -> Grid | None:
        return grid_of(self.blocks)

    @cached_property
    def tasks(self) -> tuple[TaskAgreement, ...]:
        return tuple(task_agreements(self.table.categories, self.grid)) if self.grid else ()

    @property
    def alpha_over_all(self) -> float | None:
        """Krippendorff's alpha over all blocks, where some runs lack some of them."""
        complete = len(self.blocks) == len(self.table.all_blocks)
        return None if complete else float(KRIPPENDORFF.values(self.table.all_categories)[0])

    @property
    def needed(self) -> int | None:
        """The least number of runs whose vote finds that of all in 95 % of the blocks, or None."""
        return runs_needed(self.stability, len(self.runs))

    @property
    def tied(self) -> tuple[str, ...]:
        """The blocks in which a tie stands."""
        return tuple(b for b, vote in zip(self.blocks, self.votes, strict=True) if vote.open)

    @property
    def consensus(self) -> Genotype | None:
        """The voted genotype, or None while a tie stands: name a rule for ties to get one."""
        if self.tied:
            return None
        pairs = list(zip(self.blocks, self.votes, strict=True))
        broken = [block for block, vote in pairs if vote.decided_by]
        meta: dict[str, object] = {"votes_of": [run.name for run in self.runs]}
        if broken:
            meta |= {"ties": self.ties, "tie_blocks": broken}
        choices = {block: self._as_written(block, vote.choice) for block, vote in pairs}
        return Genotype({**choices, **self._not_voted()}, meta)

    def _as_written(self, block: str, label: Label) -> Choice:
        """A label as the runs have it in a block: NNI takes [1], not 1, for a choice of inputs."""
        return next(run.genotype[block] for run in self.runs if key_of(label_of(run.genotype[block])) == key_of(label))

    def _not_voted(self) -> dict[str, Choice]:
        """Of blocks that had no effect in some runs, so that not all voted: what most runs chose that it mattered to.

        A network is made of the choices of all blocks, also of those without effect.
        """
        majority = {}
        for block in dict.fromkeys(block for run in self.runs for block in run.inactive if block not in self.blocks):
            active = [run.genotype[block] for run in self.runs if block in run.genotype]
            choices = active or [run.inactive[block] for run in self.runs if block in run.inactive]
            majority[block] = Counter(choices).most_common(1)[0][0]
        return majority

    def result(self, statistic: Statistic) -> StatisticResult:
        return next(result for result in self.results if result.statistic is statistic)

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
    candidates: Given | None = None,
    title: str = "Reliability of repeated searches",
) -> Reliability:
    """Analyse at least two ``runs`` (a set from :func:`load_runs`, or genotypes).

    ``ties`` is the rule that breaks ties ("probability", "order", "refuse"; None lets them stand), ``order`` the order
    of the choices, ``draws`` and ``seed`` those of Monte Carlo, ``level`` that of the intervals. ``metric`` names the
    number of each run's metrics to compare agreement with (by default "default", "score" or "delta_m", the first that
    all runs have); ``random_runs`` are runs with uniformly drawn genotypes, for comparison. ``candidates`` are those of
    each block, or one list for all blocks; by default what the runs recorded.

    >>> from nas_ctx.analysis import PERCENTAGE
    >>> record = reliability([{"a/a": "none", "a/b": "local"}, {"a/a": "none", "a/b": "global"}], draws=200)
    >>> record.result(PERCENTAGE).value, record.tied, record.consensus
    (0.5, ('a/b',), None)
    """
    check_draws(draws)
    run_set = as_run_set(runs)
    if len(run_set) < 2:
        names = ", ".join(run.name for run in run_set)
        copies = "".join(f"; {note.text}" for note in run_set.notes if note.kind == COPY)
        raise InputError(f"agreement needs at least two runs, got {len(run_set)} ({names}){copies}")
    table = table_of(run_set.runs, order, candidates)
    return record_of(
        run_set, table, ties=ties, draws=draws, level=level, seed=seed, metric=metric, random_runs=random_runs,
        title=title,
    )  # fmt: skip


def record_of(
    runs: RunSet,
    table: ChoiceTable,
    *,
    ties: str | None,
    draws: int,
    level: float,
    seed: int,
    title: str,
    metric: str | None = None,
    random_runs: RunSet | None = None,
) -> Reliability:
    """The record of ``runs`` whose choices are in ``table``; the rest as for :func:`reliability`."""
    matrix = table.categories
    results = tuple(statistic_results(matrix, level, chosen_blocks=any(run.inactive for run in runs)))
    known, share = table.counts, results[0].value
    policy = random_policy(matrix.n_runs, known, share, draws=draws, seed=seed) if known else None
    return Reliability(
        title, runs.runs, table, _votes(runs.runs, table, ties), ties, results,
        test=chance_test(matrix, draws=draws, seed=seed),
        policy=policy,
        stability=_stability(table.common, seed),
        trajectory=trajectory_of(runs.runs, table.blocks),
        scores=run_scores(runs.runs, agreement_with_others(matrix), metric, random_runs, draws, seed),
        notes=(*runs.notes, *table.notes, *_left_out(len(runs))),
        settings={"draws": draws, "level": level, "seed": seed, "ties": ties, "metric": metric},
    )  # fmt: skip


def _left_out(n_runs: int) -> Iterator[Note]:
    if n_runs > MAX_LISTED:
        pairs = f"The {n_runs * (n_runs - 1) // 2} pairs of runs"
        yield Note("left out", f"{pairs} are not listed one by one, as those of {MAX_LISTED} runs are.")


def _stability(matrix: RatingMatrix, seed: int) -> tuple[VoteStability, ...]:
    """Measured up to the number of runs, extrapolated to three times as many, at most 60."""
    n = matrix.n_runs
    measured = vote_stability(matrix, seed=seed)
    if n >= _MOST_EXTRAPOLATED:
        return tuple(measured)
    further = np.linspace(2, max(15, min(3 * n, _MOST_EXTRAPOLATED)), 30 if n > 10 else 60).round().astype(int)
    return (*measured, *extrapolate_stability(matrix, sorted(set(further.tolist()))))


def _votes(runs: Sequence[Run], table: ChoiceTable, ties: str | None) -> tuple[BlockVote, ...]:
    counts = table.counts or (table.common.n_labels,) * len(table.blocks)
    carrying = all(run.history is not None or run.settings.get("probabilities") for run in runs)
    probabilities = [_final_probabilities(runs, table, block) if carrying else None for block in table.blocks]
    return tuple(
        vote(
            table.common,
            ties=ties,
            order=table.common.labels,
            probabilities=None if None in probabilities else [known for known in probabilities if known is not None],
            n_choices=[max(count, 2) for count in counts],
            names=table.blocks,
        )
    )


def _final_probabilities(runs: Sequence[Run], table: ChoiceTable, block: str) -> dict[Label, float] | None:
    """Label -> mean over runs of its probability at the end of the search; None when a run carries none."""
    shares = [run.final_probabilities(block) for run in runs]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return None
    return {
        label: float(np.mean([share.get(text, 0.0) for share in known]))
        for label, text in zip(table.common.labels, table.texts, strict=True)
    }
