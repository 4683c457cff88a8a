"""A permutation test of percentage agreement against chance.

Source: Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39 (a Monte-Carlo p value counts the observed
arrangement too).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.agreement import once, percentage_parts
from nas_ctx.analysis.stats.ratings import Floats, Integers, RatingMatrix, Ratings, rating_matrix
from nas_ctx.errors import InputError

_LABELS_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class ChanceTest:
    """A test of percentage agreement against runs that ignore the blocks.

    ``p`` is the probability of at least the observed agreement; ``exact`` whether all arrangements were counted, and
    ``arrangements`` how many were looked at; ``expected`` and ``upper`` are the mean of the chance agreement and its
    95th percentile.
    """

    p: float
    exact: bool
    arrangements: int
    expected: float
    upper: float


def chance_test(
    ratings: Ratings | RatingMatrix, *, draws: int = 2000, seed: int = 0, exact_up_to: int = 50_000
) -> ChanceTest:
    """Permute every run's labels over the blocks and count how often agreement is at least as high as observed.

    Each run keeps how often it used each label, so what is tested is whether runs agree on *where* to use them. All
    chance-corrected statistics whose chance level depends on those frequencies only (Fleiss, Conger, Gwet,
    Krippendorff) rank arrangements as percentage agreement does and have this same p value. Exact when there are at
    most ``exact_up_to`` arrangements (run 0 can stay put); else Monte Carlo with p = (1 + hits) / (1 + draws).

    >>> chance_test([["a", "b", "c"], ["a", "b", "c"]]).p == 1 / 6
    True
    """
    blocks = rating_matrix(ratings)
    check_draws(draws)
    observed = percentage_parts(blocks, once(blocks)).value[0]
    count = math.factorial(min(blocks.n_blocks, 20)) ** (blocks.n_runs - 1)
    exact = count <= exact_up_to
    agreements = _all_arrangements(blocks) if exact else _random_arrangements(blocks, draws, seed)
    hits = int((agreements >= observed - 1e-12).sum())
    p = hits / len(agreements) if exact else (1 + hits) / (1 + len(agreements))
    return ChanceTest(
        p, exact, len(agreements), float(agreements.mean()), float(np.quantile(agreements, 0.95, method="inverted_cdf"))
    )


def _all_arrangements(blocks: RatingMatrix) -> Floats:
    orders = np.array(list(itertools.permutations(range(blocks.n_blocks))))
    agreements = []
    for chosen in itertools.product(range(len(orders)), repeat=blocks.n_runs - 1):
        moved = [blocks.codes[0], *(blocks.codes[r + 1][orders[c]] for r, c in enumerate(chosen))]
        agreements.append(np.stack(moved))
    return _agreements(np.stack(agreements), blocks.n_labels)


def _random_arrangements(blocks: RatingMatrix, draws: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    step = max(1, _LABELS_AT_ONCE // blocks.codes.size)
    parts = []
    for start in range(0, draws, step):
        repeated = np.broadcast_to(blocks.codes, (min(step, draws - start), *blocks.codes.shape))
        parts.append(_agreements(rng.permuted(repeated, axis=2), blocks.n_labels))
    return np.concatenate(parts)


def _agreements(codes: Integers, n_labels: int) -> Floats:
    """Percentage agreement of each of (n_draws, n_runs, n_blocks)."""
    n_draws, n_runs, n_blocks = codes.shape
    pairs = np.zeros(n_draws)
    for code in range(n_labels):
        votes = (codes == code).sum(axis=1)
        pairs += (votes * (votes - 1)).sum(axis=1)
    return pairs / (n_blocks * n_runs * (n_runs - 1))


def check_draws(draws: int) -> None:
    """Refuse what is not a number of Monte-Carlo draws."""
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise InputError(f"draws must be a whole number from 1, got {draws!r}")
