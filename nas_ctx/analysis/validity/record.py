"""The record of whether choices matter: computed once, then written as page, JSON and CSV by others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.validity.collapse import Collapse, collapse_of
from nas_ctx.analysis.validity.effects import RunExchange
from nas_ctx.analysis.validity.retraining import Retraining
from nas_ctx.analysis.validity.verdicts import BlockVerdict, Verdict, verdicts
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of two columns over the blocks; nan where one of them is constant."""

    first: str
    second: str
    rho: float
    p: float
    blocks: int


@dataclass(frozen=True)
class Validity:
    """What is known of every block.

    Attributes:
        reliability: the record of the searches' agreement, which the votes are from.
        blocks: a verdict each.
        exchanged: the runs that were measured.
        collapses: the most frequent choice of each search.
        retraining: what trained networks say; None without any.
        importance: block -> drop of the target's score in percent, in each trained network of the vote, when the
            block's output is exchanged between images.
        settings: negligible (percent), level, steps of adaptation.
    """

    reliability: Reliability
    blocks: tuple[BlockVerdict, ...]
    exchanged: tuple[RunExchange, ...]
    collapses: tuple[Collapse, ...]
    retraining: Retraining | None
    importance: Mapping[str, tuple[float, ...]]
    settings: Mapping[str, float]

    @cached_property
    def counts(self) -> dict[Verdict, int]:
        """How many blocks there are of each kind, in the order of the kinds."""
        found = Counter(block.verdict for block in self.blocks)
        return {kind: found[kind] for kind in Verdict}

    @property
    def images(self) -> int:
        scores = next(iter(next(iter(self.exchanged[0].scores.values())).values()))
        return len(scores.left_out)

    @cached_property
    def columns(self) -> dict[str, list[float]]:
        """What is known of each block as numbers, by name; only what was measured."""
        found = {
            "share of votes": [block.share for block in self.blocks],
            "final probability": [block.probability for block in self.blocks],
            "cost of a random other": [block.mean.mean for block in self.blocks],
        }
        if self.importance:
            means = {block: float(np.mean(values)) for block, values in self.importance.items()}
            found["importance"] = [means.get(block.block, math.nan) for block in self.blocks]
        if self.retraining is not None and self.retraining.effects:
            by_block = {effect.block: effect.mean for effect in self.retraining.effects}
            found["effect by retraining"] = [by_block.get(block.block, math.nan) for block in self.blocks]
        return found

    @cached_property
    def correlations(self) -> tuple[Correlation, ...]:
        """Of each two columns."""
        names = list(self.columns)
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        return tuple(_correlation(a, b, self.columns[a], self.columns[b]) for a, b in pairs)

    @property
    def perturbation(self) -> Genotype:
        """Every block decided by perturbation: the vote, but where another candidate is measurably better."""
        choices = {block.block: block.best for block in self.blocks}
        others = {block.block for block in self.blocks if block.best != block.voted}
        return Genotype(choices, {"decided_by": "perturbation", "unlike_the_vote": sorted(others)})


def validity(
    reliability: Reliability,
    exchanged: Sequence[RunExchange],
    *,
    retraining: Retraining | None = None,
    importance: Mapping[str, tuple[float, ...]] | None = None,
    negligible: float = 1.0,
    level: float = 0.95,
    steps: int = 0,
) -> Validity:
    """Put together what is known of every block.

    Args:
        reliability: of the searches; it must have a vote, so ties are broken.
        exchanged: what was measured in each search, at the vote.
        negligible: the largest change, in percent of a target's score, that does not matter.
        steps: of adaptation after each exchange, for the record.

    Raises:
        InputError: nothing was measured, or an exchange at another genotype than the vote's.
    """
    if not exchanged:
        raise InputError("no search was measured")
    if reliability.consensus is None:
        raise InputError(f"block {reliability.tied[0]!r} is tied: name a rule for ties")
    voted = {block: str(choice) for block, choice in reliability.consensus.items()}
    for run in exchanged:
        if any(voted.get(block) != name for block, name in run.voted.items()):
            raise InputError(f"{run.run}: was exchanged at another genotype than the vote's")
    votes = {
        block: (dict(vote.counts)[vote.choice], len(reliability.runs))
        for block, vote in zip(reliability.blocks, reliability.votes, strict=True)
    }
    probabilities = {block: _probability(reliability, block, name) for block, name in voted.items()}
    return Validity(
        reliability,
        tuple(verdicts(exchanged, votes, probabilities, negligible, level)),
        tuple(exchanged),
        tuple(map(collapse_of, reliability.runs)),
        retraining,
        dict(importance or {}),
        {"negligible": negligible, "level": level, "steps": steps},
    )


def _probability(reliability: Reliability, block: str, choice: str) -> float:
    """The mean over the searches of a choice's final probability; nan where a run has none."""
    known = [run.final_probabilities(block) for run in reliability.runs]
    values = [math.nan if shares is None else shares.get(choice, math.nan) for shares in known]
    return float(np.mean(values))


def _correlation(first: str, second: str, x: Sequence[float], y: Sequence[float]) -> Correlation:
    both = np.isfinite(x) & np.isfinite(y)
    a, b = np.asarray(x)[both], np.asarray(y)[both]
    if len(a) < 3 or len(set(a)) < 2 or len(set(b)) < 2:
        return Correlation(first, second, math.nan, math.nan, len(a))
    found = stats.spearmanr(a, b)
    return Correlation(first, second, float(found.statistic), float(found.pvalue), len(a))
