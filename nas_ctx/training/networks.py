"""From the ``model`` section of a configuration to a network: by name, of one context everywhere, or of a genotype."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni.nas.nn.pytorch import ModelSpace
from torch import nn

from nas_ctx.config import ModelConfig
from nas_ctx.contexts import CONTEXTS
from nas_ctx.errors import InputError, suggestion
from nas_ctx.genotype import Genotype
from nas_ctx.models import HEADS, NETWORKS, Backbone, MultiTaskNetwork, TrueRegions
from nas_ctx.models.grid import label
from nas_ctx.plugins import is_path
from nas_ctx.spaces import freeze, make_space
from nas_ctx.tasks import Task

PAPER_SPACE = ModelConfig.space


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
        return _by_name(model, backbone, tasks)
    if model.space != PAPER_SPACE:
        space = make_search_space(model, backbone, tasks, affine=True, dropout=model.dropout)
        return freeze(space, choices, f"model.blocks: {model.blocks}")

    def block(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
        return CONTEXTS[str(choices[label(target, source)])](in_channels, channels)

    network = MultiTaskNetwork(
        backbone,
        tasks,
        block,
        dropout=model.dropout,
        make_head=HEADS.resolve(model.head, "model.head"),
        auxiliary=not model.true_regions,
    )
    return TrueRegions(network, tasks) if model.true_regions else network


def make_search_space(
    model: ModelConfig,
    backbone: Backbone,
    tasks: Mapping[str, Task],
    *,
    affine: bool = False,
    dropout: float = 0.0,
) -> ModelSpace:
    """The space that ``model.space`` asks for, to be searched; or, with other values, to be frozen and trained."""
    for name in model.contexts:
        CONTEXTS.resolve(name, "model.contexts")
    given = {"contexts": model.contexts, "make_head": HEADS.resolve(model.head, "model.head")}
    return make_space(model.space, backbone, tasks, model.space_options, affine=affine, dropout=dropout, **given)


def _by_name(model: ModelConfig, backbone: Backbone, tasks: Mapping[str, Task]) -> nn.Module:
    """A network without blocks."""
    make = NETWORKS.resolve(model.blocks, "model.blocks")
    if model.head == ModelConfig.head:
        return make(backbone, tasks, dropout=model.dropout)
    if "make_head" not in inspect.signature(make).parameters:
        raise InputError(f"model.head: {model.head!r}: {model.blocks} makes its heads itself")
    make_with_head: Any = make
    return make_with_head(backbone, tasks, dropout=model.dropout, make_head=HEADS.resolve(model.head, "model.head"))


def block_choices(model: ModelConfig, tasks: Mapping[str, Task]) -> Genotype | None:
    """The context type of every block, or None for a network without blocks."""
    blocks = model.blocks
    if blocks in NETWORKS or is_path(blocks):
        for key, default in (("self_attention", True), ("true_regions", False)):
            if getattr(model, key) != default:
                raise InputError(f"model.{key}: {getattr(model, key)}: {blocks} has no blocks that this could change")
        return None
    if model.space != PAPER_SPACE:
        return _choices_in_space(model)
    choices = _named_choices(blocks, tasks)
    if not model.self_attention:
        choices = choices | {label(task, task): "none" for task in tasks}
    return Genotype(choices)


def _choices_in_space(model: ModelConfig) -> Genotype:
    for key, default in (("self_attention", True), ("true_regions", False)):
        if getattr(model, key) != default:
            raise InputError(f"model.{key}: {getattr(model, key)}: is for the space {PAPER_SPACE}, not {model.space}")
    if not Path(model.blocks).exists():
        raise InputError(
            f"model.blocks: {model.blocks!r}: expected {', '.join(NETWORKS.known())}, or an existing genotype file "
            f"of the space {model.space}"
        )
    return Genotype.load(model.blocks)


def _named_choices(blocks: str, tasks: Mapping[str, Task]) -> dict[str, str]:
    expected = [label(target, source) for target in tasks for source in tasks]
    if blocks in CONTEXTS:
        # On the diagonal s-label equals t-label, and goes by that name.
        diagonal = "t-label" if blocks == "s-label" else blocks
        return dict.fromkeys(expected, blocks) | {label(task, task): diagonal for task in tasks}
    if not Path(blocks).exists():
        raise InputError(
            f"model.blocks: {blocks!r}: expected {', '.join([*NETWORKS.known(), *CONTEXTS.known()])}, "
            f"or an existing genotype file{suggestion(blocks, [*NETWORKS.known(), *CONTEXTS.known()])}"
        )
    genotype = Genotype.load(blocks)
    if set(genotype) != set(expected):
        raise InputError(
            f"model.blocks: {blocks}: has the blocks {sorted(set(genotype) - set(expected))} too many and "
            f"{sorted(set(expected) - set(genotype))} too few for the tasks {', '.join(tasks)}"
        )
    return {block: str(choice) for block, choice in genotype.items()}
