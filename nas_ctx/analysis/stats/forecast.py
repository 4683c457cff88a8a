"""What a vote of more runs would say, from the runs so far: whether to go on searching, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import lgamma

import numpy as np

from nas_ctx.analysis.stats.ratings import Floats, Label, RatingMatrix, Ratings, rating_matrix
from nas_ctx.analysis.stats.votes import vote
from nas_ctx.errors import InputError

CONCENTRATION = 2.0
"""Total concentration of the symmetric Dirichlet prior of a block's choice probabilities; it weighs as two runs."""


@dataclass(frozen=True)
class BlockForecast:
    """What a vote of ``most`` runs would say of one block.

    ``leader`` has most votes so far, None while several have as many; ``lead`` is the probability that it alone has
    most of all ``most`` votes, ``divided`` the probability that no choice has more than half of them.
    """

    leader: Label
    lead: float
    divided: float

    def settled(self, level: float) -> bool:
        """Whether the leader is certain at ``level``, or else that no choice dominates."""
        return max(self.lead, self.divided) >= level


def forecast(
    ratings: Ratings | RatingMatrix, most: int, *, n_choices: Sequence[int] | None = None
) -> list[BlockForecast]:
    """Per block what a vote of ``most`` runs would say, the ``ratings`` (n_runs, n_blocks) of the first ones included.

    A run chooses with unknown probabilities of its block. Their prior is a symmetric Dirichlet distribution of total
    concentration 2 over the block's ``n_choices`` candidates (by default as many as labels occur, and at least two).
    So the votes still to come are Dirichlet-multinomial; exact, nothing is sampled.

    Raises:
        InputError: more runs than ``most``.

    >>> first, second = forecast([["local", "none"], ["local", "global"], ["local", "none"]], 15, n_choices=[5, 5])
    >>> first.leader, round(first.lead, 3), round(second.lead, 2)
    ('local', 0.937, 0.66)
    """
    blocks = rating_matrix(ratings, least_runs=1, least_blocks=1)
    if blocks.n_runs > most:
        raise InputError(f"a vote of {most} runs cannot be forecast from {blocks.n_runs}")
    if n_choices is None:
        n_choices = [max(blocks.n_labels, 2)] * blocks.n_blocks
    forecasts = []
    for block, candidates in zip(vote(blocks), n_choices, strict=True):
        counts = [votes for _, votes in block.counts]
        padded = (*counts, *[0] * (candidates - len(counts)))
        lead = 0.0 if block.tied else _lead(padded, most)
        forecasts.append(BlockForecast(block.choice, lead, _divided(padded, most)))
    return forecasts


@lru_cache(maxsize=4096)
def _lead(counts: tuple[int, ...], most: int) -> float:
    """The probability that the first of ``counts`` has more than each other one once ``most`` runs have voted.

    Summed over the votes a that it still gets: its weight times the coefficient of x^(left-a) in the product over the
    others of their weights, cut where they would have caught up. The weight of j more votes is
    Gamma(j + count + share) / Gamma(count + share) / j!, with the share of the prior.
    """
    left = most - sum(counts)
    weights = np.exp([_log_weights(count + CONCENTRATION / len(counts), left) for count in counts])
    total = 0.0
    for a in range(left + 1):
        rest = np.ones(1)
        for count, weight in zip(counts[1:], weights[1:], strict=True):
            rest = np.convolve(rest, weight[: min(counts[0] + a - count, left - a + 1)])[: left - a + 1]
        total += float(weights[0, a] * rest[left - a]) if len(rest) > left - a else 0.0
    return min(total / float(np.exp(_log_weights(sum(counts) + CONCENTRATION, left)[left])), 1.0)


def _log_weights(start: float, left: int) -> Floats:
    return np.array([lgamma(start + votes) - lgamma(start) - lgamma(votes + 1) for votes in range(left + 1)])


@lru_cache(maxsize=4096)
def _divided(counts: tuple[int, ...], most: int) -> float:
    """The probability that none of the choices has more than half of ``most`` votes; at most one can.

    The votes that a choice still gets are beta-binomial: the weights of :func:`_lead` for it and for all others.
    """
    if len(counts) == 1:
        return 0.0  # nothing else can be chosen
    left, n = most - sum(counts), sum(counts) + CONCENTRATION
    dominating = 0.0
    for count in counts:
        lacking = max(most // 2 + 1 - count, 0)
        share = count + CONCENTRATION / len(counts)
        logs = _log_weights(share, left) + _log_weights(n - share, left)[::-1] - _log_weights(n, left)[left]
        dominating += float(np.exp(logs[lacking:]).sum())
    return max(1.0 - dominating, 0.0)
