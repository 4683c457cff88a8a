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
_MOST_SIZES = 60  # numbers of runs that are looked at, spread evenly over all
_MOST_WORK = 10**8  # votes that are counted for sampled subsets; fewer subsets of larger tables
_LEAST_SUBSETS = 100
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
    """For k = 2..n the probability that a vote of k of the runs gives the full vote; of many runs for 60 of these k.

    All subsets are looked at when there are at most ``most_subsets``, else that many are drawn, of large tables fewer
    down to 100. No tie is broken here.

    >>> [(e.k, round(e.blocks, 3), round(e.whole, 3)) for e in vote_stability([["a", "b"], ["a", "b"], ["b", "b"]])]
    [(2, 0.667, 0.333), (3, 1.0, 1.0)]
    """
    blocks = rating_matrix(ratings, least_blocks=1)
    full = winners_of(blocks.votes.T)
    n = blocks.n_runs
    sizes = np.unique(np.linspace(2, n, min(n - 1, _MOST_SIZES)).round().astype(int)).tolist() if n > 1 else []
    counts = {k: math.comb(n, k) for k in sizes}
    measured = []
    for k, count in counts.items():
        if count <= most_subsets:
            subsets = np.array(list(itertools.combinations(range(blocks.n_runs), k)))
            measured.append(_entry(k, _same_as_full(blocks, subsets, full), "all subsets"))
    sampled = {k for k, count in counts.items() if count > most_subsets}
    if sampled:
        work = blocks.codes.size + len(sampled) * blocks.n_blocks * blocks.n_labels  # of one subset
        draws = min(most_subsets, max(_LEAST_SUBSETS, _MOST_WORK // work))
        measured += _of_growing_samples(blocks, sampled, full, draws, seed)
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
    rng = np.random.default_rng(seed)
    step = max(1, _VOTES_AT_ONCE // max(blocks.n_blocks * blocks.n_labels, blocks.n_runs))
    same: dict[int, list[Truths]] = {k: [] for k in ks}
    for start in range(0, draws, step):
        part = rng.permuted(np.tile(np.arange(blocks.n_runs), (min(step, draws - start), 1)), axis=1)
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
    if not len(untied):
        return [VoteStability(k, math.nan, math.nan, "extrapolated", 0) for k in runs]
    kinds, counts = np.unique(untied.round(12), axis=0, return_counts=True)
    extrapolated = []
    for k in runs:
        each = _plurality_probabilities(kinds, k)
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
    return float(_plurality_probabilities(np.asarray(shares, dtype=np.float64)[None], k)[0])


def _plurality_probabilities(kinds: Floats, k: int) -> Floats:
    """(n_kinds,): :func:`plurality_probability` of each row of shares (n_kinds, n_choices)."""
    with np.errstate(divide="ignore"):
        logs = np.log(kinds)
    log_factorial = np.array([math.lgamma(i + 1) for i in range(k + 1)])
    total = np.zeros(len(kinds))
    for a in range(1, k + 1):
        left = k - a  # votes for the others, none of which gets a of them
        product = np.zeros((len(kinds), left + 1))
        product[:, 0] = 1.0
        for share in logs[:, 1:].T:
            grown = product.copy()  # the term of no vote
            for j in range(1, min(a, left + 1)):
                grown[:, j:] += np.exp(j * share - log_factorial[j])[:, None] * product[:, : left + 1 - j]
            product = grown
        total += np.exp(log_factorial[k] + a * logs[:, 0] - log_factorial[a]) * product[:, left]
    return np.minimum(total, 1.0).round(15)


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
