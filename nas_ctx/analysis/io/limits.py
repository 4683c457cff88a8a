"""How large a set of runs may be: a report of these sizes takes seconds, docs/performance.md has them."""

from __future__ import annotations

from nas_ctx.errors import InputError

MAX_RUNS = 20_000
MAX_DIFFERENT = 2_000
"""Runs of different choices: each two of them are compared, while runs of the same choices are one and the same."""
MAX_LISTED = 2_000
"""Runs of which each two are listed and drawn: there are half as many pairs as the square of the runs."""
MAX_BLOCKS = 20_000
MAX_CHOICES = 1_000_000
"""Choices of all runs together."""
MAX_PAIRED = 4_000_000
"""Pairs of runs times blocks where two sets are compared."""
MAX_LABELS = 1_000
"""Different choices over all blocks."""
MAX_CELLS = 5_000_000
"""Cells of one table: one with a row per choice says more than the choice."""


class TooLarge(InputError):
    """What is well formed and larger than a report is made of."""


def check_size(n_runs: int, n_blocks: int, where: str) -> None:
    """Refuse what is larger than a report is made of; ``where`` names it.

    >>> check_size(30000, 16, "ratings.csv")
    Traceback (most recent call last):
    nas_ctx.analysis.io.limits.TooLarge: ratings.csv: 30000 runs, of which at most 20000 are compared
    """
    if n_runs > MAX_RUNS:
        raise TooLarge(f"{where}: {n_runs} runs, of which at most {MAX_RUNS} are compared")
    if n_blocks > MAX_BLOCKS:
        raise TooLarge(f"{where}: {n_blocks} blocks, of which at most {MAX_BLOCKS} are compared")
    if n_runs * n_blocks > MAX_CHOICES:
        raise TooLarge(
            f"{where}: {n_runs} runs x {n_blocks} blocks are {n_runs * n_blocks} choices, "
            f"of which at most {MAX_CHOICES} are compared"
        )


def check_pairs(n_runs: int, n_blocks: int, where: str) -> None:
    """Refuse to compare two sets of ``n_runs`` together that have too many pairs of runs.

    >>> check_pairs(100, 1000, "both sets")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nas_ctx.analysis.io.limits.TooLarge: both sets: 4950 pairs of 100 runs x 1000 blocks are 4950000, ...
    """
    pairs = n_runs * (n_runs - 1) // 2
    if pairs * n_blocks > MAX_PAIRED:
        raise TooLarge(
            f"{where}: {pairs} pairs of {n_runs} runs x {n_blocks} blocks are {pairs * n_blocks}, "
            f"of which at most {MAX_PAIRED} are compared"
        )
