"""Chance where blocks differ in what they can choose: within candidate sets, or from each block's own candidates.

A chance level that pools the labels of all blocks counts agreements that no run could have missed: a block of
operations cannot get a number of inputs. *Within candidate sets*, chance is taken among blocks of equal candidates and
averaged over the sets, each as heavy as it has blocks. The *free-marginal* kappa of Brennan and Prediger takes it from
the number of candidates alone: two runs that draw uniformly among q candidates agree with probability 1 / q.

Source: Brennan & Prediger, Educ. Psychol. Meas. 41 (1981) 687, with the q of each block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nas_ctx.analysis.stats.agreement import (
    Parts,
    agreeing_pairs,
    corrected,
    fleiss_parts,
    gwet_parts,
    mean_over_pairs,
)
from nas_ctx.analysis.stats.ratings import Label, RatingMatrix, Ratings, rating_matrix
from nas_ctx.analysis.stats.usage import Products
from nas_ctx.analysis.stats.weights import Weights, once, weights_of_blocks
from nas_ctx.errors import InputError

PartsFunction = Callable[[RatingMatrix, Weights], Parts]


def members_of_sets(blocks: RatingMatrix) -> list[npt.NDArray[np.int64]]:
    """The blocks of each candidate set; all blocks as one where the candidates are not known."""
    if blocks.candidates is None:
        return [np.arange(blocks.n_blocks)]
    return [np.flatnonzero(blocks.candidates.sets == number) for number in np.unique(blocks.candidates.sets)]


def by_set(blocks: RatingMatrix) -> Iterator[tuple[npt.NDArray[np.int64], RatingMatrix]]:
    """The blocks of each candidate set, and the ratings of these blocks, which know how many labels they could have."""
    for members in members_of_sets(blocks):
        part = blocks.of_blocks(members)
        known = part.candidates
        yield members, part if known is None else replace(part, possible=int(known.counts[0]))


def _within(parts: PartsFunction, blocks: RatingMatrix, weights: Weights) -> Parts:
    """Observed minus chance agreement, and what chance leaves, summed over the candidate sets before the division."""
    total, gained, room = weights.sum(axis=1), np.zeros(len(weights)), np.zeros(len(weights))
    for members, part in by_set(blocks):
        here = weights_of_blocks(weights, members)
        size = here.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            agreement = parts(part, here)
        chance = np.where(
            np.isnan(agreement.chance), 1.0, agreement.chance
        )  # a block with one candidate leaves no room
        gained += size * np.where(size > 0, agreement.observed - chance, 0.0)
        room += size * np.where(size > 0, 1 - chance, 0.0)
    observed = weights @ agreeing_pairs(blocks) / (total * blocks.n_runs * (blocks.n_runs - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return Parts(np.where(room > 1e-12 * total, gained / room, np.nan), observed, 1 - room / total)


def fleiss_within_parts(blocks: RatingMatrix, weights: Weights) -> Parts:
    """Fleiss' kappa with its chance level within candidate sets."""
    return _within(fleiss_parts, blocks, weights)


def gwet_within_parts(blocks: RatingMatrix, weights: Weights) -> Parts:
    """Gwet's AC1 with its chance level within candidate sets, each with its own number of candidates."""
    return _within(gwet_parts, blocks, weights)


def light_within_parts(blocks: RatingMatrix, weights: Weights, *, defined_only: bool = False) -> Parts:
    """Light's kappa with the chance level of each pair of runs within candidate sets."""
    rows, runs = blocks.distinct
    sets = [Products(rows.of_blocks(m), weights_of_blocks(weights, m)) for m in members_of_sets(blocks)]
    return mean_over_pairs(rows, runs, weights, sets, defined_only)


def brennan_prediger_parts(blocks: RatingMatrix, weights: Weights) -> Parts:
    """The free-marginal kappa; undefined (nan) where the candidates are not known."""
    if blocks.candidates is None:
        nothing = np.full(len(weights), np.nan)
        return Parts(nothing, nothing, nothing)
    total = weights.sum(axis=1)
    observed = weights @ agreeing_pairs(blocks) / (blocks.n_runs * (blocks.n_runs - 1))
    return corrected(observed, weights @ (1 / blocks.candidates.counts), total)


def brennan_prediger(ratings: Ratings | RatingMatrix, candidates: Sequence[Iterable[Label]] | int) -> float:
    """The free-marginal kappa (p_o - p_e) / (1 - p_e), p_e the mean over the blocks of 1 / (its number of candidates).

    ``candidates`` are those of each block, or one number for all blocks. It supposes nothing about how often a choice
    is used, so that a preference which all runs share counts as agreement. ``nan`` when no block has a choice.

    >>> round(brennan_prediger([["a", "x", "a"], ["a", "y", "b"]], [["a", "b"], ["x", "y", "z"], ["a", "b"]]), 4)
    -0.2
    """
    if isinstance(candidates, int):
        blocks = rating_matrix(ratings)
        if candidates < blocks.n_labels:
            raise InputError(f"candidates is {candidates} but {blocks.n_labels} labels occur")
        blocks = rating_matrix(blocks, candidates=[_numbered(blocks, candidates)] * blocks.n_blocks)
    else:
        blocks = rating_matrix(ratings, candidates=candidates)
    return float(brennan_prediger_parts(blocks, once(blocks)).value[0])


def _numbered(blocks: RatingMatrix, n: int) -> list[Label]:
    """The labels that occur, and as many that do not as ``n`` candidates need."""
    return [*blocks.labels, *(("nobody's", i) for i in range(n - blocks.n_labels))]


def lights_kappa_within(ratings: Ratings | RatingMatrix, candidates: Sequence[Iterable[Label]]) -> float:
    """Light's kappa with chance taken among blocks of equal ``candidates``; ``nan`` when a pair of runs has none.

    Where all blocks have the same candidates it is :func:`~nas_ctx.analysis.lights_kappa`.

    >>> ratings = [["a", "b", 3, 5], ["a", "b", 3, 3], ["a", "a", 3, 5]]
    >>> round(lights_kappa_within(ratings, [["a", "b"]] * 2 + [[3, 5]] * 2), 4)
    0.3333
    """
    blocks = rating_matrix(ratings, candidates=candidates)
    return float(light_within_parts(blocks, once(blocks)).value[0])


def fleiss_kappa_within(ratings: Ratings | RatingMatrix, candidates: Sequence[Iterable[Label]]) -> float:
    """Fleiss' kappa with chance taken among blocks of equal ``candidates``; ``nan`` when each set has one label only.

    >>> ratings = [["a", "b", 3, 5], ["a", "b", 3, 3], ["a", "a", 3, 5]]
    >>> round(fleiss_kappa_within(ratings, [["a", "b"]] * 2 + [[3, 5]] * 2), 4)
    0.25
    """
    blocks = rating_matrix(ratings, candidates=candidates)
    return float(fleiss_within_parts(blocks, once(blocks)).value[0])
