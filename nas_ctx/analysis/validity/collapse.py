"""Has a search collapsed: does it choose one candidate nearly everywhere, and since when?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nas_ctx.analysis.io.runs import Run

COLLAPSED = 0.75
"""A run has collapsed where one candidate has at least this share of the blocks."""


@dataclass(frozen=True)
class Collapse:
    """The most frequent choice of a run.

    Attributes:
        count, blocks: in how many of how many blocks.
        since: the logged step from which on it led in at least ``COLLAPSED`` of the blocks; None where it does not, or
            where the run has no history.
    """

    run: str
    choice: str
    count: int
    blocks: int
    since: int | None

    @property
    def share(self) -> float:
        return self.count / self.blocks

    @property
    def collapsed(self) -> bool:
        return self.blocks > 3 and self.share >= COLLAPSED


def collapse_of(run: Run) -> Collapse:
    """The most frequent choice of ``run``, and since when it led nearly everywhere.

    >>> collapse_of(Run("seed-0", {"a/a": "none", "a/b": "none", "b/a": "none", "b/b": "local"})).collapsed
    True
    """
    ((choice, count),) = Counter(str(value) for value in run.genotype.values()).most_common(1)
    found = Collapse(run.name, choice, count, len(run.genotype), None)
    history = run.history
    if history is None or not found.collapsed:
        return found
    blocks = [block for block in run.genotype if choice in history.choices.get(block, ())]
    leads = sum(
        (history.leading(block) == history.choices[block].index(choice)) & ~history.undecided(block) for block in blocks
    )
    enough = leads >= COLLAPSED * len(run.genotype)
    if not enough[-1]:
        return found
    failing = (~enough).nonzero()[0]
    since = int(history.steps[failing[-1] + 1 if len(failing) else 0])
    return Collapse(run.name, choice, count, len(run.genotype), since)
