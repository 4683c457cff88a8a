"""How far repeated searches agree, and how far to trust what they vote for.

Every statistic is a pure function of ``ratings`` (n_runs, n_blocks). :func:`load_runs` reads runs from whatever holds
them, :func:`reliability` makes one record of everything, :func:`write_report` draws it. Only NumPy, SciPy and (for
figures) matplotlib are used: importing this loads neither torch nor NNI.
"""

from typing import TYPE_CHECKING

from nas_ctx.analysis.candidates import KnownCandidates, read_candidates
from nas_ctx.analysis.choice_table import ChoiceTable
from nas_ctx.analysis.comparison import RunSetComparison, compare
from nas_ctx.analysis.early_vote import EarlyVote, Rule
from nas_ctx.analysis.grid import Grid, TaskAgreement, grid_of, task_agreements
from nas_ctx.analysis.io.history import SearchHistory
from nas_ctx.analysis.io.loading import load_runs
from nas_ctx.analysis.io.runs import Note, Run, RunSet
from nas_ctx.analysis.reliability import Reliability, reliability
from nas_ctx.analysis.report.writing import write_comparison, write_report
from nas_ctx.analysis.results import StatisticResult
from nas_ctx.analysis.scores import RunScores
from nas_ctx.analysis.significance import Standing
from nas_ctx.analysis.stats.agreement import (
    Parts,
    cohens_kappa,
    congers_kappa,
    fleiss_kappa,
    gwets_ac1,
    krippendorff_alpha,
    lights_kappa,
    percentage_agreement,
)
from nas_ctx.analysis.stats.candidate_sets import brennan_prediger, fleiss_kappa_within, lights_kappa_within
from nas_ctx.analysis.stats.catalogue import (
    BRENNAN_PREDIGER,
    CONGER,
    FLEISS,
    FLEISS_WITHIN,
    GWET,
    GWET_WITHIN,
    KRIPPENDORFF,
    LIGHT,
    LIGHT_WITHIN,
    PERCENTAGE,
    STATISTICS,
    Statistic,
    landis_koch,
)
from nas_ctx.analysis.stats.forecast import BlockForecast, forecast
from nas_ctx.analysis.stats.intervals import Interval, block_interval, jackknife_interval
from nas_ctx.analysis.stats.permutation import ChanceTest, chance_test
from nas_ctx.analysis.stats.random_policy import RandomPolicy, random_policy
from nas_ctx.analysis.stats.rank_correlation import RankCorrelation, agreement_with_others, rank_correlation
from nas_ctx.analysis.stats.ratings import Candidates, RatingMatrix
from nas_ctx.analysis.stats.stability import VoteStability, extrapolate_stability, plurality_probability, vote_stability
from nas_ctx.analysis.stats.two_sets import Difference, RunsTest, set_difference
from nas_ctx.analysis.stats.votes import BlockVote, vote
from nas_ctx.analysis.trajectory import Trajectory
from nas_ctx.analysis.wording import comparison_verdict, verdict

__all__ = [
    "BRENNAN_PREDIGER", "CONGER", "FLEISS", "FLEISS_WITHIN", "GWET", "GWET_WITHIN", "KRIPPENDORFF", "LIGHT",
    "LIGHT_WITHIN", "PERCENTAGE", "STATISTICS", "BlockForecast", "BlockVote", "Candidates", "ChanceTest",
    "ChoiceTable", "Difference", "EarlyVote", "Grid", "Interval", "KnownCandidates", "Note", "Parts", "RandomPolicy",
    "RankCorrelation", "RatingMatrix", "Reliability", "Rule", "Run", "RunScores", "RunSet", "RunSetComparison",
    "RunsTest", "SearchHistory", "Standing", "Statistic", "StatisticResult", "TaskAgreement", "Trajectory",
    "VoteStability", "agreement_with_others", "block_interval", "brennan_prediger", "chance_test", "cohens_kappa",
    "compare", "comparison_verdict", "congers_kappa", "extrapolate_stability", "fleiss_kappa", "fleiss_kappa_within",
    "forecast", "grid_of", "gwets_ac1", "jackknife_interval", "krippendorff_alpha", "landis_koch", "lights_kappa",
    "lights_kappa_within", "load_runs", "percentage_agreement", "plurality_probability", "random_policy",
    "rank_correlation", "read_candidates", "reliability", "set_difference", "task_agreements", "verdict", "vote",
    "vote_stability", "write_comparison", "write_report",
]  # fmt: skip


if not TYPE_CHECKING:  # a type checker must not believe in names that are going

    def __getattr__(name: str) -> object:
        from nas_ctx.analysis.deprecated import lookup

        return lookup(name)
