"""The choices of a space as trainable distributions: alpha, the sampled weights of a step, and the decisions.

A search has one :class:`Choice` per label, shared by all supernet layers of that label. :class:`Choices` samples,
measures and decides all choices of a space at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

UNDECIDED = -1


class Decision(NamedTuple):
    """A choice that became one-hot: what was chosen, after how many steps, and its probability softmax(alpha) then."""

    label: str
    value: Any
    step: int
    probability: float


class Candidate(NamedTuple):
    """A value of a choice: its probability softmax(alpha), and whether and after how many steps it was decided."""

    label: str
    value: Any
    probability: float
    decided_at: int | None


class Choice(nn.Module):
    """One choice: its label, its values, its distribution softmax(alpha), and what was decided.

    The decision is a buffer that always holds a number, so that a strict checkpoint reload works before and after.

    Args:
        label: name of the choice in the space.
        values: what can be chosen, in the space's order.
        listed: NNI samples it as a list of one value, as it does for a choice of inputs.

    >>> choice = Choice("semseg/depth", ["none", "global"])
    >>> choice.decide(1, step=7)
    Decision(label='semseg/depth', value='global', step=7, probability=0.5)
    >>> choice.best, choice.decided, [index for index, _ in choice.active()]
    ('global', True, [1])
    """

    alpha: nn.Parameter
    state: Tensor

    def __init__(self, label: str, values: Sequence[Any], *, listed: bool = False) -> None:
        super().__init__()
        self.label = label
        self.values = list(values)
        self.listed = listed
        self.alpha = nn.Parameter(torch.zeros(len(self.values)))
        # Index of the decided value (or UNDECIDED), and the number of steps done when it was decided.
        self.register_buffer("state", torch.tensor([UNDECIDED, 0]))
        # The same in plain Python: reading a buffer on an accelerator would wait for it at every forward pass.
        self._index = UNDECIDED
        self.decision: Decision | None = None
        self._active: list[tuple[int, Tensor]] = []
        self.register_load_state_dict_post_hook(lambda module, _: module._read_state())

    def _read_state(self) -> None:
        self._index, step = (int(entry) for entry in self.state)
        self.decision = None
        if self.decided:
            probability = float(self.alpha.detach().softmax(-1)[self._index])
            self.decision = Decision(self.label, self.values[self._index], step, probability)
        self.alpha.requires_grad_(not self.decided)

    @property
    def decided(self) -> bool:
        """Whether the choice has become one-hot."""
        return self._index != UNDECIDED

    @property
    def decided_at(self) -> int:
        """The number of steps done when the choice was decided; 0 before."""
        return 0 if self.decision is None else self.decision.step

    @property
    def best_index(self) -> int:
        """Index of the decided value, or of the most probable one (the first of equals)."""
        return self._index if self.decided else int(self.alpha.argmax())

    @property
    def best(self) -> Any:
        """The decided value, or the most probable one."""
        return self.values[self.best_index]

    @property
    def sample(self) -> Any:
        """The decided or most probable value as NNI's samples have it."""
        return self.sampled(self.best_index)

    def sampled(self, index: int) -> Any:
        """A value as NNI's samples have it."""
        return [self.values[index]] if self.listed else self.values[index]

    @property
    def possible(self) -> list[int]:
        """Indices of the values that may still be evaluated."""
        return [self._index] if self.decided else list(range(len(self.values)))

    def decide(self, index: int, step: int) -> Decision:
        """Make the choice one-hot after ``step`` steps: no gradient, momentum or decay moves its alpha any more."""
        self.state.copy_(torch.tensor([index, step]))
        self._read_state()
        self.alpha.grad = None
        assert self.decision is not None
        return self.decision

    def active(self) -> list[tuple[int, Tensor | None]]:
        """What a supernet layer evaluates: (index, weight) pairs; the weight of a lone candidate is ``None`` (one).

        A decided choice has one candidate, and so has a network in evaluation mode. Otherwise these are the sample of
        this step or, where nothing was sampled (a forward pass outside a search), all candidates by their probability.
        """
        if self.decided or not self.training:
            return [(self.best_index, None)]
        return list(self._active) or list(enumerate(self.alpha.softmax(-1)))

    def set_active(self, weights: list[tuple[int, Tensor]]) -> None:
        """Set the sample of this step; an empty list drops it, and with it its reference to the step's graph."""
        self._active = weights


class Choices:
    """All choices of a space, in the order of the space.

    Args:
        choices: label -> choice.
        seed: the Gumbel noise of step ``n`` depends on ``(seed, n)`` alone. A resumed search draws what the
            uninterrupted one would have drawn, and every process of a distributed search draws the same.
    """

    def __init__(self, choices: Mapping[str, Choice], seed: int) -> None:
        self.by_label = dict(choices)
        self.seed = seed
        sizes = [len(choice.values) for choice in self]
        self._shape = (len(sizes), max(sizes))
        self._rows = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        self._columns = torch.cat([torch.arange(size) for size in sizes])

    def __iter__(self) -> Iterator[Choice]:
        return iter(self.by_label.values())

    def __len__(self) -> int:
        return len(self.by_label)

    def __getitem__(self, label: str) -> Choice:
        return self.by_label[label]

    def logits(self) -> Tensor:
        """All alphas as one (choices, largest choice) float32 matrix, padded with -inf."""
        flat = torch.cat([choice.alpha for choice in self])
        grid = flat.new_full(self._shape, -torch.inf)
        return grid.index_put((self._rows.to(flat.device), self._columns.to(flat.device)), flat)

    def probabilities(self) -> Tensor:
        """softmax(alpha) per choice, (choices, largest choice), padded with 0."""
        return self.logits().softmax(-1)

    def distributions(self) -> dict[str, dict[Any, float]]:
        """label -> value -> softmax(alpha), as plain numbers."""
        rows = zip(self, self.probabilities().tolist(), strict=True)
        return {choice.label: dict(zip(choice.values, row, strict=False)) for choice, row in rows}

    def decisions(self) -> list[Decision]:
        """What has been decided so far, in the order of the space."""
        return [choice.decision for choice in self if choice.decision is not None]

    def table(self) -> list[Candidate]:
        """A row for each value.

        >>> choices = Choices({"layer": Choice("layer", ["conv", "skip"])}, seed=0)
        >>> decision = choices["layer"].decide(1, step=7)
        >>> choices.table()[1]
        Candidate(label='layer', value='skip', probability=0.5, decided_at=7)
        """
        return [
            Candidate(choice.label, value, row[index], choice.decided_at if choice.possible == [index] else None)
            for choice, row in zip(self, self.probabilities().tolist(), strict=True)
            for index, value in enumerate(choice.values)
        ]

    def most_probable(self, count: int) -> list[dict[str, Any]]:
        """The ``count`` most probable samples, label -> value as NNI has it, the best first.

        A sample's probability is the product of softmax(alpha), of decided choices as it was when they were decided.

        >>> choices = Choices({label: Choice(label, ["conv", "skip"]) for label in "ab"}, seed=0)
        >>> with torch.no_grad():
        ...     choices["a"].alpha[1], choices["b"].alpha[0] = 1.0, 2.0
        >>> choices.most_probable(3)
        [{'a': 'skip', 'b': 'conv'}, {'a': 'conv', 'b': 'conv'}, {'a': 'skip', 'b': 'skip'}]
        """
        rows = self.logits().log_softmax(-1).tolist()
        best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
        for choice, row in zip(self, rows, strict=True):
            # The best samples begin with the best beginnings: no more of these are needed.
            row[choice.best_index] = max(row)  # whatever was decided
            indices = sorted(range(len(choice.values)), key=lambda index: index != choice.best_index)
            longer = [(score + row[index], (*taken, index)) for score, taken in best for index in indices]
            best = sorted(longer, key=lambda entry: -entry[0])[:count]
        return [
            {choice.label: choice.sampled(index) for choice, index in zip(self, taken, strict=True)}
            for _, taken in best
        ]

    def mean_entropy(self) -> Tensor:
        """Mean over all choices, decided ones too, of the entropy of softmax(alpha) in nats (supplement, eq. 2)."""
        log_probabilities = self.logits().log_softmax(-1)
        finite = log_probabilities.masked_fill(log_probabilities.isinf(), 0.0)
        return -(log_probabilities.exp() * finite).sum(-1).mean()

    def sample(self, step: int, temperature: float, threshold: float = 0.0) -> None:
        """Draw this step's mixture of every undecided choice by Gumbel-softmax (supplement A; SNAS).

        Args:
            step: number of the step, from 0.
            temperature: the larger, the nearer to uniform; > 0.
            threshold: 0 evaluates every candidate. Otherwise a candidate whose weight ``w`` is below it is evaluated
                with probability ``w / threshold``, at weight ``threshold``, and skipped else: the expectation of the
                mixture and of its gradients, by the candidate's parameters and by alpha, stays what it was.
        """
        logits = self.logits()
        seed = int(np.random.SeedSequence((self.seed, step)).generate_state(1, np.uint64)[0] >> 1)
        generator = torch.Generator().manual_seed(seed)
        uniform = torch.rand((2, *self._shape), generator=generator).clamp_min(torch.finfo(torch.float32).tiny)
        gumbel = -(-uniform[0].log()).log()
        weights = ((logits + gumbel.to(logits.device)) / temperature).softmax(-1)
        # Only the sparse rule has to look at the weights; looking makes an accelerator wait.
        values = weights.tolist() if threshold > 0.0 else None
        for row, choice in enumerate(self):
            if choice.decided:
                continue
            size = len(choice.values)
            if values is None:
                choice.set_active(list(enumerate(weights[row, :size])))
            else:
                choice.set_active(_thin_out(weights[row], values[row][:size], uniform[1, row].tolist(), threshold))

    def forget(self) -> None:
        """Drop the sample of the step, and with it its reference to the step's graph."""
        for choice in self:
            choice.set_active([])

    def decide(self, margin: float, step: int, *, on: str = "probabilities") -> list[Decision]:
        """Decide each undecided choice whose two largest values differ by more than ``margin``.

        Args:
            margin: the difference that decides (supplement A: 0.3).
            step: number of steps done.
            on: what to compare: "probabilities", softmax(alpha), or "logits", alpha itself.

        Returns:
            The decisions of this call.
        """
        grid = self.probabilities() if on == "probabilities" else self.logits()
        if grid.shape[1] < 2:
            return []
        largest, index = grid.detach().topk(2, dim=-1)
        gaps, winners = (largest[:, 0] - largest[:, 1]).tolist(), index[:, 0].tolist()
        return [
            choice.decide(winner, step)
            for choice, gap, winner in zip(self, gaps, winners, strict=True)
            if not choice.decided and gap > margin
        ]


def product(*weights: Tensor | None) -> Tensor | None:
    """The product of weights of active values; ``None`` is one.

    >>> product(None, torch.tensor(0.5), torch.tensor(0.5)), product(None, None)
    (tensor(0.2500), None)
    """
    given = [weight for weight in weights if weight is not None]
    return math.prod(given[1:], start=given[0]) if given else None


def _thin_out(weights: Tensor, values: list[float], draws: list[float], threshold: float) -> list[tuple[int, Tensor]]:
    """The sparse rule of :meth:`Choices.sample` for one choice; ``draws`` are uniform on (0, 1)."""
    kept: list[tuple[int, Tensor]] = []
    for index, (value, draw) in enumerate(zip(values, draws, strict=False)):
        if value >= threshold:
            kept.append((index, weights[index]))
        elif draw * threshold < value:
            # The value is `threshold`; the gradient is scaled too, so that the expectations of both are right.
            kept.append((index, weights[index] * (threshold / value)))
    return kept
