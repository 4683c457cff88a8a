"""One verdict per block: whether the searches agree on it, and whether what they agree on matters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from scipy import stats

from nas_ctx.analysis.validity.effects import Effect, RunExchange, exchange_effects, mean_effect

SIGNIFICANCE = 0.05


class Verdict(Enum):
    """What a reader may believe of a block."""

    RELIABLE_MATTERS = "reliable and matters"
    RELIABLE_IDLE = "reliable, does not matter"
    UNRELIABLE_MATTERS = "unreliable, matters"
    FLAT = "flat"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class BlockVerdict:
    """A block: its vote, its measured effects, the verdict.

    Attributes:
        voted: the candidate that the vote chose.
        votes, runs: how many of how many searches chose it.
        offered: the number of candidates.
        probability: its mean final probability over the searches; nan where a run recorded none.
        reliable: None where even unanimity of so few searches would not tell.
        effects: other candidate -> what exchanging the voted one for it costs.
        mean: what a random other candidate costs.
        matters: None where it cannot be told.
        better: a candidate that is better than the voted one by more than is negligible; or None.
        best: what perturbation decides: the candidate that is measurably better than the voted one, by however little,
            else the voted one.
    """

    block: str
    voted: str
    votes: int
    runs: int
    offered: int
    probability: float
    reliable: bool | None
    effects: Mapping[str, Effect]
    mean: Effect
    matters: bool | None
    better: str | None
    best: str

    @property
    def share(self) -> float:
        return self.votes / self.runs

    @property
    def verdict(self) -> Verdict:
        if self.reliable is None or self.matters is None:
            return Verdict.CANNOT_TELL
        if self.reliable:
            return Verdict.RELIABLE_MATTERS if self.matters else Verdict.RELIABLE_IDLE
        return Verdict.UNRELIABLE_MATTERS if self.matters else Verdict.FLAT


def is_reliable(votes: int, runs: int, offered: int) -> bool | None:
    """Whether more than half of the searches chose alike, and so many hardly would by drawing at random.

    None where even unanimity would be as likely by chance as ``SIGNIFICANCE``, as with two searches.

    >>> is_reliable(4, 5, 5), is_reliable(3, 5, 5), is_reliable(2, 2, 5), is_reliable(3, 3, 5)
    (True, False, None, True)
    """

    def chance(count: int) -> float:
        """That some candidate gets ``count`` votes or more: exact for more than half, which only one can get."""
        return offered * float(stats.binom.sf(count - 1, runs, 1 / offered))

    if chance(runs) >= SIGNIFICANCE:
        return None
    return 2 * votes > runs and chance(votes) < SIGNIFICANCE


def needed_searches(offered: int) -> int:
    """The fewest searches that can say anything of a block of so many candidates, see :func:`is_reliable`.

    >>> [needed_searches(offered) for offered in (2, 3, 4, 5, 6, 7)]
    [6, 4, 4, 3, 3, 3]
    """
    return next(runs for runs in range(2, 7) if is_reliable(runs, runs, offered) is not None)


def does_matter(effects: Mapping[str, Effect], negligible: float, level: float = 0.95) -> bool | None:
    """Whether some exchange changes the score by more than ``negligible`` percent.

    It does where an interval, simultaneous over the candidates, lies beyond; it does not where every interval, each by
    itself, lies within. Where an interval reaches both ways it cannot be told.
    """
    simultaneous = [effect.interval(level, len(effects)) for effect in effects.values()]
    if any(low > negligible or high < -negligible for low, high in simultaneous):
        return True
    single = [effect.interval(level) for effect in effects.values()]
    if all(-negligible <= low and high <= negligible for low, high in single):
        return False
    return None


def verdicts(
    runs: Sequence[RunExchange],
    votes: Mapping[str, tuple[int, int]],
    probabilities: Mapping[str, float],
    negligible: float,
    level: float = 0.95,
) -> list[BlockVerdict]:
    """A verdict for every block.

    Args:
        runs: what was measured, a search each.
        votes: block -> how many searches chose the voted candidate, and of how many.
        probabilities: block -> mean final probability of the voted candidate.
        negligible: the largest change, in percent of a target's score, that does not matter.
    """
    found = []
    for block, effects in exchange_effects(runs).items():
        voted = runs[0].voted[block]
        count, searches = votes[block]
        nearest = min(effects, key=lambda name: _or_last(effects[name].mean))
        _, high = effects[nearest].interval(level, len(effects))
        found.append(
            BlockVerdict(
                block, voted, count, searches, len(effects) + 1, probabilities.get(block, math.nan),
                is_reliable(count, searches, len(effects) + 1), effects, mean_effect(runs, block),
                does_matter(effects, negligible, level),
                nearest if high < -negligible else None,
                nearest if high < 0 else voted,
            )
        )  # fmt: skip
    return found


def _or_last(value: float) -> float:
    return math.inf if math.isnan(value) else value
