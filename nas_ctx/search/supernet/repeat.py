"""Choices of depth in the supernet: how many of a row of blocks are run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nni.mutable import MutableExpression
from nni.nas.nn.pytorch import Repeat
from torch import nn

from nas_ctx.search.choice import Choice
from nas_ctx.search.supernet.layer import Mixed, mix
from nas_ctx.search.supernet.values import Outcomes


class MixedRepeat(Mixed, Repeat):
    """A repeat in the supernet: the weighted sum of what comes out after each active depth.

    Blocks beyond the deepest active depth are not evaluated.
    """

    def __init__(self, repeat: Repeat, choices: Mapping[str, Choice]) -> None:
        super().__init__(list(repeat.blocks), repeat.depth_choice)
        self._outcomes = Outcomes(repeat.depth_choice, choices)
        self.architecture = nn.ModuleList(self._outcomes.choices)

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's mutation hook: takes exactly :class:`Repeat`, where its depth is a choice."""
        takes = type(module) is Repeat and isinstance(module.depth_choice, MutableExpression)
        return cls(module, memo) if takes else None

    def fallen(self) -> list[str]:
        if not all(choice.decided for choice in self.choices):
            return []
        ((depth, _),) = self._outcomes.active()
        return [f"blocks.{index}" for index in range(depth, len(self.blocks))]

    def aligned(self, output: Any, depth: int) -> Any:
        """What came out after ``depth`` blocks, in the shape that it has after any other depth."""
        return output

    def forward(self, x: Any) -> Any:
        weights = dict(self._outcomes.active())
        outputs = {0: self.aligned(x, 0)} if 0 in weights else {}
        for depth, block in enumerate(self.blocks[: max(weights)], start=1):
            x = block(x)
            if depth in weights:
                outputs[depth] = self.aligned(x, depth)
        return mix(list(outputs.values()), [weights[depth] for depth in outputs])


class MixedStage(MixedRepeat):
    """A stage of NNI's cell-based spaces (NDS), whose first cell hands on a tensor of another shape than the others.

    Such a stage knows how to align it, and a supernet has to, whatever the depth: the next stage was built for many
    cells in this one.
    """

    def __init__(self, repeat: Repeat, choices: Mapping[str, Choice]) -> None:
        super().__init__(repeat, choices)
        self.alignment = repeat.first_cell_transformation_factory()

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        takes = isinstance(module, Repeat) and hasattr(module, "first_cell_transformation_factory")
        return cls(module, memo) if takes and isinstance(module.depth_choice, MutableExpression) else None

    def aligned(self, output: Any, depth: int) -> Any:
        if depth != 1 or self.alignment is None:
            return output
        previous, current = output
        return [self.alignment(previous), current]
