"""How a network is computed in training. Neither its results nor the names of its parameters change."""

from __future__ import annotations

from torch import nn

from nas_ctx.config import TrainingConfig
from nas_ctx.models import Backbone, ContextGrid


def arrange(network: nn.Module, training: TrainingConfig) -> None:
    """Apply ``training.recompute`` to every grid of contexts in ``network``, ``training.compile`` and
    ``training.cache_features`` to every backbone.

    The grid is not compiled: what it evaluates changes from step to step of a search.

    >>> from types import SimpleNamespace
    >>> from nas_ctx.models import MultiTaskNetwork
    >>> tasks = {"depth": SimpleNamespace(channels=1, regions=40)}
    >>> network = MultiTaskNetwork(Backbone("test_resnet"), tasks, lambda t, s, i, o: nn.Identity())
    >>> arrange(network, TrainingConfig(recompute=True))
    >>> network.grid.recompute
    True
    """
    for part in network.modules():
        if isinstance(part, ContextGrid):
            part.recompute = part.recompute or training.recompute
        elif isinstance(part, Backbone):
            if training.compile:
                part.model.compile()
            if training.cache_features:
                part.cache_features()
