"""The settings of a search, with the paper's values as defaults.

They stand outside :mod:`nas_ctx.search`, whose import loads torch and NNI, so that a configuration is checked at once.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import ConfigDict, Field

from nas_ctx.config.section import MOST, Pair, Rate, Section, Weight, Whole

Evaluate = Literal["all", "sparse"]
StopOn = Literal["probabilities", "logits"]
Resource = Literal["parameters", "multiply-adds"]


class SearchSettings(Section):
    """What :class:`~nas_ctx.search.GumbelSearch` takes. Defaults are those of supplement A."""

    model_config = ConfigDict(frozen=True)

    arch_lr: Rate = 5e-4
    """Learning rate of Adam on alpha; no weight decay, no schedule. At 5e-4 a margin of 0.3 between two candidates
    takes at least about 620 steps of one sign: short searches need a larger one."""
    temperature: Pair[Rate] = (1.0, 0.05)
    """Temperature of the Gumbel-softmax at the first and at the last step."""
    entropy_weight: Pair[Annotated[float, Field(ge=-MOST, le=MOST)]] = (-0.02, 0.06)
    """Weight of the mean entropy of the choices in the loss, at the first and at the last step."""
    stop_margin: Weight | None = 0.3
    """A choice is decided when its two largest values differ by more; ``null`` never decides."""
    stop_on: StopOn = "probabilities"
    """Which values ``stop_margin`` compares: softmax(alpha), or alpha itself."""
    evaluate: Evaluate = "all"
    """``all`` evaluates every candidate of an undecided choice in every step; ``sparse`` skips those of negligible
    weight, without changing the expectation of the mixture."""
    sparse_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """The weight below which ``sparse`` may skip a candidate."""
    warmup_steps: Whole = 0
    """Steps at the start in which only the weights move; the schedules begin after them."""
    resource_weight: Weight = 0.0
    """Weight in the loss of the expected cost of the choices; breaks ties towards cheaper networks."""
    resource: Resource = "multiply-adds"
    """What cost means. Both are measured on the candidates, and scaled so that the most expensive one has cost 1."""
    stop_when_decided: bool = False
    """End the search once every choice is decided. The paper's has a fixed length."""


class SearchChanges(TypedDict, total=False):
    """Some of the :class:`SearchSettings`, for the signatures of functions that take them as keyword arguments."""

    arch_lr: float
    temperature: tuple[float, float]
    entropy_weight: tuple[float, float]
    stop_margin: float | None
    stop_on: StopOn
    evaluate: Evaluate
    sparse_threshold: float
    warmup_steps: int
    resource_weight: float
    resource: Resource
    stop_when_decided: bool
