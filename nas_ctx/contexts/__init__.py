"""Relational contexts: what a target task may gather from a source task.

``CONTEXTS[name](in_channels, channels, *, affine=True)`` makes a context; a new type is a module with this constructor
and ``forward(inputs: ContextInput) -> (B, channels, h, w)``, filed by ``@register_context("name")``.
"""

from __future__ import annotations

from collections.abc import Iterable

from nas_ctx.context_types import SAME_ON_DIAGONAL

# Contexts are registered, and so listed, in this order: that of nas_ctx.context_types, then any further ones.
from nas_ctx.contexts.none import NoContext  # isort: skip
from nas_ctx.contexts.base import CONTEXTS, AttentionContext, ContextInput, PixelContext, register_context
from nas_ctx.contexts.dense import GlobalContext, LocalContext
from nas_ctx.contexts.labels import SourceLabelContext, TargetLabelContext


def candidates(target: str, source: str, names: Iterable[str] | None = None) -> list[str]:
    """Names of the context types a block (target, source) chooses from, of ``names`` or of all that are registered.

    The order is kept. On the diagonal source and target regions are the same, so that s-label is left out where there
    is t-label.

    >>> candidates("semseg", "depth", ["none", "t-label", "s-label"])
    ['none', 't-label', 's-label']
    >>> candidates("depth", "depth", ["none", "t-label", "s-label"])
    ['none', 't-label']
    >>> candidates("depth", "depth", ["none", "s-label"])
    ['none', 's-label']
    """
    known = list(CONTEXTS if names is None else names)
    return [name for name in known if target != source or SAME_ON_DIAGONAL.get(name) not in known]


__all__ = [
    "CONTEXTS",
    "AttentionContext",
    "ContextInput",
    "GlobalContext",
    "LocalContext",
    "NoContext",
    "PixelContext",
    "SourceLabelContext",
    "TargetLabelContext",
    "candidates",
    "register_context",
]
