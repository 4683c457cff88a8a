"""Choices of depth in the supernet: how many of a row of blocks are run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nni.nas.nn.pytorch import Repeat
from torch import nn

from nas_ctx.search.choice import Choice
from nas_ctx.search.nni.layers import SupernetModule
from nas_ctx.search.nni.values import Outcomes


class MixedRepeat(SupernetModule, Repeat):
    """A repeat in the supernet: the weighted sum of the outputs after each active depth.

    Blocks beyond the deepest active depth are not evaluated.
    """

    blocks: nn.ModuleList

    def __init__(self, repeat: Repeat, choices: Mapping[str, Choice]) -> None:
        super().__init__(list(repeat.blocks), repeat.depth_choice)
        self._outcomes = Outcomes(repeat.depth_choice, choices)
        self.architecture = nn.ModuleList(self._outcomes.choices)

    def pruned(self) -> list[str]:
        if not all(choice.decided for choice in self._outcomes.choices):
            return []
        ((depth, _),) = self._outcomes.active()
        return [f"blocks.{index}" for index in range(depth, len(self.blocks))]

    def unused(self) -> list[str]:
        return [f"blocks.{index}" for index in range(self._outcomes.best(), len(self.blocks))]

    def aligned(self, output: Any, depth: int) -> Any:
        """The output of ``depth`` blocks, in the shape that it has after any other depth."""
        return output

    def forward(self, x: Any) -> Any:
        weights = dict(self._outcomes.active())
        outputs = {0: self.aligned(x, 0)} if 0 in weights else {}
        for depth, block in enumerate(self.blocks[: max(weights)], start=1):
            x = block(x)
            if depth in weights:
                outputs[depth] = self.aligned(x, depth)
        named = {f"{depth} blocks": output for depth, output in outputs.items()}
        return self.mixed(named, [weights[depth] for depth in outputs])


class MixedStage(MixedRepeat):
    """A stage of NNI's cell-based spaces (NDS), whose first cell has an output of another shape than the others.

    The supernet aligns it as the stage says, whatever the depth: the next stage was built for several cells in this.
    """

    def __init__(self, repeat: Repeat, choices: Mapping[str, Choice]) -> None:
        super().__init__(repeat, choices)
        self.alignment = repeat.first_cell_transformation_factory()

    def aligned(self, output: Any, depth: int) -> Any:
        if depth != 1 or self.alignment is None:
            return output
        previous, current = output
        return [self.alignment(previous), current]
