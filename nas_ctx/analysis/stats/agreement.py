"""The agreement statistics, each from its observed agreement and from the agreement that chance would give.

Every function ``<name>_parts(matrix, weights)`` gives observed and chance agreement for many weightings of the blocks
at once, ``weights`` (n_draws, n_blocks) being whole numbers. The plain statistic counts each block once, the jackknife
leaves one out, a resample counts some twice: the estimate and its interval cannot drift apart.

All counts are whole numbers below 2**53 and hence exact in float64, so 0/0 is recognised exactly. It gives ``nan``.

Sources: Cohen, Educ. Psychol. Meas. 20 (1960) 37; Light, Psychol. Bull. 76 (1971) 365; Fleiss, Psychol. Bull. 76 (1971)
378; Conger, Psychol. Bull. 88 (1980) 322; Krippendorff, Educ. Psychol. Meas. 30 (1970) 61; Gwet, Br. J. Math. Stat.
Psychol. 61 (2008) 29.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.ratings import Floats, Integers, RatingMatrix, Ratings, rating_matrix
from nas_ctx.analysis.stats.usage import Products, sum_of_squares
from nas_ctx.analysis.stats.weights import Weights, once
from nas_ctx.errors import InputError

_PAIRS_AT_ONCE = 1 << 22  # numbers per chunk of (draws x pairs): 32 MiB of float64


@dataclass(frozen=True)
class Parts:
    """Observed and chance agreement and the statistic made of them, each of shape (n_draws,)."""

    value: Floats
    observed: Floats
    chance: Floats


def corrected(observed: Floats, chance: Floats, scale: Floats | float) -> Parts:
    """(observed - chance) / (1 - chance) from numbers that share one ``scale``; 0/0 is nan."""
    room = scale - chance
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(room > 0, (observed - chance) / room, np.nan)
        return Parts(value, observed / scale, chance / scale)


def agreeing_pairs(blocks: RatingMatrix) -> Floats:
    """(n_blocks,): how many ordered pairs of runs agree on each block."""
    return (blocks.votes * (blocks.votes - 1)).sum(axis=1)


def _observed(blocks: RatingMatrix, weights: Weights) -> tuple[Floats, Floats]:
    """Agreeing ordered pairs per draw, and the number of all ordered pairs per draw."""
    total = weights.sum(axis=1)
    return weights @ agreeing_pairs(blocks), total * blocks.n_runs * (blocks.n_runs - 1)


def conger_parts(blocks: RatingMatrix, weights: Weights) -> Parts:
    observed, pairs = _observed(blocks, weights)
    chance = ((weights @ blocks.votes) ** 2).sum(axis=1) - sum_of_squares(blocks, weights)
    total = weights.sum(axis=1)
    return corrected(observed * total, chance, pairs * total)


def percentage_parts(blocks: RatingMatrix, weights: Weights) -> Parts:
    parts = conger_parts(blocks, weights)
    return Parts(parts.observed, parts.observed, parts.chance)


def fleiss_parts(blocks: RatingMatrix, weights: Weights) -> Parts:
    observed, _ = _observed(blocks, weights)
    n = blocks.n_runs
    total = weights.sum(axis=1)
    pooled = weights @ blocks.votes
    # Both sides over (total * n)^2 * (n - 1).
    return corrected(observed * total * n, (pooled**2).sum(axis=1) * (n - 1), (total * n) ** 2 * (n - 1))


def gwet_parts(blocks: RatingMatrix, weights: Weights, n_labels: int | None = None) -> Parts:
    observed, pairs = _observed(blocks, weights)
    categories = blocks.n_categories if n_labels is None else n_labels
    ratings = weights.sum(axis=1) * blocks.n_runs
    if categories < 2:
        nothing = np.full(len(weights), np.nan)
        return Parts(nothing, observed / pairs, nothing)
    pooled = weights @ blocks.votes
    chance = (pooled * (ratings[:, None] - pooled)).sum(axis=1) / (ratings**2 * (categories - 1))
    return corrected(observed / pairs, chance, 1.0)


def krippendorff_parts(blocks: RatingMatrix, weights: Weights) -> Parts:
    per_block = blocks.votes.sum(axis=1)
    pairable = per_block >= 2
    votes = np.where(pairable[:, None], blocks.votes, 0.0)
    within = np.where(pairable, (votes * (votes - 1)).sum(axis=1) / np.maximum(per_block - 1, 1), 0.0)
    pooled = weights @ votes
    total = pooled.sum(axis=1)
    chance_pairs = (pooled * (pooled - 1)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = (weights @ within) / total
        chance = chance_pairs / (total * (total - 1))
        value = np.where(total * (total - 1) > chance_pairs, (observed - chance) / (1 - chance), np.nan)
    return Parts(value, observed, chance)


def _cohen_by_run(
    blocks: RatingMatrix, runs: Integers, weights: Weights, sets: Sequence[Products]
) -> Iterator[tuple[Floats, Parts]]:
    """Cohen's kappa of each row with itself and all later ones: how many pairs of runs, and parts (n_rows, n_draws).

    Row r of ``blocks`` is that of ``runs[r]`` runs. The chance level is taken within each of the ``sets`` of blocks and
    added up; one set is all blocks pooled.
    """
    total = weights.sum(axis=1)
    step = max(1, _PAIRS_AT_ONCE // max(len(weights), blocks.n_blocks))
    for row in range(blocks.n_runs):
        alone = int(runs[row] == 1)  # one run makes no pair with itself
        for start in range(row + alone, blocks.n_runs, step):
            later = slice(start, start + step)
            pairs = (runs[row] * runs[later]).astype(np.float64)
            if start == row:
                pairs[0] = runs[row] * (runs[row] - 1) / 2
            same = (blocks.codes[row] == blocks.codes[later]).T.astype(np.float64)
            agree = (weights @ same).T
            if len(sets) == 1:  # all in whole numbers
                yield pairs, corrected(agree * total, sets[0].of(row, later), total**2)
            else:
                shared = np.zeros_like(agree)
                for part in sets:
                    shared += np.divide(part.of(row, later), part.size, out=np.zeros_like(agree), where=part.size > 0)
                yield pairs, corrected(agree, shared, total)


def light_parts(blocks: RatingMatrix, weights: Weights, *, defined_only: bool = False) -> Parts:
    """Light's kappa; with ``defined_only`` the mean leaves pairs without a kappa out instead of being nan."""
    rows, runs = blocks.distinct
    return mean_over_pairs(rows, runs, weights, [Products(rows, weights)], defined_only)


def mean_over_pairs(
    blocks: RatingMatrix, runs: Integers, weights: Weights, sets: Sequence[Products], defined_only: bool
) -> Parts:
    """The mean over all pairs of runs of Cohen's kappa, its chance level taken within each of the ``sets``.

    Row r of ``blocks`` is that of ``runs[r]`` runs.
    """
    value, observed, chance, undefined = (np.zeros(len(weights)) for _ in range(4))
    for several, parts in _cohen_by_run(blocks, runs, weights, sets):
        times = several[:, None]
        value += (np.nansum if defined_only else np.sum)(times * parts.value, axis=0)
        undefined += (times * np.isnan(parts.value)).sum(axis=0) if defined_only else 0
        observed += (times * parts.observed).sum(axis=0)
        chance += (times * parts.chance).sum(axis=0)
    pairs = runs.sum() * (runs.sum() - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return Parts(value / (pairs - undefined), observed / pairs, chance / pairs)


def pair_indices(n_runs: int) -> tuple[Integers, Integers]:
    """The unordered pairs of runs, first and second member: shape (n_runs * (n_runs - 1) / 2,) each."""
    first, second = np.triu_indices(n_runs, k=1)
    return first.astype(np.int64), second.astype(np.int64)


def percentage_agreement(ratings: Ratings | RatingMatrix) -> float:
    """The share of (pair of runs, block) on which both runs made the same choice, 0 to 1.

    ``ratings`` (n_runs, n_blocks) holds labels of any hashable type. The paper counts this (supplement, section F).

    >>> percentage_agreement([["local", "none"], ["local", "none"], ["local", "global"]])
    0.6666666666666666
    """
    return _value(ratings, percentage_parts)


def cohens_kappa(ratings: Ratings | RatingMatrix) -> Floats:
    """Cohen's kappa of every pair of runs: (n_runs, n_runs), symmetric, 1 on the diagonal.

    kappa = (p_o - p_e) / (1 - p_e), where p_e = sum over labels of the product of the two runs' shares of that label.
    A pair that used the same label throughout is 0/0 and gives ``nan``, also on the diagonal. All pairs come out of one
    matrix product per label. Cohen 1960.

    >>> cohens_kappa([["a", "a", "b", "b"], ["a", "b", "b", "b"]]).round(3).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    blocks = rating_matrix(ratings)
    agree, chance = pair_counts(blocks)
    return corrected(agree * blocks.n_blocks, chance, float(blocks.n_blocks) ** 2).value


def pair_counts(blocks: RatingMatrix) -> tuple[Floats, Floats]:
    """On how many blocks each two runs agree, and the sum over labels of the product of their label counts.

    Both (n_runs, n_runs).
    """
    agree = np.zeros((blocks.n_runs, blocks.n_runs))
    exact = np.float32 if blocks.n_blocks < 1 << 24 else np.float64  # whole numbers below 2**24 are exact in float32
    if blocks.codes.size * blocks.n_labels <= 1 << 20:
        flat = (blocks.codes[:, :, None] == np.arange(blocks.n_labels)).reshape(blocks.n_runs, -1).astype(exact)
        agree += flat @ flat.T
    else:
        for code in range(blocks.n_labels):
            chosen = (blocks.codes == code).astype(exact)
            agree += chosen @ chosen.T
    return agree, blocks.usage @ blocks.usage.T


def lights_kappa(ratings: Ratings | RatingMatrix) -> float:
    """Light's kappa: the mean of Cohen's kappa over all pairs of runs; ``nan`` when a pair has none. Light 1971.

    >>> round(lights_kappa([["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "a", "b", "b"]]), 4)
    0.6667
    """
    blocks = rating_matrix(ratings)
    kappas = cohens_kappa(blocks)[pair_indices(blocks.n_runs)]
    return float(kappas.mean())


def fleiss_kappa(ratings: Ratings | RatingMatrix) -> float:
    """Fleiss' kappa: chance agreement from the labels of all runs pooled; ``nan`` when only one label occurs.

    Fleiss 1971.

    >>> round(fleiss_kappa([["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "a", "b", "b"]]), 4)
    0.6571
    """
    return _value(ratings, fleiss_parts)


def congers_kappa(ratings: Ratings | RatingMatrix) -> float:
    """Conger's kappa: as Fleiss', but chance agreement from each pair of runs' own label shares. Conger 1980.

    With two runs it is Cohen's kappa.

    >>> round(congers_kappa([["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "a", "b", "b"]]), 4)
    0.6667
    """
    return _value(ratings, conger_parts)


def gwets_ac1(ratings: Ratings | RatingMatrix, *, n_labels: int | None = None) -> float:
    """Gwet's AC1: chance agreement sum p (1 - p) / (q - 1), which stays small when one label dominates. Gwet 2008.

    ``n_labels`` is q, how many choices there were; by default how many occur. ``nan`` when q is 1.

    >>> round(gwets_ac1([["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "a", "b", "b"]]), 4)
    0.6757
    """
    blocks = rating_matrix(ratings)
    if n_labels is not None and n_labels < blocks.n_labels:
        raise InputError(f"n_labels is {n_labels} but {blocks.n_labels} labels occur")
    return float(gwet_parts(blocks, once(blocks), n_labels).value[0])


def krippendorff_alpha(ratings: Ratings | RatingMatrix) -> float:
    """Krippendorff's alpha for nominal labels; ``None`` or NaN is a missing rating. Krippendorff 1970.

    A block with fewer than two ratings does not count. ``nan`` when only one label is left (0/0).

    >>> round(krippendorff_alpha([["a", "a", "b", "b"], ["a", "b", "b", None], ["a", "a", "b", "b"]]), 4)
    0.6667
    """
    return _value(ratings, krippendorff_parts, missing=True)


def _value(
    ratings: Ratings | RatingMatrix, parts: Callable[[RatingMatrix, Weights], Parts], *, missing: bool = False
) -> float:
    blocks = rating_matrix(ratings, missing=missing)
    return float(parts(blocks, once(blocks)).value[0])
