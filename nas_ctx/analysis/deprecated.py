"""Names of version 0.1.0 that have changed: they work for one more version, with a DeprecationWarning."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

RENAMED = {
    "Comparison": "RunSetComparison",
    "Course": "Trajectory",
    "Enough": "VoteStability",
    "History": "SearchHistory",
    "Result": "StatisticResult",
    "Scores": "RunScores",
    "Table": "ChoiceTable",
    "Tally": "RatingMatrix",
    "bootstrap_interval": "block_interval",
    "customary_word": "landis_koch",
    "enough_runs": "vote_stability",
    "extrapolated": "extrapolate_stability",
    "interval": "jackknife_interval",
}
"""Old name -> new name in :mod:`nas_ctx.analysis`."""


def warn_renamed(old: str, new: str) -> None:
    """Warn the caller's caller that ``old`` is now called ``new``."""
    warnings.warn(f"{old} is now called {new}; the old name will go in version 0.3", DeprecationWarning, stacklevel=3)


def lookup(name: str) -> Any:
    """The object of :mod:`nas_ctx.analysis` that was called ``name``, with a warning.

    Raises:
        AttributeError: no such name, old or new.
    """
    if name not in RENAMED:
        raise AttributeError(f"module 'nas_ctx.analysis' has no attribute {name!r}")
    warn_renamed(f"nas_ctx.analysis.{name}", RENAMED[name])
    if name in ("bootstrap_interval", "interval"):  # these have lost parameters, too
        return globals()[name]
    return getattr(importlib.import_module("nas_ctx.analysis"), RENAMED[name])


def bootstrap_interval(ratings: Any, statistic: Any, *, draws: int = 2000, seed: int = 0, **options: Any) -> Any:
    """The former form of :func:`~nas_ctx.analysis.block_interval`; ``draws`` and ``seed`` have no effect."""
    return importlib.import_module("nas_ctx.analysis").block_interval(ratings, statistic, **options)


def interval(estimate: float, draws: Any, leave_one_out: Any, *options: Any, **others: Any) -> Any:
    """The former form of :func:`~nas_ctx.analysis.jackknife_interval`; ``draws`` has no effect."""
    return importlib.import_module("nas_ctx.analysis").jackknife_interval(estimate, leave_one_out, *options, **others)
