"""The network of the paper, from a timm backbone to logits at input resolution."""

from __future__ import annotations

from nas_ctx.models.backbone import Backbone
from nas_ctx.models.grid import ContextGrid, MakeBlock
from nas_ctx.models.network import MultiTaskNetwork

__all__ = ["Backbone", "ContextGrid", "MakeBlock", "MultiTaskNetwork"]
