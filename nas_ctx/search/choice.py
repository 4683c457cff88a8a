"""A choice of a space as a trainable distribution: alpha, the sampled weights of a step, and the decision.

A search has one :class:`Choice` per label, shared by all supernet layers of that label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nas_ctx.compat.renamed import former_names

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

    Attributes:
        followers: how many layers follow it.

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
        self._alive = list(range(len(self.values)))  # the indices of what was not eliminated
        self._active: list[tuple[int, Tensor]] = []
        self._scales: list[list[float]] = []
        self.followers = 0
        self.register_load_state_dict_post_hook(lambda module, _: module._read_state())

    def _read_state(self) -> None:
        self._index, step = (int(entry) for entry in self.state)
        self.decision = None
        if self.decided:
            probability = float(self.alpha.detach().softmax(-1)[self._index])
            self.decision = Decision(self.label, self.values[self._index], step, probability)
        self._alive = [index for index, alpha in enumerate(self.alpha.tolist()) if alpha != -torch.inf]
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
    def samples(self) -> list[Any]:
        """All values as NNI's samples have them."""
        return [self.sampled(index) for index in range(len(self.values))]

    @property
    def possible(self) -> list[int]:
        """Indices of the values that may still be evaluated."""
        return [self._index] if self.decided else self._alive

    def decide(self, index: int, step: int) -> Decision:
        """Make the choice one-hot after ``step`` steps: no gradient, momentum or decay moves its alpha any more."""
        self.state.copy_(torch.tensor([index, step]))
        self._read_state()
        self.alpha.grad = None
        assert self.decision is not None
        return self.decision

    def eliminate(self, indices: Sequence[int]) -> None:
        """Take values out of the choice: with an alpha of -inf their probability is 0 for good."""
        with torch.no_grad():
            self.alpha[list(indices)] = -torch.inf
        self._read_state()

    def follow(self) -> int:
        """The number of a further layer that follows this choice, for :meth:`gradient_scale`."""
        self.followers += 1
        return self.followers - 1

    def active(self) -> list[tuple[int, Tensor | None]]:
        """What a supernet layer evaluates: (index, weight) pairs; the weight of a lone candidate is ``None`` (one).

        A decided choice has one candidate, and so has a network in evaluation mode. Otherwise these are the sample of
        this step or, where nothing was sampled (a forward pass outside a search), all candidates by their probability.
        """
        if self.decided or not self.training:
            return [(self.best_index, None)]
        if self._active:
            return list(self._active)
        weights = self.alpha.softmax(-1)
        return [(index, weights[index]) for index in self._alive]

    def gradient_scale(self, index: int, follower: int) -> float:
        """What a layer is to multiply the gradient by a value's output with in this step; 0: it needs none."""
        return self._scales[follower][index] if self._scales and self.training and not self.decided else 1.0

    def set_active(
        self, weights: Tensor | None, scales: list[list[float]] | None = None, only: int | None = None
    ) -> None:
        """Set the sample of this step: a weight per value and, per follower, a gradient scale per value.

        ``None`` drops it, and with it its reference to the step's graph. ``only`` is the index of the one value that
        is to be evaluated; by default all are.
        """
        evaluated = self._alive if only is None else [only]
        self._active = [] if weights is None else [(index, weights[index]) for index in evaluated]
        self._scales = scales or []


def product(*weights: Tensor | None) -> Tensor | None:
    """The product of weights of active values; ``None`` is one.

    >>> product(None, torch.tensor(0.5), torch.tensor(0.5)), product(None, None)
    (tensor(0.2500), None)
    """
    given = [weight for weight in weights if weight is not None]
    return math.prod(given[1:], start=given[0]) if given else None


__getattr__ = former_names(__name__, {"Choices": "nas_ctx.search.choices:Choices"})
