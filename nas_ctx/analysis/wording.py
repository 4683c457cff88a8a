"""The verdict in sentences: the numbers, what chance would give, and no praise that they do not carry."""

from __future__ import annotations

import math
from collections.abc import Callable

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.results import StatisticResult
from nas_ctx.analysis.stats.catalogue import LIGHT, PERCENTAGE, landis_koch
from nas_ctx.analysis.stats.intervals import Interval

CAUTION = (
    "Agreement is not correctness: runs that agree show that the search repeats itself, and even a unanimous vote "
    "can be wrong. Low agreement need not be a fault of the search either: where no choice makes a difference, there "
    "is nothing to agree on."
)
SIGNIFICANCE = 0.05


def percent(share: float) -> str:
    """A share as a percentage with one decimal.

    >>> percent(0.7125), percent(1.0), percent(float("nan"))
    ('71.2\xa0%', '100.0\xa0%', '–')
    """
    return "–" if math.isnan(share) else f"{100 * share:.1f}\u00a0%"  # kept together at line ends


def number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, or a dash where there is none.

    >>> number(-0.125), number(float("nan"))
    ('−0.12', '–')
    """
    if math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.replace("-", "")


def span(interval: Interval | None, write: Callable[[float], str] = number) -> str:
    """An interval as "low to high", or a dash."""
    return "–" if interval is None else f"{write(interval.low)} to {write(interval.high)}"


def probability(p: float) -> str:
    """A p value: "p = 0.03", "p < 0.001".

    >>> probability(0.0321), probability(0.0004), probability(1.0)
    ('p = 0.032', 'p < 0.001', 'p = 1')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def beyond_chance(record: Reliability) -> bool:
    """Whether the runs agree more than chance would: the permutation test and the interval of kappa both say so."""
    kappa = headline(record)
    above = kappa.interval is None or kappa.interval.ends[0] > 0
    return record.test.p < SIGNIFICANCE and above and not kappa_of(kappa) <= 0


def headline(record: Reliability) -> StatisticResult:
    """Light's kappa, which the paper reports."""
    return record.result(LIGHT)


def kappa_of(result: StatisticResult) -> float:
    return result.defined_value if math.isnan(result.value) else result.value


def verdict(record: Reliability) -> tuple[str, str]:
    """The verdict in two sentences, plain text."""
    percentage, kappa = record.result(PERCENTAGE), headline(record)
    runs, blocks = len(record.runs), len(record.blocks)
    first = (
        f"{_count(runs)} runs make the same choice in {percent(percentage.value)} of all pairwise comparisons over "
        f"{blocks} blocks, where chance alone would give {percent(percentage.chance)}; "
    )
    if math.isnan(kappa_of(kappa)):
        first += "Light's kappa is undefined (0/0), since only one choice was ever made."
        second = (
            "Whether they agree for a reason cannot be told from these runs: a search that always ends in the same "
            "place looks just like this."
        )
        return first, second
    if math.isnan(kappa.value):
        first += (
            f"Light's kappa is undefined, since {kappa.undefined_pairs} of {runs * (runs - 1) // 2} pairs are 0/0, and "
            f"{number(kappa.defined_value)} over the others."
        )
    else:
        interval = f", {100 * kappa.interval.level:g} % interval {span(kappa.interval)}" if kappa.interval else ""
        first += f"Light's kappa is {number(kappa.value)}{interval}."
    if not beyond_chance(record):
        contains = kappa.interval is not None and kappa.interval.ends[0] <= 0 <= kappa.interval.ends[1]
        reason = f"{probability(record.test.p)}{' and the interval contains 0' if contains else ''}"
        return first, (
            f"This cannot be told from chance ({reason}): {_common_preference(record)}there is no dominating choice, "
            "and the vote below is not a finding."
        )
    return first, f"This is more than chance would give ({probability(record.test.p)}); {_clarity(record)}."


def _common_preference(record: Reliability) -> str:
    """What most choices are, whatever the block: agreement that chance would give too, and a vote that looks clear."""
    uses = record.table.common.votes.sum(axis=0)
    share = float(uses.max() / uses.sum())
    if share <= 0.5:
        return ""
    name = record.table.texts[int(uses.argmax())]
    return f"the runs choose {name} whatever the block ({percent(share)} of all choices), and beyond that "


def _clarity(record: Reliability) -> str:
    unanimous = sum(len(vote.counts) == 1 for vote in record.votes)
    tied = sum(vote.tied for vote in record.votes)
    blocks = len(record.blocks)
    if unanimous == blocks:
        return f"all {blocks} blocks were decided unanimously"
    majority = sum(vote.majority() for vote in record.votes)
    words = f"in {majority} of {blocks} blocks more than half of the runs made the same choice ({unanimous} unanimous)"
    if tied:
        end = "left open" if record.tied else f"decided by the rule “{record.ties}”"
        words += f", and {tied} {'tie was' if tied == 1 else 'ties were'} {end}"
    return words


def comparison_verdict(comparison: RunSetComparison) -> tuple[str, str]:
    """The two sets in two sentences, plain text."""
    a, b = comparison.names
    percentage = next(d for d in comparison.differences if d.statistic is PERCENTAGE)
    kappa = next(d for d in comparison.differences if d.statistic is LIGHT)
    first = (
        f"{a} agrees with itself in {percent(percentage.first)} and {b} in {percent(percentage.second)} of all "
        f"pairwise comparisons; Light's kappa is {number(kappa.first)} and {number(kappa.second)}."
    )
    if kappa.interval is None:
        difference = "Whether the difference in kappa is more than chance cannot be told, since a kappa is undefined"
    else:
        low, high = kappa.interval.ends
        apart = low > 0 or high < 0
        which = f"{b if low > 0 else a} agrees with itself more" if apart else "this does not tell them apart"
        difference = f"The difference in kappa is {number(kappa.value)} ({span(kappa.interval)}): {which}"
    return first, f"{difference}; the two votes are the same in {percent(comparison.same_vote)} of the blocks."


def _count(n: int) -> str:
    words = ("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    return words[n - 2] if 2 <= n <= 10 else str(n)


def conventional(kappa: float) -> str:
    """The customary word for a kappa, or nothing where it is undefined."""
    return "" if math.isnan(kappa) else landis_koch(kappa)


def stability_words(record: Reliability) -> str:
    """How many runs are enough, in a sentence or two."""
    n = len(record.runs)
    if record.needed is None:
        return (
            "No number of runs looked at, by measurement or by extrapolation, gives 95 % of the blocks the vote of all "
            "runs: the votes are too evenly split."
        )
    if record.needed < n:
        return (
            f"A vote of {record.needed} of these {n} runs already gives at least 95 % of the blocks the vote of all "
            f"{n}. That says how stable the vote is, not whether it is right."
        )
    return (
        f"No smaller vote gives 95 % of the blocks the vote of all {n}, so these runs cannot show that they are "
        f"enough. By extrapolation about {record.needed} runs would find the present winner in 95 % of the blocks "
        "that have one."
    )


def policy_words(record: Reliability) -> str:
    """What uniformly drawn genotypes would agree on."""
    policy = record.policy
    low, high = policy.percentage
    return (
        f"Against a random policy: {len(record.runs)} genotypes drawn uniformly among the choices of each block (known "
        f"from {record.candidates_from}) would agree in {percent(policy.expected)} on average, in 95 % of the "
        f"{policy.draws} draws between {percent(low)} and {percent(high)}; {probability(policy.p)}."
    )


def trajectory_words(record: Reliability) -> str:
    """When blocks were decided and the vote was final, in two sentences; nothing without histories."""
    trajectory = record.trajectory
    if trajectory is None:
        return ""
    decisions = [step for steps in trajectory.decided.values() for step in steps]
    reached = sorted(step for step in decisions if step is not None)
    words = f"{len(reached)} of {len(decisions)} decisions (block by run) were reached"
    if reached:
        words += f", the median at step {reached[(len(reached) - 1) // 2]}"
    words += f". From step {trajectory.stable_from} on, the vote of the then most probable choices was the final vote"
    if trajectory.steps[-1]:
        earlier = 1 - trajectory.stable_from / trajectory.steps[-1]
        words += f", {percent(earlier)} of the search earlier than its end"
    return words + "."


def score_words(record: Reliability) -> str:
    """How agreement and score go together, in a sentence; nothing without scores."""
    if record.scores is None:
        return ""
    scores, tau = record.scores, record.scores.correlation
    if math.isnan(tau.tau):
        return "Scores or agreements are all equal, so nothing can be said about their relation."
    words = (
        f"Kendall's tau between a run's agreement with the other runs and its {scores.metric} is {number(tau.tau)} "
        f"({probability(tau.p)}, {'exact' if tau.exact else 'Monte-Carlo'} permutation test, {len(scores.values)} "
        "runs), positive where more agreement goes with a larger number"
    )
    return words + ("; with so few runs only a very strong relation could show." if len(scores.values) < 8 else ".")
