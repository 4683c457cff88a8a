"""The statistics as a list: name, symbol, definition and source of each, so that tables and pages tell the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.deprecated import warn_renamed
from nas_ctx.analysis.stats.agreement import (
    Parts,
    conger_parts,
    fleiss_parts,
    gwet_parts,
    krippendorff_parts,
    light_parts,
    percentage_parts,
)
from nas_ctx.analysis.stats.candidate_sets import (
    brennan_prediger_parts,
    fleiss_within_parts,
    gwet_within_parts,
    light_within_parts,
)
from nas_ctx.analysis.stats.ratings import Floats, RatingMatrix, Ratings, rating_matrix
from nas_ctx.analysis.stats.weights import Weights, once


@dataclass(frozen=True)
class Statistic:
    """One agreement statistic: ``key`` in files, ``name`` for readers, definition, source, its ``bounds``, whether it
    takes ``missing`` ratings, over what its ``chance`` level is taken (the labels of all blocks "pooled", "within"
    candidate sets, or the "candidates" of each block alone), and whether it is a mean ``over_pairs`` of runs."""

    key: str
    name: str
    parts: Callable[[RatingMatrix, Weights], Parts]
    definition: str
    source: str
    bounds: tuple[float, float] = (-1.0, 1.0)
    missing: bool = False
    chance: str = "pooled"
    over_pairs: bool = False

    def values(self, ratings: Ratings | RatingMatrix, weights: Weights | None = None) -> Floats:
        """Its value for each row of ``weights`` (n_draws, n_blocks), by default once with every block counting once."""
        blocks = rating_matrix(ratings, missing=self.missing, least_blocks=1)
        return self.parts(blocks, once(blocks) if weights is None else weights).value

    def of(self, blocks: RatingMatrix, weights: Weights | None = None) -> Floats:
        """The former name of :meth:`values`."""
        warn_renamed("Statistic.of", "Statistic.values")
        return self.values(blocks, weights)


PERCENTAGE = Statistic(
    "percentage_agreement",
    "Percentage agreement",
    percentage_parts,
    "Share of all (pair of runs, block) in which both runs made the same choice. Its chance level is what runs would "
    "reach that use each choice as often as these do, but in blocks picked at random.",
    "Brüggemann et al., ICCV 2021, supplement F",
    bounds=(0.0, 1.0),
    over_pairs=True,
)
LIGHT = Statistic(
    "lights_kappa",
    "Light's kappa",
    light_parts,
    "Mean over all pairs of runs of Cohen's kappa (p_o − p_e) / (1 − p_e), where p_e multiplies the two runs' own "
    "shares of each choice. Undefined (0/0) when both runs of a pair used the same choice throughout.",
    "Light, Psychological Bulletin 76 (1971) 365; Cohen, Educational and Psychological Measurement 20 (1960) 37",
    over_pairs=True,
)
CONGER = Statistic(
    "congers_kappa",
    "Conger's kappa",
    conger_parts,
    "(p_o − p_e) / (1 − p_e) with both terms averaged over pairs of runs before the division; for two runs it is "
    "Cohen's kappa.",
    "Conger, Psychological Bulletin 88 (1980) 322",
)
FLEISS = Statistic(
    "fleiss_kappa",
    "Fleiss' kappa",
    fleiss_parts,
    "(p_o − p_e) / (1 − p_e), where p_e squares the shares of the choices pooled over all runs.",
    "Fleiss, Psychological Bulletin 76 (1971) 378",
)
KRIPPENDORFF = Statistic(
    "krippendorff_alpha",
    "Krippendorff's alpha",
    krippendorff_parts,
    "1 − observed / expected disagreement, nominal; the expectation draws without replacement, which corrects for few "
    "ratings, and missing ratings are allowed.",
    "Krippendorff, Educational and Psychological Measurement 30 (1970) 61",
    missing=True,
)
GWET = Statistic(
    "gwets_ac1",
    "Gwet's AC1",
    gwet_parts,
    "(p_o − p_e) / (1 − p_e) with p_e = Σ π(1 − π) / (q − 1) for q choices; it does not collapse when one choice is "
    "used nearly everywhere.",
    "Gwet, British Journal of Mathematical and Statistical Psychology 61 (2008) 29",
)

_WITHIN = "Its chance level is taken among blocks of equal candidates, and averaged over these sets of blocks."
LIGHT_WITHIN = Statistic(
    "lights_kappa_within",
    "Light's kappa within candidate sets",
    light_within_parts,
    f"As Light's kappa. {_WITHIN} A block whose candidates no other block has adds nothing to it.",
    LIGHT.source,
    chance="within",
    over_pairs=True,
)
FLEISS_WITHIN = Statistic(
    "fleiss_kappa_within",
    "Fleiss' kappa within candidate sets",
    fleiss_within_parts,
    f"As Fleiss' kappa. {_WITHIN}",
    FLEISS.source,
    chance="within",
)
GWET_WITHIN = Statistic(
    "gwets_ac1_within",
    "Gwet's AC1 within candidate sets",
    gwet_within_parts,
    f"As Gwet's AC1. {_WITHIN}",
    GWET.source,
    chance="within",
)
BRENNAN_PREDIGER = Statistic(
    "brennan_prediger",
    "Brennan-Prediger kappa",
    brennan_prediger_parts,
    "(p_o − p_e) / (1 − p_e), where p_e is the mean over the blocks of 1 / (number of candidates): what runs would "
    "agree on that draw uniformly. A preference that all runs share counts as agreement.",
    "Brennan & Prediger, Educational and Psychological Measurement 41 (1981) 687",
    chance="candidates",
    over_pairs=True,
)

STATISTICS = (PERCENTAGE, LIGHT, CONGER, FLEISS, KRIPPENDORFF, GWET)
"""Those whose chance level is pooled over all blocks."""
WITHIN = (LIGHT_WITHIN, FLEISS_WITHIN, GWET_WITHIN)


def statistics_for(blocks: RatingMatrix) -> tuple[Statistic, ...]:
    """Those that say something about ``blocks``: the pooled ones, and by what is known of the candidates the others."""
    if blocks.candidates is None:
        return STATISTICS
    return (*STATISTICS, *(() if blocks.candidates.alike else WITHIN), BRENNAN_PREDIGER)


def leading(blocks: RatingMatrix) -> Statistic:
    """The kappa that a report rests on: Light's, unless blocks differ in their candidates; then Light's within
    candidate sets, or Brennan and Prediger's where a block's candidates are its own, so that a set of one block is all
    there is to estimate chance from."""
    if blocks.candidates is None or blocks.candidates.alike:
        return LIGHT
    smallest = np.unique(blocks.candidates.sets, return_counts=True)[1].min()
    return LIGHT_WITHIN if smallest > 1 else BRENNAN_PREDIGER


SCALE = (
    (0.0, "poor"),
    (0.2, "slight"),
    (0.4, "fair"),
    (0.6, "moderate"),
    (0.8, "substantial"),
    (1.0, "almost perfect"),
)
SCALE_SOURCE = "Landis & Koch, Biometrics 33 (1977) 159"


def landis_koch(kappa: float) -> str:
    """The word that Landis and Koch gave to a kappa: a convention of 1977, not a finding.

    >>> landis_koch(0.48), landis_koch(-0.1), landis_koch(0.81)
    ('moderate', 'poor', 'almost perfect')
    """
    if kappa != kappa:
        return "undefined"
    if kappa < 0:
        return "poor"
    return next(word for bound, word in SCALE[1:] if kappa <= bound + 1e-12)
