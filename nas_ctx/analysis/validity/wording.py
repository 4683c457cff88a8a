"""What a validity report says, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from nas_ctx.analysis.validity.collapse import Collapse
from nas_ctx.analysis.validity.record import Validity
from nas_ctx.analysis.validity.retraining import Retraining
from nas_ctx.analysis.validity.verdicts import BlockVerdict, Verdict, needed_searches
from nas_ctx.analysis.wording import number, percent, probability

CAUTION = (
    "Measured in the searched networks, each candidate after a few steps of adaptation: this says what it is worth to "
    "these weights. Only networks trained from the start can say what it is worth by itself."
)
_SEVERAL = {
    Verdict.RELIABLE_MATTERS: "are reliable and matter",
    Verdict.RELIABLE_IDLE: "are reliable and do not matter",
    Verdict.UNRELIABLE_MATTERS: "matter, and the searches do not agree on them",
    Verdict.FLAT: "are flat: the searches do not agree, and it does not matter",
}
_ONE = {
    Verdict.RELIABLE_MATTERS: "is reliable and matters",
    Verdict.RELIABLE_IDLE: "is reliable and does not matter",
    Verdict.UNRELIABLE_MATTERS: "matters, and the searches do not agree on it",
    Verdict.FLAT: "is flat: the searches do not agree, and it does not matter",
}


def summary(record: Validity) -> str:
    """How many blocks there are of each kind.

    It is what the reliability report says of validity, too.
    """
    told = [f"{n} {(_ONE if n == 1 else _SEVERAL)[kind]}" for kind, n in record.counts.items() if n and kind in _ONE]
    blocks = len(record.blocks)
    return f"Of {blocks} {'block' if blocks == 1 else 'blocks'} {'; '.join([*told, *_not_told(record.blocks)])}."


def _not_told(blocks: Sequence[BlockVerdict]) -> Iterator[str]:
    """How many blocks nothing can be told of, by the reason."""
    few = [block for block in blocks if block.reliable is None]
    if few:
        count = max(block.runs for block in few)
        searches = "1 search is" if count == 1 else f"{count} searches are"
        needed = " and ".join(
            f"{needed_searches(offered)} with {offered} candidates" for offered in sorted({b.offered for b in few})
        )
        yield (f"{len(few)} cannot be told, whatever is measured: {searches} too few, at least {needed} are needed")
    wide = sum(block.reliable is not None and block.matters is None for block in blocks)
    if wide:
        yield f"{wide} cannot be told: the intervals are too wide, more searches or images narrow them"


def sentences(record: Validity) -> list[str]:
    """The verdict of the page, plain text."""
    said = [summary(record)]
    better = [block for block in record.blocks if block.better]
    if better:
        named = ", ".join(f"{block.block} ({block.better} rather than {block.voted})" for block in better)
        said.append(
            f"In {len(better)} of them another candidate is better than the voted one by more than "
            f"{record.settings['negligible']:g} %: {named}."
        )
    if len(record.exchanged) == 1:
        said.append("One search was measured: the intervals are over images and say nothing about further searches.")
    return said


def collapse_words(collapse: Collapse) -> str:
    """One line on a run.

    >>> collapse_words(Collapse("seed-0", "none", 14, 16, 120))
    'seed-0: collapsed to none, in 14 of 16 blocks, since step 120'
    """
    where = f"in {collapse.count} of {collapse.blocks} blocks"
    if not collapse.collapsed:
        return f"{collapse.run}: no collapse; the most frequent choice is {collapse.choice}, {where}"
    since = "" if collapse.since is None else f", since step {collapse.since}"
    return f"{collapse.run}: collapsed to {collapse.choice}, {where}{since}"


def retraining_words(found: Retraining) -> Iterator[str]:
    """Paragraphs on the trained networks."""
    counted = f"{found.trainings} trainings, {found.genotypes} random genotypes among them"
    if math.isnan(found.noise):
        yield f"{counted}. None was trained twice, so that the noise of a training is not known."
    else:
        low, high = found.noise_interval
        yield (
            f"{counted}. Two trainings of one genotype differ with a deviation of {number(found.noise)} % "
            f"({number(low)} to {number(high)})."
        )
    if not math.isnan(found.share):
        low, high = found.share_interval
        yield (
            f"Of the variance between random genotypes, each trained once, {percent(found.share)} are due to the "
            f"genotype ({percent(low)} to {percent(high)}), the rest is noise (F test that genotypes do not differ: "
            f"{probability(found.p)})."
        )
    if found.genotypes < 10:
        yield f"{found.genotypes} random genotypes are few: ten at least show how the space varies."
    if not math.isnan(found.beaten):
        low, high = found.beaten_interval
        where = "above" if found.vote >= 0 else "below"
        yield (
            f"The voted genotype, trained {'once' if found.vote_runs == 1 else f'{found.vote_runs} times'}, is better "
            f"than {percent(found.beaten)} of the random ones ({percent(low)} to {percent(high)}); its mean is "
            f"{number(abs(found.vote))} % {where} the mean of all trainings."
        )
    elif found.vote_runs == 0:
        yield "The voted genotype is not among the trained ones."
