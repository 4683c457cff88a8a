"""From the ``model`` section of a configuration to a network: a baseline, one context everywhere, or a genotype's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from nas_ctx.config import ModelConfig
from nas_ctx.contexts import CONTEXTS
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.models import Backbone, MultiTaskNetwork
from nas_ctx.models.grid import label
from nas_ctx.tasks import Task

BASELINE = "baseline"


def make_backbone(model: ModelConfig) -> Backbone:
    """The backbone that a configuration asks for."""
    return Backbone(model.backbone, pretrained=model.pretrained, options=model.backbone_options)


def build_network(model: ModelConfig, tasks: Mapping[str, Task]) -> nn.Module:
    """The network that ``model.blocks`` asks for.

    Raises:
        InputError: nothing goes by that name, or a genotype file does not fit the tasks.
    """
    choices = block_choices(model, tasks)
    backbone = make_backbone(model)
    if choices is None:
        return MultiTaskNetwork(backbone, tasks, None, dropout=model.dropout)

    def block(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
        return CONTEXTS[str(choices[label(target, source)])](in_channels, channels)

    return MultiTaskNetwork(backbone, tasks, block, dropout=model.dropout)


def block_choices(model: ModelConfig, tasks: Mapping[str, Task]) -> Genotype | None:
    """The context type of every block, or None for a network without blocks."""
    blocks = model.blocks
    if blocks == BASELINE:
        return None
    expected = [label(target, source) for target in tasks for source in tasks]
    if blocks in CONTEXTS:
        # On the diagonal s-label equals t-label, and goes by that name.
        diagonal = "t-label" if blocks == "s-label" else blocks
        own = {label(task, task) for task in tasks}
        return Genotype({name: diagonal if name in own else blocks for name in expected})
    if Path(blocks).exists():
        genotype = Genotype.load(blocks)
        if set(genotype) != set(expected):
            raise InputError(
                f"model.blocks: {blocks}: has the blocks {sorted(set(genotype) - set(expected))} too many and "
                f"{sorted(set(expected) - set(genotype))} too few for the tasks {', '.join(tasks)}"
            )
        return genotype
    raise InputError(
        f"model.blocks: {blocks!r}: expected {BASELINE}, {', '.join(sorted(CONTEXTS))}, or an existing genotype file"
    )
