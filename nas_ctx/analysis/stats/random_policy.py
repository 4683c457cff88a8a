"""Beside the searched genotypes: what a policy that draws every choice uniformly would agree on.

The test against it knows nothing of how often runs use a choice: a preference that all runs share counts as agreement.
Its p value is exact. Blocks are independent, so that the distribution of the number of agreeing pairs is a convolution
of those of the blocks, and that of a block comes out of the generating function of its votes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.ratings import Floats, Integers, RatingMatrix
from nas_ctx.errors import InputError

_LABELS_AT_ONCE = 1 << 22
_MOST_EXACT_RUNS = 60  # the distribution of one block's agreeing pairs takes about runs**4 steps
_LEAST_P = 1e-12  # what the rounding of the convolution leaves


@dataclass(frozen=True)
class RandomPolicy:
    """Percentage agreement and Fleiss' kappa of runs that draw uniformly: exact mean of the first, 95 % ranges of both.

    ``p`` is the probability that such runs agree at least as much as was observed: ``exact`` to 1e-12, or of more than
    60 runs by Monte Carlo, the observed one counted.
    """

    expected: float
    percentage: tuple[float, float]
    fleiss: tuple[float, float]
    p: float
    draws: int
    exact: bool


def random_policy(
    n_runs: int, n_choices: Sequence[int], observed: float, *, draws: int = 2000, seed: int = 0
) -> RandomPolicy:
    """Simulate ``draws`` sets of ``n_runs`` runs that choose uniformly among ``n_choices[b]`` candidates of block b.

    >>> random_policy(5, [4, 5, 5, 4], observed=0.9, draws=200).expected
    0.225
    """
    choices = np.asarray(n_choices, dtype=np.int64)
    if n_runs < 2 or not len(choices) or (choices < 1).any():
        raise InputError(f"a random policy needs two runs and at least one choice per block, got {n_runs}, {n_choices}")
    rng = np.random.default_rng(seed)
    most, pairs = int(choices.max()), n_runs * (n_runs - 1)
    step = max(1, _LABELS_AT_ONCE // (len(choices) * most))
    kinds = [(c, np.flatnonzero(choices == c)) for c in np.unique(choices).tolist()]
    agreements, kappas = [], []
    for start in range(0, draws, step):
        size = min(step, draws - start)
        votes = np.zeros((size, len(choices), most))
        for c, members in kinds:
            votes[:, members, :c] = rng.multinomial(n_runs, [1 / c] * c, size=(size, len(members)))
        agree = (votes * (votes - 1)).sum(axis=(1, 2)) / (len(choices) * pairs)
        chance = ((votes.sum(axis=1) / (n_runs * len(choices))) ** 2).sum(axis=1)
        agreements.append(agree)
        with np.errstate(invalid="ignore", divide="ignore"):
            kappas.append(np.where(chance < 1, (agree - chance) / (1 - chance), np.nan))
    agreement, kappa = np.concatenate(agreements), np.concatenate(kappas)
    kappa = kappa[~np.isnan(kappa)]
    tails = [0.025, 0.975]
    exact = n_runs <= _MOST_EXACT_RUNS
    return RandomPolicy(
        expected=float((1 / choices).mean()),
        percentage=tuple(np.quantile(agreement, tails).tolist()),
        fleiss=tuple(np.quantile(kappa, tails).tolist()) if len(kappa) else (float("nan"), float("nan")),
        p=_exact_p(n_runs, choices, observed)
        if exact
        else float((1 + (agreement >= observed - 1e-12).sum()) / (1 + draws)),
        draws=draws,
        exact=exact,
    )


def occurring_p(matrix: RatingMatrix) -> float | None:
    """The probability that runs agree at least so far which draw uniformly among the values that occur in a block.

    It is taken given that each of these values is drawn. Then uniform draws among any larger set of candidates have the
    same distribution: the test holds its level whatever the blocks could choose from. Of more than 60 runs this
    condition is left out, which makes p larger. None where the same values occur in all blocks, which then may be taken
    to have the same candidates.

    >>> from nas_ctx.analysis.stats.ratings import rating_matrix
    >>> p = occurring_p(rating_matrix([["a", 3], ["a", 5], ["b", 5]]))  # each block has two values: two runs agree
    >>> round(p, 3)
    1.0
    """
    occurs = matrix.votes > 0
    if (occurs == occurs[:1]).all():
        return None
    counts = occurs.sum(axis=1)
    pairs = matrix.n_blocks * matrix.n_runs * (matrix.n_runs - 1)
    observed = float((matrix.votes * (matrix.votes - 1)).sum() / pairs)
    if matrix.n_runs > _MOST_EXACT_RUNS:
        return random_policy(matrix.n_runs, counts.tolist(), observed).p
    return _exact_p(matrix.n_runs, counts, observed, all_occur=True)


def _exact_p(n_runs: int, n_choices: Integers, observed: float, *, all_occur: bool = False) -> float:
    """The probability of at least the ``observed`` share of agreeing pairs, given that all choices occur or not."""
    pairs = n_runs * (n_runs - 1) // 2
    length = pairs * len(n_choices) + 1
    kinds, counts = np.unique(n_choices, return_counts=True)
    transform = np.ones(length // 2 + 1, dtype=np.complex128)
    for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
        transform *= np.fft.rfft(agreeing_pairs_of(n_runs, kind, all_occur), length) ** count
    chances = np.fft.irfft(transform, length)
    least = math.ceil(observed * (length - 1) - 1e-6)
    return min(1.0, max(_LEAST_P, float(chances[max(0, least) :].sum())))


@functools.lru_cache(maxsize=256)
def agreeing_pairs_of(n_runs: int, n_choices: int, all_occur: bool = False) -> Floats:
    """(pairs + 1,): how probable each number of agreeing pairs of runs is in one block with uniform draws.

    ``all_occur``: given that each choice is drawn at least once.

    The coefficient of z^n in the power n_choices of sum_v z^v x^(v (v - 1) / 2) / v!, times n! / n_choices^n.

    >>> agreeing_pairs_of(2, 4).tolist(), agreeing_pairs_of(3, 2).round(6).tolist()
    ([0.75, 0.25], [0.0, 0.75, 0.0, 0.25])
    """
    pairs = n_runs * (n_runs - 1) // 2
    power = np.zeros((n_runs + 1, pairs + 1))  # [votes given so far, agreeing pairs so far]
    power[0, 0] = 1.0
    for _ in range(n_choices):
        grown = np.zeros_like(power)
        for votes in range(int(all_occur), n_runs + 1):
            more = votes * (votes - 1) // 2
            # The number of ways to pick which runs vote so, as a share of n_choices to the power of the votes.
            share = 1 / math.factorial(votes) / float(n_choices) ** votes
            grown[votes:, more:] += share * power[: n_runs + 1 - votes, : pairs + 1 - more]
        power = grown
    probabilities: Floats = power[n_runs] / power[n_runs].sum()
    probabilities.setflags(write=False)
    return probabilities
