"""From the ``model`` section of a configuration to a network: by name, of one context everywhere, or of a genotype."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from nas_ctx.config import ModelConfig
from nas_ctx.contexts import CONTEXTS
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.models import NETWORKS, Backbone, MultiTaskNetwork, TrueRegions
from nas_ctx.models.grid import label
from nas_ctx.tasks import Task


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
        return NETWORKS[model.blocks](backbone, tasks, dropout=model.dropout)

    def block(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
        return CONTEXTS[str(choices[label(target, source)])](in_channels, channels)

    network = MultiTaskNetwork(backbone, tasks, block, dropout=model.dropout, auxiliary=not model.true_regions)
    return TrueRegions(network, tasks) if model.true_regions else network


def block_choices(model: ModelConfig, tasks: Mapping[str, Task]) -> Genotype | None:
    """The context type of every block, or None for a network without blocks."""
    blocks = model.blocks
    if blocks in NETWORKS:
        for key, default in (("self_attention", True), ("true_regions", False)):
            if getattr(model, key) != default:
                raise InputError(f"model.{key}: {getattr(model, key)}: {blocks} has no blocks that this could change")
        return None
    choices = _named_choices(blocks, tasks)
    if not model.self_attention:
        choices = choices | {label(task, task): "none" for task in tasks}
    return Genotype(choices)


def _named_choices(blocks: str, tasks: Mapping[str, Task]) -> dict[str, str]:
    expected = [label(target, source) for target in tasks for source in tasks]
    if blocks in CONTEXTS:
        # On the diagonal s-label equals t-label, and goes by that name.
        diagonal = "t-label" if blocks == "s-label" else blocks
        return dict.fromkeys(expected, blocks) | {label(task, task): diagonal for task in tasks}
    if not Path(blocks).exists():
        raise InputError(
            f"model.blocks: {blocks!r}: expected {', '.join([*NETWORKS, *sorted(CONTEXTS)])}, "
            "or an existing genotype file"
        )
    genotype = Genotype.load(blocks)
    if set(genotype) != set(expected):
        raise InputError(
            f"model.blocks: {blocks}: has the blocks {sorted(set(genotype) - set(expected))} too many and "
            f"{sorted(set(expected) - set(genotype))} too few for the tasks {', '.join(tasks)}"
        )
    return {block: str(choice) for block, choice in genotype.items()}
