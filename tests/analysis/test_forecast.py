"""What a vote of more runs would say, against every way in which they could choose, one run after the other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nas_ctx.analysis.early_vote import EarlyVote, Rule
from nas_ctx.analysis.stats.forecast import forecast
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype


def by_enumeration(counts: list[int], most: int) -> tuple[float, float]:
    """Polya's urn: the next run draws a choice in proportion to its votes so far plus its share of the prior."""
    lead = divided = 0.0
    for future in itertools.product(range(len(counts)), repeat=most - sum(counts)):
        votes, probability = list(counts), 1.0
        for choice in future:
            probability *= (votes[choice] + 2 / len(counts)) / (sum(votes) + 2)
            votes[choice] += 1
        lead += probability * (votes.count(max(votes)) == 1 and votes[0] == max(votes))
        divided += probability * (2 * max(votes) <= most)
    return lead, divided


@pytest.mark.parametrize(
    ("counts", "most"),
    [([2, 1, 0], 8), ([3, 0], 10), ([2, 1, 1, 0], 9), ([1, 0, 0, 0, 0], 6), ([4, 1, 0], 5), ([3], 4)],
)
def test_probabilities(counts: list[int], most: int) -> None:
    ratings = [[choice] for choice, votes in enumerate(counts) for _ in range(votes)]
    [block] = forecast(ratings, most, n_choices=[len(counts)])
    assert block.leader == 0
    assert (block.lead, block.divided) == pytest.approx(by_enumeration(counts, most))


def test_a_tie_has_no_leader_and_all_runs_are_certain() -> None:
    [tied, led] = forecast([["a", "b"], ["b", "b"]], 2)
    assert (tied.leader, tied.lead) == (None, 0)
    assert (led.leader, led.lead) == ("b", pytest.approx(1))
    with pytest.raises(InputError, match="a vote of 2 runs cannot be forecast from 3"):
        forecast([["a"]] * 3, 2)


def test_no_more_than_the_stated_share_of_votes_changes() -> None:
    """Worlds drawn as the forecast assumes: where it says 90 %, the vote of all runs is another in at most 10 %."""
    rng, changed, settled = np.random.default_rng(0), 0, 0
    for _ in range(300):
        chosen = rng.choice(["a", "b", "c", "d"], (12, 1), p=rng.dirichlet([0.5] * 4))
        [early] = forecast(chosen[:5].tolist(), 12, n_choices=[4])
        if early.lead >= 0.9:
            [last] = forecast(chosen.tolist(), 12, n_choices=[4])
            settled += 1
            changed += last.leader != early.leader
    assert settled > 100
    assert changed <= 0.1 * settled


def test_when_to_stop() -> None:
    """Not before the least number, though all agree; at the most number, whatever they say."""
    agreeing = [Genotype({"a/b": "local"}, {"candidates": {"a/b": ["local", "none"]}})] * 6
    rule = Rule(least=5, most=8)
    assert [EarlyVote(agreeing[:n], rule).stable for n in (3, 4, 5, 6)] == [False, False, True, True]
    divided = [Genotype({"a/b": choice}) for choice in ["local", "none"] * 4]
    assert [EarlyVote(divided[:n], rule).stable for n in (6, 7, 8)] == [False, False, True]
    with pytest.raises(InputError, match="different blocks"):
        EarlyVote([*agreeing, Genotype({"a/c": "none"})], rule).stable  # noqa: B018


def test_no_dominating_choice() -> None:
    """Five candidates with two votes each: none of them will have eight of fifteen, and that is certain enough."""
    runs = [Genotype({"a/b": choice}) for choice in list("vwxyz") * 2]
    vote = EarlyVote(runs, Rule(most=15, level=0.99))
    assert vote.blocks["a/b"].lead == 0
    assert vote.stable
    assert (
        str(vote)
        == "the vote of 10 runs: in 0 of 1 blocks 15 would keep the leader, in 1 no choice dominates (99 % each)"
    )
