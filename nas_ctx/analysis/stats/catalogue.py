"""The statistics as a list: name, symbol, definition and source of each, so that tables and pages tell the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nas_ctx.analysis.deprecated import warn_renamed
from nas_ctx.analysis.stats.agreement import (
    Parts,
    conger_parts,
    fleiss_parts,
    gwet_parts,
    krippendorff_parts,
    light_parts,
    once,
    percentage_parts,
)
from nas_ctx.analysis.stats.ratings import Floats, RatingMatrix, Ratings, rating_matrix


@dataclass(frozen=True)
class Statistic:
    """One agreement statistic: ``key`` in files, ``name`` for readers, definition, source, its ``bounds``,
    and whether it takes ``missing`` ratings."""

    key: str
    name: str
    parts: Callable[[RatingMatrix, Floats], Parts]
    definition: str
    source: str
    bounds: tuple[float, float] = (-1.0, 1.0)
    missing: bool = False

    def values(self, ratings: Ratings | RatingMatrix, weights: Floats | None = None) -> Floats:
        """Its value for each row of ``weights`` (n_draws, n_blocks), by default once with every block counting once."""
        blocks = rating_matrix(ratings, missing=self.missing, least_blocks=1)
        return self.parts(blocks, once(blocks) if weights is None else weights).value

    def of(self, blocks: RatingMatrix, weights: Floats | None = None) -> Floats:
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
)
LIGHT = Statistic(
    "lights_kappa",
    "Light's kappa",
    light_parts,
    "Mean over all pairs of runs of Cohen's kappa (p_o − p_e) / (1 − p_e), where p_e multiplies the two runs' own "
    "shares of each choice. Undefined (0/0) when both runs of a pair used the same choice throughout.",
    "Light, Psychological Bulletin 76 (1971) 365; Cohen, Educational and Psychological Measurement 20 (1960) 37",
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

STATISTICS = (PERCENTAGE, LIGHT, CONGER, FLEISS, KRIPPENDORFF, GWET)

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
