"""A permutation test of percentage agreement against chance.

Choices are moved among blocks of equal candidates only: a run that permutes must be one that could have been.

Source: Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39 (a Monte-Carlo p value counts the observed
arrangement too).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.agreement import percentage_parts
from nas_ctx.analysis.stats.candidate_sets import members_of_sets
from nas_ctx.analysis.stats.ratings import Floats, Integers, Label, RatingMatrix, Ratings, rating_matrix
from nas_ctx.analysis.stats.weights import once
from nas_ctx.errors import InputError

SIGNIFICANCE = 0.05
LEAST_DRAWS = round(1 / SIGNIFICANCE)
"""Fewer draws cannot give a p value below :data:`SIGNIFICANCE`, since the observed arrangement counts as one more."""
_LABELS_AT_ONCE = 1 << 21
_MOST_WORK = 10**8  # choices that are moved; fewer arrangements of larger tables are drawn
_LEAST_ARRANGEMENTS = 200


@dataclass(frozen=True)
class ChanceTest:
    """A test of percentage agreement against runs that ignore the blocks.

    ``p`` is the probability of at least the observed agreement; ``exact`` whether all arrangements were counted, and
    ``arrangements`` how many were looked at; ``expected`` and ``upper`` are the mean of the chance agreement and its
    95th percentile. ``least_p`` is the p value of the arrangement that agrees most: what the test can reach at all.
    """

    p: float
    exact: bool
    arrangements: int
    expected: float
    upper: float
    least_p: float

    @property
    def can_tell(self) -> bool:
        """Whether the test can come below :data:`SIGNIFICANCE` with these runs' uses of the choices."""
        return self.least_p < SIGNIFICANCE


def chance_test(
    ratings: Ratings | RatingMatrix,
    *,
    candidates: Sequence[Iterable[Label]] | None = None,
    draws: int = 2000,
    seed: int = 0,
    exact_up_to: int = 50_000,
) -> ChanceTest:
    """Permute every run's labels over the blocks and count how often agreement is at least as high as observed.

    Each run keeps how often it used each label, so what is tested is whether runs agree on *where* to use them. Where
    the ``candidates`` of each block are given, labels move among blocks of equal candidates only. All chance-corrected
    statistics whose chance level depends on those frequencies only (Fleiss, Conger, Gwet, Krippendorff) rank
    arrangements as percentage agreement does and have this same p value. Exact when there are at most ``exact_up_to``
    arrangements (run 0 can stay put); else Monte Carlo with p = (1 + hits) / (1 + draws). Tables of more than 50 000
    choices get fewer ``draws``, down to 200; ``arrangements`` tells how many.

    >>> chance_test([["a", "b", "c"], ["a", "b", "c"]]).p == 1 / 6
    True
    >>> chance_test([["a", "b", 3], ["a", "b", 3]], candidates=[["a", "b"], ["b", "a"], [3, 5]]).p
    0.5
    """
    blocks = rating_matrix(ratings, candidates=candidates, least_blocks=1)
    check_draws(draws)
    observed = percentage_parts(blocks, once(blocks)).value[0]
    sets = members_of_sets(blocks)
    log_count = (blocks.n_runs - 1) * sum(math.lgamma(len(members) + 1) for members in sets)
    exact = log_count <= math.log(exact_up_to) + 1e-9 if exact_up_to else False
    most = max(_LEAST_ARRANGEMENTS, _MOST_WORK // blocks.codes.size)
    agreements = (
        _all_arrangements(blocks, sets) if exact else _random_arrangements(blocks, sets, min(draws, most), seed)
    )
    one_more = 0 if exact else 1  # the observed one is among all, but not among the drawn

    def p_of(agreement: float) -> float:
        return float((one_more + (agreements >= agreement - 1e-12).sum()) / (one_more + len(agreements)))

    upper = float(np.quantile(agreements, 0.95, method="inverted_cdf"))
    least_p = p_of(max(observed, agreements.max()))
    return ChanceTest(p_of(observed), exact, len(agreements), float(agreements.mean()), upper, least_p)


def _all_arrangements(blocks: RatingMatrix, sets: Sequence[Integers]) -> Floats:
    """Every order of each run but the first, the product of the orders within the sets."""
    orders = []
    for parts in itertools.product(*(itertools.permutations(members.tolist()) for members in sets)):
        order = np.empty(blocks.n_blocks, dtype=np.int64)
        for members, part in zip(sets, parts, strict=True):
            order[members] = part
        orders.append(order)
    agreements = []
    for chosen in itertools.product(orders, repeat=blocks.n_runs - 1):
        agreements.append(np.stack([blocks.codes[0], *(blocks.codes[r + 1][c] for r, c in enumerate(chosen))]))
    return _agreements(np.stack(agreements), blocks.n_labels)


def _random_arrangements(blocks: RatingMatrix, sets: Sequence[Integers], draws: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    step = max(1, _LABELS_AT_ONCE // blocks.codes.size)
    codes = blocks.codes.astype(np.min_scalar_type(blocks.n_labels))  # small numbers are moved faster
    parts = []
    for start in range(0, draws, step):
        moved = np.repeat(codes[None], min(step, draws - start), axis=0)
        for members in sets:
            if len(members) > 1:
                moved[:, :, members] = rng.permuted(moved[:, :, members], axis=2)
        parts.append(_agreements(moved, blocks.n_labels))
    return np.concatenate(parts)


def _agreements(codes: Integers, n_labels: int) -> Floats:
    """Percentage agreement of each of (n_draws, n_runs, n_blocks)."""
    n_draws, n_runs, n_blocks = codes.shape
    pairs = np.zeros(n_draws)
    for code in range(n_labels) if n_labels <= n_runs else ():
        votes = (codes == code).sum(axis=1, dtype=np.int32)
        pairs += (votes.astype(np.float64) * (votes - 1)).sum(axis=1)
    if n_labels > n_runs:  # each run with those before it
        for run in range(n_runs):
            pairs += 2 * (codes[:, :run] == codes[:, run : run + 1]).sum(axis=(1, 2))
    return pairs / (n_blocks * n_runs * (n_runs - 1))


def check_draws(draws: int) -> None:
    """Refuse what is not a number of Monte-Carlo draws, or too few for a p value below :data:`SIGNIFICANCE`."""
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < LEAST_DRAWS:
        raise InputError(
            f"draws must be a whole number from {LEAST_DRAWS} (fewer cannot give p < {SIGNIFICANCE}), got {draws!r}"
        )
