"""From the section ``model`` of a configuration to a network: by name, of one context type, or of a genotype."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nni.nas.nn.pytorch import ModelSpace
from torch import Tensor, nn

from nas_ctx.config import ModelConfig
from nas_ctx.contexts import CONTEXTS, candidates
from nas_ctx.errors import InputError, suggestion
from nas_ctx.genotype import Genotype
from nas_ctx.models import DISTILLATIONS, HEADS, NETWORKS, Backbone, MultiTaskNetwork, TrueRegions
from nas_ctx.models.grid import label
from nas_ctx.models.relational import block_names, fixed, genotype_files
from nas_ctx.models.spaces import freeze, make_space
from nas_ctx.models.weights import WeightsFile
from nas_ctx.plugins import is_path, signature_of
from nas_ctx.tasks import Task

PAPER_SPACE = ModelConfig.default("space")
RANDOM = "random"


def make_backbone(model: ModelConfig) -> Backbone:
    """The backbone that a configuration asks for."""
    return Backbone(
        model.backbone,
        pretrained=model.pretrained,
        weights=model.weights,
        options=model.backbone_options,
        mean=model.image_mean,
        std=model.image_std,
        freeze=model.freeze,
    )


def weights_of(network: nn.Module) -> WeightsFile | None:
    """The file of weights that the backbone of a network was given, if it was given one."""
    backbones = (module for module in network.modules() if isinstance(module, Backbone))
    return next((backbone.weights for backbone in backbones), None)


def build_network(model: ModelConfig, tasks: Mapping[str, Task], seed: int = 0) -> nn.Module:
    """The network that ``model.blocks`` asks for; of random blocks the one of ``seed``.

    Raises:
        InputError: an unknown name, or a genotype file that does not fit the tasks.
    """
    return network_of(model, tasks, block_choices(model, tasks, seed))


def network_of(model: ModelConfig, tasks: Mapping[str, Task], choices: Mapping[str, Any] | None) -> nn.Module:
    """The network with ``choices`` in its blocks; without choices, the one that ``model.blocks`` names."""
    if choices is not None and model.space != PAPER_SPACE:
        space = make_search_space(model, tasks, affine=True, dropout=model.dropout)
        return freeze(space, choices, f"model.blocks: {model.blocks}")
    backbone = make_backbone(model)
    if choices is None:
        return _by_name(model, backbone, tasks)
    network = MultiTaskNetwork(
        backbone,
        tasks,
        fixed({block: str(choice) for block, choice in choices.items()}),
        dropout=model.dropout,
        make_head=HEADS.resolve(model.head, "model.head"),
        auxiliary=not model.true_regions,
    )
    return TrueRegions(network, tasks) if model.true_regions else network


def make_search_space(
    model: ModelConfig, tasks: Mapping[str, Task], *, affine: bool = False, dropout: float = 0.0
) -> ModelSpace:
    """The space that ``model.space`` asks for, to be searched; or, with other values, to be frozen and trained."""
    backbone = make_backbone(model)
    for name in model.contexts:
        CONTEXTS.resolve(name, "model.contexts")
    given = {"contexts": model.contexts, "make_head": HEADS.resolve(model.head, "model.head")}
    return make_space(model.space, backbone, tasks, model.space_options, affine=affine, dropout=dropout, **given)


def _by_name(model: ModelConfig, backbone: Backbone, tasks: Mapping[str, Task]) -> nn.Module:
    """A network without blocks."""
    make: Callable[..., nn.Module] = NETWORKS.resolve(model.blocks, "model.blocks")
    parts: dict[str, Any] = {}
    if model.head != ModelConfig.default("head"):
        parts["make_head"] = HEADS.resolve(model.head, "model.head")
    if model.distillation is not None:
        parts["make_distillation"] = DISTILLATIONS.resolve(model.distillation, "model.distillation")
    for part in parts:
        if part not in signature_of(make).parameters:
            key = part.removeprefix("make_")
            raise InputError(f"model.{key}: {getattr(model, key)!r}: the network {model.blocks} has its own")
    return make(backbone, tasks, dropout=model.dropout, **parts)


def block_choices(model: ModelConfig, tasks: Mapping[str, Task], seed: int = 0) -> Genotype | None:
    """The context type of every block, of random blocks as ``seed`` has it; None for a network without blocks."""
    blocks = model.blocks
    if blocks in NETWORKS or is_path(blocks):
        _refuse_changed_blocks(model, f"{blocks} has no blocks that this could change")
        return None
    if model.distillation is not None:
        raise InputError(f"model.distillation: {model.distillation!r}: is for networks without blocks")
    if model.space != PAPER_SPACE:
        return _choices_in_space(model)
    if blocks == RANDOM:
        choices = random_blocks(tasks, model.contexts, seed)
    else:
        choices = block_names(blocks, tasks, "model.blocks", others=[*NETWORKS.known(), RANDOM])
    if not model.self_attention:
        choices = choices | {label(task, task): "none" for task in tasks}
    for block, name in choices.items():
        try:
            CONTEXTS[name]  # imports nothing that only the genotype names
        except InputError as error:
            raise InputError(f"model.blocks: {blocks}: block {block!r}: {error}") from None
    return Genotype(choices)


def random_blocks(tasks: Iterable[str], contexts: Sequence[str], seed: int) -> dict[str, str]:
    """A genotype in which every candidate of a block is equally likely: the baseline of a search.

    >>> random_blocks(["depth", "edge"], ["none", "local"], seed=3)
    {'depth/depth': 'local', 'depth/edge': 'none', 'edge/depth': 'none', 'edge/edge': 'none'}
    """
    names, rng = list(tasks), np.random.default_rng(seed)
    drawn = {(t, s): candidates(t, s, contexts) for t in names for s in names}
    return {label(*pair): known[rng.integers(len(known))] for pair, known in drawn.items()}


def _choices_in_space(model: ModelConfig) -> Genotype:
    _refuse_changed_blocks(model, f"is for the space {PAPER_SPACE}, not {model.space}")
    if not Path(model.blocks).exists():
        raise InputError(
            f"model.blocks: {model.blocks!r}: expected {', '.join(NETWORKS.known())}, or an existing genotype file "
            f"of the space {model.space}{suggestion(model.blocks, genotype_files(model.blocks))}"
        )
    return Genotype.load(model.blocks)


def _refuse_changed_blocks(model: ModelConfig, reason: str) -> None:
    for key in ("self_attention", "true_regions"):
        if getattr(model, key) != ModelConfig.default(key):
            raise InputError(f"model.{key}: {getattr(model, key)}: {reason}")


def misfit(network: nn.Module, weights: Mapping[str, Tensor]) -> str | None:
    """The first weight by which ``weights`` are not those of ``network``; None where they are."""
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in weights.items()}
    for name in {**own, **given}:
        if own.get(name) != given.get(name):
            shapes = f"expected {own.get(name, 'no such weight')}, got {given.get(name, 'none')}"
            return f"{name}: {shapes}; networks with contexts are others since version 0.1.0: begin again"
    return None
