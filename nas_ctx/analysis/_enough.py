"""How many runs are enough? How often a vote of fewer runs gives what all runs vote for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis._ratings import Floats, Ratings, Tally, tally
from nas_ctx.errors import InputError

_VOTES_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Enough:
    """For one number of runs ``k``: how well a vote of k runs stands for the full vote.

    ``blocks`` is the expected share of blocks in which it gives the same winner (the same set of tied winners where the
    full vote is tied); ``whole`` the probability that this holds in all blocks at once. ``kind`` says how they were
    found: over "all subsets" of the runs, over "sampled subsets", or "extrapolated" from the vote shares.
    """

    k: int
    blocks: float
    whole: float
    kind: str
    subsets: int


def enough_runs(ratings: Ratings | Tally, *, most_subsets: int = 2000, seed: int = 0) -> list[Enough]:
    """For k = 2..n the probability that a vote of k of the runs gives the full vote.

    All subsets are looked at when there are at most ``most_subsets``, else that many are drawn. No tie is broken here.

    >>> [(e.k, round(e.blocks, 3), round(e.whole, 3)) for e in enough_runs([["a", "b"], ["a", "b"], ["b", "b"]])]
    [(2, 0.667, 0.333), (3, 1.0, 1.0)]
    """
    blocks = tally(ratings, least_blocks=1)
    full = winners_of(blocks.votes[None])[0]
    rng = np.random.default_rng(seed)
    found = []
    for k in range(2, blocks.n_runs + 1):
        count = math.comb(blocks.n_runs, k)
        if count <= most_subsets:
            subsets = np.array(list(itertools.combinations(range(blocks.n_runs), k)))
            kind = "all subsets"
        else:
            subsets = rng.permuted(np.tile(np.arange(blocks.n_runs), (most_subsets, 1)), axis=1)[:, :k]
            kind = "sampled subsets"
        same = np.concatenate(_same_winners(blocks, subsets, full))
        found.append(Enough(k, float(same.mean()), float(same.all(axis=1).mean()), kind, len(subsets)))
    return found


def _same_winners(blocks: Tally, subsets: np.ndarray, full: np.ndarray) -> list[np.ndarray]:
    """Per subset of runs and block, whether the set of winners is that of ``full``: arrays (some subsets, n_blocks)."""
    step = max(1, _VOTES_AT_ONCE // (blocks.n_blocks * blocks.n_labels))
    parts = []
    for start in range(0, len(subsets), step):
        chosen = subsets[start : start + step]
        member = np.zeros((len(chosen), blocks.n_runs))
        np.put_along_axis(member, chosen, 1.0, axis=1)
        votes = np.stack([member @ (blocks.codes == code) for code in range(blocks.n_labels)], axis=-1)
        parts.append((winners_of(votes) == full).all(axis=-1))
    return parts


def winners_of(votes: Floats) -> np.ndarray:
    """Where the votes (..., n_labels) are the most of their block; several where tied."""
    return votes == votes.max(axis=-1, keepdims=True)


def extrapolated(ratings: Ratings | Tally, runs: Sequence[int]) -> list[Enough]:
    """The same for other numbers of ``runs``, if each block's future runs chose by the vote shares seen so far.

    An extrapolation, and an optimistic one: the shares are themselves estimates from few runs, blocks are taken as
    independent, and a tie stays a tie at best by luck. Blocks whose full vote is tied have no winner to find and are
    left out. Exact, by :func:`plurality_probability`.

    >>> round(extrapolated([["a", "b"], ["a", "b"], ["b", "b"]], [9])[0].blocks, 3)
    0.928
    """
    blocks = tally(ratings, least_blocks=1)
    shares = np.sort(blocks.votes, axis=1)[:, ::-1] / blocks.n_runs
    untied = shares[(shares[:, 0] > shares[:, 1])] if shares.shape[1] > 1 else shares
    kinds, counts = np.unique(untied.round(12), axis=0, return_counts=True)
    found = []
    for k in runs:
        if not len(untied):
            found.append(Enough(k, math.nan, math.nan, "extrapolated", 0))
            continue
        each = np.array([plurality_probability(kind, k) for kind in kinds])
        found.append(Enough(k, float(each @ counts / counts.sum()), float(np.prod(each**counts)), "extrapolated", 0))
    return found


def plurality_probability(shares: Sequence[float] | Floats, k: int) -> float:
    """The probability that the first of the choices gets more of ``k`` independent votes than each other one.

    ``shares`` (n_choices,) are the probabilities of the choices. Summed over the winner's number of votes a:
    k! p_1^a / a! times the coefficient of x^(k-a) in the product over the others of sum_{j<a} (p x)^j / j!.

    >>> plurality_probability([0.6, 0.4], 3)
    0.648
    """
    if k < 1:
        raise InputError(f"a vote needs at least one run, got {k}")
    first, others = float(shares[0]), [float(share) for share in shares[1:] if share > 0]
    if not others:
        return 1.0
    j = np.arange(k + 1)
    log_factorial = np.array([math.lgamma(i + 1) for i in j])
    total = 0.0
    for a in range(1, k + 1):
        product = np.zeros(k - a + 1)
        product[0] = 1.0
        for share in others:
            terms = np.exp(j * math.log(share) - log_factorial)[: min(a, k - a + 1)]
            product = np.convolve(product, terms)[: k - a + 1]
        if first > 0 and product[k - a] > 0:
            total += math.exp(log_factorial[k] + a * math.log(first) - log_factorial[a]) * product[k - a]
    return round(float(min(total, 1.0)), 15)


def runs_needed(found: Sequence[Enough], share: float = 0.95) -> int | None:
    """The least k from which on the vote gives at least ``share`` of the blocks; None when no listed k does."""
    needed = None
    for entry in sorted(found, key=lambda entry: entry.k, reverse=True):
        if not entry.blocks >= share:
            break
        needed = entry.k
    return needed
