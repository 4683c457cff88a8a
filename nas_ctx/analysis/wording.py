"""The verdict in sentences: the numbers, what chance would give, and no praise that they do not carry."""

from __future__ import annotations

import math
from collections.abc import Callable

from nas_ctx.analysis.candidates import ASSUMED
from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.results import StatisticResult
from nas_ctx.analysis.significance import Standing, kappa_of
from nas_ctx.analysis.stats.catalogue import LIGHT, LIGHT_WITHIN, PERCENTAGE, landis_koch
from nas_ctx.analysis.stats.intervals import Interval
from nas_ctx.analysis.stats.permutation import SIGNIFICANCE

CAUTION = (
    "Agreement is not correctness: runs that agree show that the search repeats itself, and even a unanimous vote "
    "can be wrong. Low agreement need not be a fault of the search either: where no choice makes a difference, there "
    "is nothing to agree on."
)


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
    """An interval as "low to high", a bound as "at least low", or a dash."""
    if interval is None:
        return "–"
    return (
        f"at least {write(interval.low)}" if interval.one_sided else f"{write(interval.low)} to {write(interval.high)}"
    )


def probability(p: float) -> str:
    """A p value: "p = 0.03", "p < 0.001".

    >>> probability(0.0321), probability(0.0004), probability(1.0)
    ('p = 0.032', 'p < 0.001', 'p = 1')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def chance_name(kappa: StatisticResult) -> str:
    """Which chance the chance level of a kappa is, in words: that of the leading one stands beside the agreement."""
    names = {"pooled": "chance", "within": "chance within candidate sets", "candidates": "uniform draws"}
    return names[kappa.statistic.chance]


def verdict(record: Reliability) -> tuple[str, str]:
    """The verdict in two sentences, plain text."""
    percentage, kappa = record.result(PERCENTAGE), record.leading
    so = "" if record.candidates else " if all blocks had the same candidates (they are unknown: give --candidates)"
    chance = "" if math.isnan(kappa.chance) else f", where {chance_name(kappa)} would give {percent(kappa.chance)}{so}"
    first = (
        f"{_count(len(record.runs))} runs make the same choice in {percent(percentage.value)} of all pairwise "
        f"comparisons over {_blocks(len(record.blocks))}{chance}; "
        f"{_kappa_words(record, kappa)}."
    )
    standing = record.standing
    interval = kappa.interval
    contains = " and the interval contains 0" if interval is not None and interval.contains(0) else ""
    if standing is Standing.BEYOND_CHANCE:
        how_much = ", though how much more is open, for the interval contains 0" if contains else ""
        words = f"This is more than chance would give ({probability(record.test.p)}){how_much}"
        return first, f"{words}; {_clarity(record)}."
    if standing is Standing.BEYOND_UNIFORM:
        assert record.policy is not None
        return first, (
            f"This is more than independent uniform draws would give ({probability(record.policy.p)}); whether it is "
            "more than preferences that hold whatever the block cannot be told, since blocks have candidates of their "
            f"own; {_clarity(record)}."
        )
    if standing is Standing.BEYOND_OCCURRING:
        return first, (
            "This is more than uniform draws among the values that occur in each block would give, and more "
            f"than chance if all blocks had the same candidates ({probability(record.verdict_test[0])}); whether it is "
            f"more than preferences cannot be told while the candidates are unknown; {_clarity(record)}."
        )
    if standing is Standing.UNKNOWN:
        why = "blocks in which different values occur may be agreed on, or may have had no others to choose from"
        return first, f"Whether this is more than chance cannot be told while the candidates are unknown: {why}."
    if standing is Standing.TOO_FEW:
        return first, f"This is too little to tell it from chance: {_what_is_lacking(record)}{_preference(record)}."
    preference = _preference(record)
    beyond = f"{preference[2:]}; beyond that " if preference else ""
    return first, (
        f"This cannot be told from chance ({probability(record.test.p)}{contains}): {beyond}there is no dominating "
        "choice, and the vote below is not a finding."
    )


def _kappa_words(record: Reliability, kappa: StatisticResult) -> str:
    name, pairs = kappa.statistic.name, len(record.runs) * (len(record.runs) - 1) // 2
    if len(record.blocks) < 2:
        return "a kappa needs at least two blocks"
    if math.isnan(kappa_of(kappa)):
        return f"{name} is undefined (0/0), since only one choice was ever made"
    if math.isnan(kappa.value):
        return (
            f"{name} is undefined, since {kappa.undefined_pairs} of {pairs} pairs are 0/0, and "
            f"{number(kappa.defined_value)} over the others"
        )
    interval = f", {100 * kappa.interval.level:g} % interval {span(kappa.interval)}" if kappa.interval else ""
    words = f"{name} is {number(kappa.value)}{interval}"
    if kappa.statistic is LIGHT_WITHIN and record.table.one_family:
        words += f" ({number(record.result(LIGHT).value)} pooled over all blocks, as the paper counts it)"
    return words


def _blocks(number: int) -> str:
    return "one block" if number == 1 else f"{number} blocks"


def _what_is_lacking(record: Reliability) -> str:
    runs, blocks, least = len(record.runs), len(record.blocks), record.test.least_p
    if blocks == 1:
        return "a single block does not show whether runs agree on where to choose what"
    if least == 1:
        return "every arrangement of these choices over the blocks agrees as much, so that the test says nothing"
    return (
        f"with these {runs} runs over {blocks} blocks and their uses of the choices, p could not be below {least:.2g} "
        "however far they agreed"
    )


def _preference(record: Reliability) -> str:
    """What most choices are, whatever the block: agreement that chance would give too, and a vote that looks clear."""
    uses = record.table.common.votes.sum(axis=0)
    share = float(uses.max() / uses.sum())
    if share <= 0.5 or len(record.blocks) < 2:
        return ""
    name = record.table.texts[int(uses.argmax())]
    words = f"; the runs choose {name} whatever the block ({int(uses.max())} of {int(uses.sum())} choices)"
    if record.policy is not None and record.policy.p < SIGNIFICANCE:
        words += f", which independent uniform draws would hardly do ({probability(record.policy.p)})"
    return words


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


def difference_rows(comparison: RunSetComparison) -> list[tuple[str, ...]]:
    """Per statistic its name, both sets' values, their difference with its interval, and p."""
    return [
        (d.statistic.name, *(number(x, 3) for x in (d.first, d.second, d.value)), span(d.interval), number(d.test.p, 3))
        for d in comparison.differences
    ]


def comparison_verdict(comparison: RunSetComparison) -> tuple[str, str]:
    """The two sets in two sentences, plain text."""
    a, b = comparison.names
    percentage, kappa = comparison.difference(PERCENTAGE), comparison.difference(comparison.first.leading.statistic)
    first = (
        f"{a} agrees with itself in {percent(percentage.first)} and {b} in {percent(percentage.second)} of all "
        f"pairwise comparisons; {kappa.statistic.name} is {number(kappa.first)} and {number(kappa.second)}."
    )
    return first, f"{_difference_words(comparison)}; {_same_votes(comparison)}."


def _difference_words(comparison: RunSetComparison) -> str:
    """Whether the sets differ, on which grounds; what was tested, where that cannot be the leading kappa."""
    difference, test = comparison.deciding, comparison.deciding.test
    share = difference.statistic is PERCENTAGE
    name = "percentage agreement (a pair of runs has no kappa)" if share else difference.statistic.name
    interval = f"interval over runs and blocks {span(difference.interval)}, " if difference.interval else ""
    how = "all divisions" if test.exact else f"{test.divisions} random divisions"
    words = (
        f"The difference in {name} is {number(difference.value)} ({interval}{probability(test.p)} among {how} of the "
        "runs into two such sets)"
    )
    if not test.can_tell:
        return (
            f"{words}: too few runs to tell, for p could not be below {test.least_p:.2g} however far the sets differed"
        )
    if not difference.apart:
        return f"{words}: this does not tell them apart"
    return f"{words}: {comparison.names[1] if difference.value > 0 else comparison.names[0]} agrees with itself more"


def _same_votes(comparison: RunSetComparison) -> str:
    return f"the two votes are the same in {percent(comparison.same_vote)} of the blocks"


def _count(n: int) -> str:
    words = ("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    return words[n - 2] if 2 <= n <= 10 else str(n)


def conventional(result: StatisticResult) -> str:
    """The word of Landis and Koch for a kappa, where its whole interval lies in one of their classes; else nothing."""
    if result.interval is None or math.isnan(result.value):
        return ""
    low, high = landis_koch(result.interval.low), landis_koch(result.interval.high)
    return low if low == high else ""


def stability_words(record: Reliability) -> str:
    """How many runs are enough, in a sentence or two."""
    n = len(record.runs)
    if n < 3:
        return "Two runs cannot show how many are enough: a vote of two is unanimous or a tie."
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
    if policy is None:
        return (
            "What each block could choose from is not known, so there is no test against uniform draws and no chance "
            "level within candidate sets; all blocks are taken to have the same candidates (--candidates FILE says it)."
        )
    low, high = policy.percentage
    source = record.candidates_from
    told = f"assumed to be {source}, since no run says so" if source == ASSUMED else f"known from {source}"
    return (
        f"Against uniform draws: {len(record.runs)} genotypes drawn uniformly among the candidates of each block "
        f"({told}) would agree in {percent(policy.expected)} on average, in 95 % of the {policy.draws} draws between "
        f"{percent(low)} and {percent(high)}; {probability(policy.p)}{', exact' if policy.exact else ''}."
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
    test = "exact permutation test" if tau.exact else f"{tau.arrangements} random permutations"
    words = (
        f"Kendall's tau between a run's agreement with the other runs and its {scores.metric} is {number(tau.tau)} "
        f"({probability(tau.p)}, {test}, {len(scores.values)} runs), positive where more agreement goes with a larger "
        "number"
    )
    return words + ("; with so few runs only a very strong relation could show." if len(scores.values) < 8 else ".")
