"""The settings of a search, checked once, with the paper's values as defaults.

They stand outside :mod:`nas_ctx.search`, whose import loads torch and NNI, so that a configuration is checked at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nas_ctx.errors import InputError

Evaluate = Literal["all", "sparse"]
StopOn = Literal["probabilities", "logits"]
Resource = Literal["parameters", "multiply-adds"]


@dataclass(frozen=True)
class SearchSettings:
    """What :class:`~nas_ctx.search.GumbelSearch` takes. Defaults are those of supplement A.

    Args:
        arch_lr: learning rate of Adam on alpha; no weight decay, no schedule. At 5e-4 a margin of 0.3 between two
            candidates takes at least about 620 steps of one sign: short searches need a larger one.
        temperature: of the Gumbel-softmax, at the first and at the last step.
        entropy_weight: weight of the mean entropy of the choices in the loss, at the first and at the last step.
        stop_margin: a choice is decided when its two largest values differ by more; ``None`` never decides.
        stop_on: which values: softmax(alpha), or alpha itself.
        evaluate: "all" evaluates every candidate of an undecided choice in every step; "sparse" skips those of
            negligible weight, without changing the expectation of the mixture.
        sparse_threshold: the weight below which "sparse" may skip a candidate.
        warmup_steps: steps at the start in which only the weights move; the schedules begin after them.
        resource_weight: weight in the loss of the expected cost of the choices; breaks ties towards cheaper networks.
        resource: what cost means. Both are measured on the candidates, and scaled so that the dearest has cost 1.
        stop_when_decided: end the search once every choice is decided. The paper's has a fixed length.
    """

    # Read by `nas_ctx.config`, which checks types and unknown keys of a YAML file.
    __pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # noqa: RUF012

    arch_lr: float = 5e-4
    temperature: tuple[float, float] = (1.0, 0.05)
    entropy_weight: tuple[float, float] = (-0.02, 0.06)
    stop_margin: float | None = 0.3
    stop_on: StopOn = "probabilities"
    evaluate: Evaluate = "all"
    sparse_threshold: float = 0.05
    warmup_steps: int = 0
    resource_weight: float = 0.0
    resource: Resource = "multiply-adds"
    stop_when_decided: bool = False

    def __post_init__(self) -> None:
        # Pairs come as lists from YAML.
        for name in ("temperature", "entropy_weight"):
            pair = getattr(self, name)
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise InputError(f"{name}: {pair!r}: expected a start and an end value")
            object.__setattr__(self, name, tuple(float(value) for value in pair))
        self._require("arch_lr", self.arch_lr > 0, "a positive number")
        self._require("temperature", min(self.temperature) > 0, "two positive numbers")
        self._require("stop_margin", self.stop_margin is None or self.stop_margin >= 0, "a number >= 0, or null")
        self._require("sparse_threshold", 0 < self.sparse_threshold < 1, "a number between 0 and 1")
        self._require("warmup_steps", self.warmup_steps >= 0, "a number >= 0")
        self._require("resource_weight", self.resource_weight >= 0, "a number >= 0")
        for name, known in (("stop_on", StopOn), ("evaluate", Evaluate), ("resource", Resource)):
            self._require(name, getattr(self, name) in get_args(known), f"one of {', '.join(get_args(known))}")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise InputError(f"{name}: {getattr(self, name)!r}: expected {expected}")
