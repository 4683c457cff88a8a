"""The settings of a search. Defaults are the paper's, but for ``evaluate``: ``partial`` finds as much in less time.

They stand outside :mod:`nas_ctx.search`, whose import loads torch and NNI, so that a configuration is checked at once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from pydantic import AliasChoices, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from nas_ctx.config.section import MOST, Pair, Rate, Section, Weight, Whole

EstimatorName = Literal["gumbel", "gdas", "reinmax"]
Evaluate = Literal["all", "partial"]
StopOn = Literal["probabilities", "logits"]
Resource = Literal["parameters", "multiply-adds"]


class SearchSettings(Section):
    """What :class:`~nas_ctx.search.GumbelSearch` takes. Defaults are those of supplement A, but for ``evaluate``."""

    model_config = ConfigDict(frozen=True)

    arch_lr: Rate = 5e-4
    """Learning rate of Adam on alpha; no weight decay, no schedule. At 5e-4 a margin of 0.3 between two candidates
    takes at least about 620 steps of one sign: short searches need a larger one."""
    temperature: Pair[Rate] = (1.0, 0.05)
    """Temperature of the Gumbel-softmax at the first and at the last step."""
    estimator: EstimatorName = "gumbel"
    """How a step samples: a mixture of all candidates (``gumbel``, the paper's), or one of them, with the gradient of
    that mixture (``gdas``, which evaluates nothing else) or one of second order (``reinmax``, best at a temperature of
    1 throughout)."""
    entropy_weight: Pair[Annotated[float, Field(ge=-MOST, le=MOST)]] = (-0.02, 0.06)
    """Weight of the mean entropy of the choices in the loss, at the first and at the last step."""
    stop_margin: Weight | None = 0.3
    """A choice is decided when its two largest values differ by more; ``null`` never decides."""
    stop_on: StopOn = "probabilities"
    """Which values ``stop_margin`` compares: softmax(alpha), or alpha itself."""
    eliminate_margin: Weight | None = None
    """A candidate falls, before its choice is decided, when its value trails the largest by more; ``null`` eliminates
    none."""
    evaluate: Evaluate | None = None
    """``all`` differentiates every candidate of an undecided choice in every step, as the paper does; ``partial``
    evaluates those of negligible weight mostly without a graph, which keeps the mixture, and the expectation of the
    weights' gradient. ``null``: ``partial`` where the estimator is ``gumbel``, else ``all``."""
    partial_threshold: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05, validation_alias=AliasChoices("partial_threshold", "sparse_threshold")
    )
    """The weight below which ``partial`` may leave out the graph of a candidate."""
    warmup_steps: Whole = 0
    """Steps at the start in which only the weights move; the schedules begin after them."""
    resource_weight: Weight = 0.0
    """Weight in the loss of the expected cost of the choices; breaks ties towards cheaper networks."""
    resource: Resource = "multiply-adds"
    """What cost means. Both are measured on the candidates, and scaled so that the most expensive one has cost 1."""
    stop_when_decided: bool = False
    """End the search once every choice is decided. The paper's has a fixed length."""

    @property
    def evaluation(self) -> Evaluate:
        """What ``evaluate`` says, or what it stands for where it says nothing."""
        return self.evaluate or ("partial" if self.estimator == "gumbel" else "all")

    @field_validator("evaluate", mode="before")
    @classmethod
    def _no_longer_sparse(cls, value: Any) -> Any:
        if value == "sparse":
            raise PydanticCustomError("gone", "has gone, it recovered less; 'partial' takes its place")
        return value

    @field_validator("evaluate")
    @classmethod
    def _of_a_mixture(cls, value: Evaluate | None, others: ValidationInfo) -> Evaluate | None:
        if value == "partial" and others.data.get("estimator", "gumbel") != "gumbel":
            raise PydanticCustomError("no mixture", "needs the mixture of estimator 'gumbel'")
        return value


class SearchChanges(TypedDict, total=False):
    """Some of the :class:`SearchSettings`, for the signatures of functions that take them as keyword arguments."""

    arch_lr: float
    temperature: tuple[float, float]
    estimator: EstimatorName
    entropy_weight: tuple[float, float]
    stop_margin: float | None
    stop_on: StopOn
    eliminate_margin: float | None
    evaluate: Evaluate | None
    partial_threshold: float
    warmup_steps: int
    resource_weight: float
    resource: Resource
    stop_when_decided: bool
