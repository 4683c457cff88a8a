"""What the runs vote for in each block, how clearly, and which rule breaks a tie when the user named one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.stats.ratings import Floats, Label, RatingMatrix, Ratings, rating_matrix
from nas_ctx.errors import InputError, unknown_name

TIE_RULES = ("probability", "order", "refuse")


@dataclass(frozen=True)
class BlockVote:
    """The vote on one block.

    ``counts`` pairs each label that got votes with their number, most votes first; ``winners`` holds the label with
    most votes, or all of them when tied; ``choice`` is the winner, or what ``decided_by`` (a tie rule) picked among the
    tied ones, or None while a tie stands. ``margin`` is (votes of the first - votes of the second) / runs, 0 for a tie
    and 1 for a unanimous vote; ``entropy`` is that of the vote shares over log(number of choices), 0 to 1.
    """

    counts: tuple[tuple[Label, int], ...]
    winners: tuple[Label, ...]
    choice: Label
    decided_by: str | None
    margin: float
    entropy: float

    @property
    def tied(self) -> bool:
        return len(self.winners) > 1

    @property
    def open(self) -> bool:
        """Whether it is a tie that no rule has broken."""
        return self.tied and self.decided_by is None

    def majority(self) -> bool:
        """Whether more than half of the runs made the same choice."""
        return 2 * self.counts[0][1] > sum(votes for _, votes in self.counts)


def vote(
    ratings: Ratings | RatingMatrix,
    *,
    ties: str | None = None,
    order: Sequence[Label] | None = None,
    probabilities: Sequence[dict[Label, float]] | None = None,
    n_choices: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[BlockVote]:
    """Count the votes of ``ratings`` (n_runs, n_blocks) per block; one run is enough here.

    ``ties`` names the rule that breaks ties: None leaves them standing; "order" takes the tied label that comes first
    in ``order``; "probability" takes the tied label with the largest mean probability, ``probabilities[b]`` mapping the
    labels of block b to it; "refuse" raises :class:`~nas_ctx.errors.InputError`. ``n_choices[b]`` is how many choices
    block b had, the base of its normalised entropy; by default how many labels occur anywhere. ``names`` are the
    blocks' own names, for errors.

    >>> first, second = vote([["local", "none"], ["local", "global"], ["none", "none"]], ties="refuse")
    >>> first.choice, first.counts, round(first.margin, 3)
    ('local', (('local', 2), ('none', 1)), 0.333)
    >>> vote([["local"], ["none"]], ties="order", order=["none", "local"])[0].choice
    'none'
    """
    if ties is not None and ties not in TIE_RULES:
        raise unknown_name("rule for ties", ties, TIE_RULES)
    blocks = rating_matrix(ratings, least_runs=1, least_blocks=1)
    ranks = list(range(blocks.n_labels)) if order is None else [_rank(label, order) for label in blocks.labels]
    votes = []
    for b, (counts, entropy) in enumerate(zip(blocks.votes, vote_entropy(blocks, n_choices).tolist(), strict=True)):
        codes = sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], ranks[code], code))
        first, second = counts[codes[0]], counts[codes[1]] if len(codes) > 1 else 0.0
        winners = tuple(blocks.labels[code] for code in codes if counts[code] == first)
        choice: Label = winners[0] if len(winners) == 1 else None
        if len(winners) > 1 and ties is not None:
            scores = None if probabilities is None else [probabilities[b].get(label, 0.0) for label in winners]
            if ties == "order":
                scores = [-float(ranks[code]) for code in codes[: len(winners)]]
            choice = _break_tie(repr(names[b]) if names else str(b), winners, ties, scores)
        ranked = tuple((blocks.labels[code], int(counts[code])) for code in codes)
        decided_by, margin = ties if len(winners) > 1 else None, float(first - second) / blocks.n_runs
        votes.append(BlockVote(ranked, winners, choice, decided_by, margin, entropy))
    return votes


def vote_entropy(blocks: RatingMatrix, n_choices: Sequence[int] | None = None) -> Floats:
    """(n_blocks,): entropy of each block's vote shares over the log of its number of choices; 0 with one choice."""
    shares = blocks.votes / blocks.n_runs
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = np.abs(-(shares * logs).sum(axis=1))
    base = np.log(np.full(blocks.n_blocks, blocks.n_labels) if n_choices is None else np.asarray(n_choices))
    return np.divide(entropy, base, out=np.zeros_like(entropy), where=base > 0)


def _rank(label: Label, order: Sequence[Label]) -> int:
    """The place of ``label`` in ``order``; those that it lacks come last."""
    return next((i for i, other in enumerate(order) if type(other) is type(label) and other == label), len(order))


def _break_tie(name: str, winners: tuple[Label, ...], rule: str, scores: Sequence[float] | None) -> Label:
    """The tied choice of the block ``name`` with the largest of the rule's ``scores``."""
    tied = ", ".join(map(str, winners))
    if rule == "refuse":
        raise InputError(f"block {name} is tied between {tied}, and ties are refused")
    if scores is None:
        raise InputError(
            f"block {name} is tied and the rule 'probability' needs the final probabilities of every run (history.csv)"
        )
    best = [label for label, score in zip(winners, scores, strict=True) if score == max(scores)]
    if len(best) > 1:
        lack = "have no place in the order" if rule == "order" else "have the same mean probability"
        way = "" if rule == "order" else "; --ties order takes the first of the space"
        raise InputError(f"block {name} is tied between {tied}, and {', '.join(map(str, best))} {lack}{way}")
    return best[0]
