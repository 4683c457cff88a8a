"""What an exchange costs: differences of scores on the same images, with intervals over images and runs.

A score need not be a mean over images (mIoU, odsF, a root of a mean), so its uncertainty over images is the jackknife's
(Tukey 1958): the score of all images but one, for every one. For a mean that is the paired t interval.

Several runs are the independent units. They share their images, so the uncertainty over images does not shrink with
their number: the variances over runs and over images are added, which is cautious by the part that both contain (Owen,
"The pigeonhole bootstrap", Ann. Appl. Stat. 1 (2007) 386); degrees of freedom by Satterthwaite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nas_ctx.analysis.stats.ratings import Floats
from nas_ctx.errors import InputError


@dataclass(frozen=True)
class Scores:
    """A score of all images, and ``left_out`` (images,) of all but each one."""

    value: float
    left_out: Floats

    @classmethod
    def of_mean(cls, per_image: Floats) -> Scores:
        """Of a score that is the mean over images.

        >>> Scores.of_mean(np.array([1.0, 2.0, 6.0])).left_out.tolist()
        [4.0, 3.5, 1.5]
        """
        values = np.asarray(per_image, dtype=np.float64)
        return cls(float(values.mean()), (values.sum() - values) / (len(values) - 1))


@dataclass(frozen=True)
class RunExchange:
    """What was measured in one run.

    Attributes:
        run: its name.
        voted: block -> the candidate that all others were exchanged for; the rest of the network had the voted ones.
        higher_is_better: block -> direction of its target's score.
        scores: block -> candidate -> score of the block's target with it.
    """

    run: str
    voted: Mapping[str, str]
    higher_is_better: Mapping[str, bool]
    scores: Mapping[str, Mapping[str, Scores]]

    def losses(self, block: str) -> dict[str, Scores]:
        """Candidate -> by how many percent of the voted one's score its target is worse with it; without the voted."""
        sign = 1.0 if self.higher_is_better[block] else -1.0
        before = self.scores[block][self.voted[block]]
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                name: Scores(
                    100 * sign * float(np.divide(before.value - after.value, abs(before.value))),
                    100 * sign * (before.left_out - after.left_out) / np.abs(before.left_out),
                )
                for name, after in self.scores[block].items()
                if name != self.voted[block]
            }


@dataclass(frozen=True)
class Effect:
    """A loss in percent of the score; positive where the voted candidate is better.

    Attributes:
        mean: over runs.
        error: standard error, over runs and images.
        degrees: of freedom of the error; nan where there is none.
        by_run: of each run.
    """

    mean: float
    error: float
    degrees: float
    by_run: tuple[float, ...]

    def interval(self, level: float = 0.95, tests: int = 1) -> tuple[float, float]:
        """Student's interval; of ``tests`` that are to hold together, each has the level ``level ** (1 / tests)``."""
        if not self.degrees > 0:
            return math.nan, math.nan
        half = self.error * float(stats.t.ppf((1 + level ** (1 / tests)) / 2, self.degrees))
        return self.mean - half, self.mean + half


def effect(losses: Sequence[Scores]) -> Effect:
    """The mean over runs, with its standard error over runs and images.

    Args:
        losses: of one exchange, a run each, on the same images. With one run it says nothing about further runs.

    >>> found = effect([Scores.of_mean(np.array([1.0, 3.0])), Scores.of_mean(np.array([3.0, 5.0]))])
    >>> found.mean, round(found.error, 3), round(found.degrees, 3)
    (3.0, 1.414, 2.0)
    """
    values = np.array([loss.value for loss in losses])
    left_out = np.mean([loss.left_out for loss in losses], axis=0)
    images, runs = len(left_out), len(values)
    parts = [((images - 1) / images * float(((left_out - left_out.mean()) ** 2).sum()), images - 1)]
    if runs > 1:
        parts.append((float(values.var(ddof=1)) / runs, runs - 1))
    variance = sum(part for part, _ in parts)
    degrees = variance**2 / sum(part**2 / freedom for part, freedom in parts) if variance > 0 else math.inf
    if not math.isfinite(variance):
        degrees = math.nan
    return Effect(float(values.mean()), math.sqrt(variance) if variance >= 0 else math.nan, degrees, tuple(values))


def exchange_effects(runs: Sequence[RunExchange]) -> dict[str, dict[str, Effect]]:
    """Block -> candidate other than the voted one -> what its exchange costs.

    Raises:
        InputError: runs that were measured at different genotypes, or on different images.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.voted != first.voted or {b: set(of) for b, of in run.scores.items()} != {
            b: set(of) for b, of in first.scores.items()
        }:
            raise InputError(f"{run.run} and {first.run}: exchanged at different genotypes, or between others")
    effects: dict[str, dict[str, Effect]] = {}
    for block in first.voted:
        losses = [run.losses(block) for run in runs]
        if len({len(scores.left_out) for of in losses for scores in of.values()}) > 1:
            raise InputError(f"block {block!r}: the runs were measured on different numbers of images")
        effects[block] = {name: effect([of[name] for of in losses]) for name in losses[0]}
    return effects


def mean_effect(runs: Sequence[RunExchange], block: str) -> Effect:
    """What a random other candidate of ``block`` costs: the mean over the others."""
    means = []
    for run in runs:
        losses = list(run.losses(block).values())
        left_out = np.mean([loss.left_out for loss in losses], axis=0)
        means.append(Scores(float(np.mean([loss.value for loss in losses])), left_out))
    return effect(means)
