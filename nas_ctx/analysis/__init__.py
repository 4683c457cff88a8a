"""How far repeated searches agree, and how far to trust what they vote for.

Every statistic is a pure function of ``ratings`` (n_runs, n_blocks). :func:`load_runs` reads runs from whatever holds
them, :func:`reliability` makes one record of everything, :func:`write_report` draws it. Only NumPy, SciPy and (for
figures) matplotlib are used: importing this loads neither torch nor NNI.
"""

from nas_ctx.analysis.choice_table import Table
from nas_ctx.analysis.comparison import Comparison, Difference, compare
from nas_ctx.analysis.grid import Grid, TaskAgreement, grid_of, task_agreements
from nas_ctx.analysis.io.history import History
from nas_ctx.analysis.io.runs import Note, Run, RunSet, load_runs
from nas_ctx.analysis.reliability import Reliability, Result, Scores, reliability
from nas_ctx.analysis.report.writing import write_comparison, write_report
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
from nas_ctx.analysis.stats.catalogue import (
    CONGER,
    FLEISS,
    GWET,
    KRIPPENDORFF,
    LIGHT,
    PERCENTAGE,
    STATISTICS,
    Statistic,
    customary_word,
)
from nas_ctx.analysis.stats.intervals import ChanceTest, Interval, bootstrap_interval, chance_test, interval
from nas_ctx.analysis.stats.random_policy import RandomPolicy, random_policy
from nas_ctx.analysis.stats.rank_correlation import RankCorrelation, agreement_with_others, rank_correlation
from nas_ctx.analysis.stats.ratings import Tally
from nas_ctx.analysis.stats.stability import Enough, enough_runs, extrapolated, plurality_probability
from nas_ctx.analysis.stats.votes import BlockVote, vote
from nas_ctx.analysis.trajectory import Course
from nas_ctx.analysis.wording import comparison_verdict, verdict

__all__ = [
    "CONGER",
    "FLEISS",
    "GWET",
    "KRIPPENDORFF",
    "LIGHT",
    "PERCENTAGE",
    "STATISTICS",
    "BlockVote",
    "ChanceTest",
    "Comparison",
    "Course",
    "Difference",
    "Enough",
    "Grid",
    "History",
    "Interval",
    "Note",
    "Parts",
    "RandomPolicy",
    "RankCorrelation",
    "Reliability",
    "Result",
    "Run",
    "RunSet",
    "Scores",
    "Statistic",
    "Table",
    "Tally",
    "TaskAgreement",
    "agreement_with_others",
    "bootstrap_interval",
    "chance_test",
    "cohens_kappa",
    "compare",
    "comparison_verdict",
    "congers_kappa",
    "customary_word",
    "enough_runs",
    "extrapolated",
    "fleiss_kappa",
    "grid_of",
    "gwets_ac1",
    "interval",
    "krippendorff_alpha",
    "lights_kappa",
    "load_runs",
    "percentage_agreement",
    "plurality_probability",
    "random_policy",
    "rank_correlation",
    "reliability",
    "task_agreements",
    "verdict",
    "vote",
    "write_comparison",
    "write_report",
]
