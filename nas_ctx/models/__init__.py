"""The network of the paper, from a timm backbone to logits at input resolution, and the networks it is compared with.

``NETWORKS[name](backbone, tasks, dropout=...)`` makes a network by name; a new one is a file with
``@register_network("name")`` and a ``forward(image)`` that gives what :class:`MultiTaskNetwork` gives.
"""

from __future__ import annotations

from nas_ctx.models.backbone import BACKBONES, Backbone, register_backbone
from nas_ctx.models.distillation.mti_net import MTINet
from nas_ctx.models.distillation.psd import PSDNet
from nas_ctx.models.grid import ContextGrid, MakeBlock
from nas_ctx.models.heads import HEADS, MakeHead, register_head
from nas_ctx.models.network import MultiTaskNetwork
from nas_ctx.models.registry import (
    DISTILLATIONS,
    NETWORKS,
    MakeDistillation,
    TaskShape,
    register_distillation,
    register_network,
)
from nas_ctx.models.relational import Refined, RelationalContext, region_loss
from nas_ctx.models.spaces import SPACES, MakeSpace, freeze, make_space, register_space
from nas_ctx.models.true_regions import Partition, TrueRegions

__all__ = [
    "BACKBONES",
    "DISTILLATIONS",
    "HEADS",
    "NETWORKS",
    "SPACES",
    "Backbone",
    "ContextGrid",
    "MTINet",
    "MakeBlock",
    "MakeDistillation",
    "MakeHead",
    "MakeSpace",
    "MultiTaskNetwork",
    "PSDNet",
    "Partition",
    "Refined",
    "RelationalContext",
    "TaskShape",
    "TrueRegions",
    "freeze",
    "make_space",
    "region_loss",
    "register_backbone",
    "register_distillation",
    "register_head",
    "register_network",
    "register_space",
]
