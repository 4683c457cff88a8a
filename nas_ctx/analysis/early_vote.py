"""Whether the searches so far are enough: the vote of the first runs against that of the most that would be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nas_ctx.analysis.stats.forecast import BlockForecast, forecast
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype


@dataclass(frozen=True)
class Rule:
    """When to stop: after ``least`` to ``most`` runs, as soon as every block is settled at ``level``.

    A block is settled when, with that probability, the choice that leads it now would have most of the votes of
    ``most`` runs, or no choice would have more than half of them: *no dominating choice*. The probabilities are those
    of :func:`~nas_ctx.analysis.forecast`.

    Raises:
        InputError: no whole numbers with 2 <= ``least`` <= ``most``, or a level that is not between a half and 1.
    """

    least: int = 3
    most: int = 15
    level: float = 0.95

    def __post_init__(self) -> None:
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (self.least, self.most))
        if not whole or not 2 <= self.least <= self.most <= MOST:
            raise InputError(f"least: {self.least!r}, most: {self.most!r}: expected 2 <= least <= most <= {MOST}")
        if not isinstance(self.level, float) or not 0.5 < self.level < 1:
            raise InputError(f"level: {self.level!r}: expected a number between 0.5 and 1")


MOST = 200
"""The largest number of searches that a rule can allow."""


@dataclass(frozen=True)
class EarlyVote:
    """The vote of ``runs``, and how far it is settled by ``rule``.

    >>> runs = [Genotype({"a/a": "local", "a/b": choice}) for choice in ("none", "none", "global", "none")]
    >>> vote = EarlyVote(runs, Rule(most=9))
    >>> vote.stable, vote.open
    (False, ['a/b'])
    >>> print(vote)
    the vote of 4 runs: in 1 of 2 blocks 9 would keep the leader (95 % each); open: a/b
    """

    runs: Sequence[Genotype]
    rule: Rule = Rule()

    @classmethod
    def of_results(cls, results: Sequence[Mapping[str, Any]], rule: Rule) -> EarlyVote:
        """From what trials reported at their end: ``genotype`` and, where it is known, ``candidates``.

        Raises:
            InputError: a result without a genotype, or genotypes of different blocks.
        """
        runs = []
        for result in results:
            if not isinstance(result, Mapping) or "genotype" not in result:
                raise InputError("a trial's final result has no genotype; a vote needs one of each")
            genotype = Genotype.from_json(result["genotype"])
            runs.append(Genotype(genotype, {"candidates": result.get("candidates", {})}))
        return cls(runs, rule)

    @cached_property
    def blocks(self) -> dict[str, BlockForecast]:
        """What is forecast of each block."""
        names = list(self.runs[0])
        for run in self.runs[1:]:
            run.differences(self.runs[0])  # refuses other blocks
        known = [{name: len(values) for name, values in run.candidates.items()} for run in self.runs]
        n_choices = [max(run.get(name, 0) for run in known) for name in names]
        ratings = [[run[name] for name in names] for run in self.runs]
        return dict(
            zip(names, forecast(ratings, self.rule.most, n_choices=n_choices if all(n_choices) else None), strict=True)
        )

    @property
    def open(self) -> list[str]:
        """The blocks that are not settled."""
        return [name for name, block in self.blocks.items() if not block.settled(self.rule.level)]

    @property
    def stable(self) -> bool:
        """Whether the rule says to stop."""
        n = len(self.runs)
        return n >= self.rule.most or (n >= self.rule.least and not self.open)

    def __str__(self) -> str:
        level, total, lacking = self.rule.level, len(self.blocks), self.open
        led = sum(block.lead >= level for block in self.blocks.values())
        divided = total - led - len(lacking)
        words = f"the vote of {len(self.runs)} runs: in {led} of {total} blocks {self.rule.most} would keep the leader"
        words += f", in {divided} no choice dominates" if divided else ""
        return f"{words} ({100 * level:g} % each)" + (f"; open: {', '.join(lacking)}" if lacking else "")
