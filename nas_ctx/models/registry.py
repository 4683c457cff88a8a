"""Whole networks by name: those that do not come from a choice of contexts per block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import nn

from nas_ctx.models.backbone import Backbone
from nas_ctx.plugins import Registry, called_with


class TaskShape(Protocol):
    """What a network asks of a task: its output channels and the number of regions of its label space."""

    channels: int
    regions: int


class MakeNetwork(Protocol):
    """Makes a network; its ``forward`` is that of :class:`nas_ctx.models.MultiTaskNetwork`."""

    def __call__(self, backbone: Backbone, tasks: Mapping[str, TaskShape], /, dropout: float) -> nn.Module: ...


NETWORKS: Registry[MakeNetwork] = Registry(
    "network", group="nas_ctx.networks", validator=called_with("backbone", "tasks", "dropout="), base=nn.Module
)
register_network = NETWORKS.register

MakeDistillation = Callable[[Sequence[str], int], nn.Module]
"""(names of the tasks, channels) to a module from features {task: (B, channels, h, w)} to refined ones alike."""

DISTILLATIONS: Registry[MakeDistillation] = Registry(
    "distillation",
    group="nas_ctx.distillations",
    validator=called_with("tasks", "channels", base=nn.Module),
    base=nn.Module,
)
register_distillation = DISTILLATIONS.register
