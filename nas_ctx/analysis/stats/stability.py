"""How many runs are enough? How often a vote of fewer runs gives what all runs vote for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_ctx.analysis.stats.ratings import Floats, Integers, RatingMatrix, Ratings, rating_matrix
from nas_ctx.errors import InputError

_VOTES_AT_ONCE = 1 << 22
Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class VoteStability:
    """For one number of runs ``k``: how well a vote of k runs represents the full vote.

    ``blocks`` is the expected share of blocks in which it gives the same winner (the same set of tied winners where the
    full vote is tied); ``whole`` the probability that this holds in all blocks at once. ``kind`` says how they were
    found: over "all subsets" of the runs, over "sampled subsets", or "extrapolated" from the vote shares.
    """

    k: int
    blocks: float
    whole: float
    kind: str
    subsets: int


def vote_stability(ratings: Ratings | RatingMatrix, *, most_subsets: int = 2000, seed: int = 0) -> list[VoteStability]:
    """For k = 2..n the probability that a vote of k of the runs gives the full vote.

    All subsets are looked at when there are at most ``most_subsets``, else that many are drawn. No tie is broken here.

    >>> [(e.k, round(e.blocks, 3), round(e.whole, 3)) for e in vote_stability([["a", "b"], ["a", "b"], ["b", "b"]])]
    [(2, 0.667, 0.333), (3, 1.0, 1.0)]
    """
    blocks = rating_matrix(ratings, least_blocks=1)
    full = winners_of(blocks.votes.T)
    counts = {k: math.comb(blocks.n_runs, k) for k in range(2, blocks.n_runs + 1)}
    measured = []
    for k, count in counts.items():
        if count <= most_subsets:
            subsets = np.array(list(itertools.combinations(range(blocks.n_runs), k)))
            measured.append(_entry(k, _same_as_full(blocks, subsets, full), "all subsets"))
    sampled = {k for k, count in counts.items() if count > most_subsets}
    if sampled:
        measured += _of_growing_samples(blocks, sampled, full, most_subsets, seed)
    return sorted(measured, key=lambda entry: entry.k)


def _entry(k: int, same: Truths, kind: str) -> VoteStability:
    return VoteStability(k, float(same.mean()), float(same.all(axis=1).mean()), kind, len(same))


def _same_as_full(blocks: RatingMatrix, subsets: Integers, full: Truths) -> Truths:
    """(n_subsets, n_blocks): whether the winners among a subset of the runs are those of ``full``."""
    step = max(1, _VOTES_AT_ONCE // (blocks.n_blocks * blocks.n_labels))
    parts = []
    for start in range(0, len(subsets), step):
        chosen = subsets[start : start + step]
        member = np.zeros((len(chosen), blocks.n_runs))
        np.put_along_axis(member, chosen, 1.0, axis=1)
        votes = np.stack([member @ (blocks.codes == code) for code in range(blocks.n_labels)])
        parts.append((winners_of(votes) == full[:, None]).all(axis=0))
    return np.concatenate(parts)


def _of_growing_samples(blocks: RatingMatrix, ks: set[int], full: Truths, draws: int, seed: int) -> list[VoteStability]:
    """Subsets that grow run by run in ``draws`` random orders, looked at whenever their size is one of ``ks``."""
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(blocks.n_runs), (draws, 1)), axis=1)
    step = max(1, _VOTES_AT_ONCE // (blocks.n_blocks * blocks.n_labels))
    same: dict[int, list[Truths]] = {k: [] for k in ks}
    for start in range(0, draws, step):
        part = orders[start : start + step]
        votes = np.zeros((blocks.n_labels, len(part), blocks.n_blocks), dtype=np.int32)
        at = np.ogrid[: len(part), : blocks.n_blocks]
        for size in range(1, max(ks) + 1):
            votes[blocks.codes[part[:, size - 1]], at[0], at[1]] += 1
            if size in same:
                same[size].append((winners_of(votes) == full[:, None]).all(axis=0))
    return [_entry(k, np.concatenate(parts), "sampled subsets") for k, parts in same.items()]


def winners_of(votes: npt.NDArray[Any]) -> Truths:
    """Where the votes (n_labels, ...) are the most of their block; several where tied."""
    return votes == votes.max(axis=0)


def extrapolate_stability(ratings: Ratings | RatingMatrix, runs: Sequence[int]) -> list[VoteStability]:
    """The same for other numbers of ``runs``, if each block's future runs chose by the vote shares seen so far.

    An extrapolation, and an optimistic one: the shares are themselves estimates from few runs, blocks are taken as
    independent, and a tie stays a tie at best by luck. Blocks whose full vote is tied have no winner to find and are
    left out. Exact, by :func:`plurality_probability`.

    >>> round(extrapolate_stability([["a", "b"], ["a", "b"], ["b", "b"]], [9])[0].blocks, 3)
    0.928
    """
    blocks = rating_matrix(ratings, least_blocks=1)
    shares = np.sort(blocks.votes, axis=1)[:, ::-1] / blocks.n_runs
    untied = shares[(shares[:, 0] > shares[:, 1])] if shares.shape[1] > 1 else shares
    kinds, counts = np.unique(untied.round(12), axis=0, return_counts=True)
    if not len(untied):
        return [VoteStability(k, math.nan, math.nan, "extrapolated", 0) for k in runs]
    extrapolated = []
    for k in runs:
        each = np.array([plurality_probability(kind, k) for kind in kinds])
        share, whole = float(each @ counts / counts.sum()), float(np.prod(each**counts))
        extrapolated.append(VoteStability(k, share, whole, "extrapolated", 0))
    return extrapolated


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


def runs_needed(stability: Sequence[VoteStability], n_runs: int, share: float = 0.95) -> int | None:
    """The least number of runs whose vote, and that of any larger number looked at, gives ``share`` of the blocks.

    Below ``n_runs`` what was measured counts, above it what was extrapolated; ``n_runs`` itself, which matches itself
    by definition, counts only when fewer do. None when no number looked at is enough.
    """
    measured = {entry.k: entry.blocks for entry in stability if entry.kind != "extrapolated" and entry.k < n_runs}
    beyond = {entry.k: entry.blocks for entry in stability if entry.kind == "extrapolated" and entry.k > n_runs}
    for known in (measured, beyond):
        needed = None
        for k in sorted(known, reverse=True):
            if not known[k] >= share:
                break
            needed = k
        if needed is not None:
            return needed
    return None
