"""All choices of a space at once: their samples, their entropy, what is decided and what is eliminated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas_ctx.config.search_settings import EstimatorName
from nas_ctx.search.choice import Candidate, Choice, Decision
from nas_ctx.search.estimators import ESTIMATORS, ONE_EVALUATED


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

    def sample(
        self, step: int, temperature: float, threshold: float = 0.0, estimator: EstimatorName = "gumbel"
    ) -> None:
        """Draw this step's mixture of every undecided choice, by Gumbel-softmax in the paper (supplement A; SNAS).

        Args:
            step: number of the step, from 0.
            temperature: the larger, the nearer to uniform; > 0.
            estimator: its name, of those in ``nas_ctx/search/estimators.py``.
            threshold: 0 differentiates every candidate. Otherwise each layer differentiates a candidate whose weight
                ``w`` is below it with probability ``w / threshold``, and the gradient by its output is then divided by
                that: the expectation of the parameters' gradient stays what it was.
        """
        logits = self.logits()
        seed = int(np.random.SeedSequence((self.seed, step)).generate_state(1, np.uint64)[0] >> 1)
        generator = torch.Generator().manual_seed(seed)
        draws = 1 + max(choice.followers for choice in self) * (threshold > 0.0)
        uniform = torch.rand((draws, *self._shape), generator=generator).clamp_min(torch.finfo(torch.float32).tiny)
        gumbel = -(-uniform[0].log()).log()
        weights = ESTIMATORS[estimator](logits, gumbel.to(logits.device), temperature)
        drawn = weights.argmax(-1).tolist() if estimator in ONE_EVALUATED else [None] * len(self)
        scales = None
        if threshold > 0.0:  # only then must the weights be looked at, for which an accelerator has to be waited for
            shares = (weights.detach().cpu() / threshold).clamp_max(1.0)
            scales = torch.where(uniform[1:] < shares, 1.0 / shares, 0.0).tolist()
        for row, choice in enumerate(self):
            if not choice.decided:
                choice.set_active(weights[row], scales and [of_follower[row] for of_follower in scales], drawn[row])

    def forget(self) -> None:
        """Drop the sample of the step, and with it its reference to the step's graph."""
        for choice in self:
            choice.set_active(None)

    def decide(self, margin: float, step: int, *, on: str = "probabilities") -> list[Decision]:
        """Decide each undecided choice whose two largest values differ by more than ``margin``.

        Args:
            margin: the difference that decides (supplement A: 0.3).
            step: number of steps done.
            on: what to compare: "probabilities", softmax(alpha), or "logits", alpha itself.

        Returns:
            The decisions of this call.
        """
        decisions = []
        for choice, gaps in zip(self, self._gaps(on), strict=True):
            close = [index for index in choice.possible if not gaps[index] > margin]
            if not choice.decided and len(close) == 1:
                decisions.append(choice.decide(close[0], step))
        return decisions

    def eliminate(self, margin: float, *, on: str = "probabilities") -> list[tuple[str, Any]]:
        """Take out the values of undecided choices that trail the largest by more than ``margin``; see :meth:`decide`.

        Returns:
            (label, value) of what was taken out.

        >>> choices = Choices({"layer": Choice("layer", ["conv", "pool", "skip"])}, seed=0)
        >>> _ = choices["layer"].alpha.data.copy_(torch.tensor([1.0, 0.9, -1.0]))
        >>> choices.eliminate(0.3), choices["layer"].possible
        ([('layer', 'skip')], [0, 1])
        """
        fallen = []
        for choice, gaps in zip(self, self._gaps(on), strict=True):
            indices = [index for index in choice.possible if gaps[index] > margin and not choice.decided]
            if indices:
                choice.eliminate(indices)
                fallen += [(choice.label, choice.values[index]) for index in indices]
        return fallen

    def _gaps(self, on: str) -> list[list[float]]:
        """Per choice, how far each value trails the largest."""
        grid = (self.probabilities() if on == "probabilities" else self.logits()).detach()
        return (grid.amax(-1, keepdim=True) - grid).tolist()
