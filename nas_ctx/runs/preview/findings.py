"""What a preview finds out about a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nas_ctx.errors import InputError
from nas_ctx.runs.preview.measure import Cost, Step


@dataclass
class Preview:
    """What a run would be.

    Attributes:
        backbone: its maps, and the size of the features that blocks work on, in words.
        choices: block -> candidates, in a search.
        costs: "supernet", "smallest" and "largest" of a search; "network" of a training.
        chosen: what "smallest" and "largest" have in their blocks.
        step: what an optimiser step costs; None where it cannot be told.
        cached: what cached features take of the main memory, in words; None where none are, or the data are missing.
        images: how many there are to train with and to validate with; None where they are missing.
        eval_sizes: heights and widths of validation images, as far as they are known.
        odd: what is odd about the data, one line each.
        begins: "new", or what it resumes from.
        problems: why the run would be refused.
        untraceable: why costs cannot be told without running the network; the run itself may be possible.
    """

    backbone: str | None = None
    choices: dict[str, list[Any]] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    chosen: dict[str, dict[str, Any]] = field(default_factory=dict)
    step: Step | None = None
    cached: str | None = None
    images: tuple[int, int] | None = None
    eval_sizes: set[tuple[int, int]] = field(default_factory=set)
    odd: list[str] = field(default_factory=list)
    begins: str = "new"
    problems: list[str] = field(default_factory=list)
    untraceable: str | None = None

    @property
    def genotypes(self) -> int:
        """How many genotypes the space has."""
        return math.prod(map(len, self.choices.values()))

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is refused within as a problem."""
        try:
            yield
        except InputError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
