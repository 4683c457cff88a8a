"""The base classes of context types: modules from one (target, source) pair of tasks to features for the target.

Every type but *none* is an attention. Queries come from the target's features; keys and values from the memory, which
is the source's pixels or one source feature vector per region of a label space. A type defines its memory and how it
attends to it; the projections are the same for all and defined here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from nas_ctx.contexts.projection import Activation, projection
from nas_ctx.contexts.sharing import Shared
from nas_ctx.plugins import Registry, called_with

CONTEXTS: Registry[type[nn.Module]] = Registry(
    "context",
    group="nas_ctx.contexts",
    validator=called_with("in_channels", "channels", "affine=", base=nn.Module),
    base=nn.Module,
)
register_context = CONTEXTS.register


class ContextInput(NamedTuple):
    """All inputs of a block of the grid, as one argument, since NNI's ``LayerChoice`` passes exactly one.

    Shapes: ``target`` and ``source`` (B, C, h, w); ``target_regions`` (B, Kt, h, w) and ``source_regions``
    (B, Ks, h, w), the region maps of both tasks, see ``nas_ctx.contexts.attention.region_map``. ``shared`` is the
    grid's cache: a context that uses :meth:`project` and :meth:`region_features` shares computations with other blocks.

    A context type that reads one region map or none says which in its own class, by ``reads_regions``, a tuple of
    "target" and "source": auxiliary heads are made for the tasks whose maps a block reads; for the other tasks the map
    is one region, the whole image. A subclass says it anew, since it may read more.
    """

    target: Tensor
    source: Tensor
    target_regions: Tensor
    source_regions: Tensor
    shared: Shared | None = None

    def project(self, stack: nn.Module, features: Tensor) -> Tensor:
        """``stack(features)``; within a grid, of a stack of 1x1 layers, in less memory."""
        return stack(features) if self.shared is None else self.shared.project(stack, features)

    def region_features(self, regions: Tensor, source: Tensor) -> Tensor:
        """Source features gathered per region, (B, C, K, 1); computed once for all blocks of a grid."""
        return (self.shared or Shared()).region_features(regions, source)


class AttentionContext(nn.Module, ABC):
    """Base of the attention types: ``attend(query(target), key(memory), value(memory))``.

    Query and key are two 1x1 Conv-BN-ReLU layers, the value is one (supplement, section C). With ``affine=False`` the
    value's batch norm, the last of a candidate, has no learnable scale and shift, so that the outputs of all candidates
    of a search have one scale (supplement, section A). Convolutions have Glorot and Bengio's uniform initialisation.
    """

    similarity_activation: type[Activation] = nn.ReLU
    """What follows the last norm of query and key."""

    def __init__(self, in_channels: int, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        last = self.similarity_activation
        self.query = projection(in_channels, channels, layers=2, activation=last)
        self.key = projection(in_channels, channels, layers=2, activation=last)
        self.value = projection(in_channels, channels, layers=1, affine=affine)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.xavier_uniform_(part.weight)

    @abstractmethod
    def memory(self, inputs: ContextInput) -> Tensor:
        """The input of keys and values, a feature map (B, C, H, W) of any height and width."""

    @abstractmethod
    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """From the query (B, c, h, w) and key and value (B, c, H, W) to the context (B, c, h, w)."""

    def forward(self, inputs: ContextInput) -> Tensor:
        """The context features of the pair: (B, channels, h, w)."""
        memory = self.memory(inputs)
        return self.attend(
            inputs.project(self.query, inputs.target),
            inputs.project(self.key, memory),
            inputs.project(self.value, memory),
        )


class PixelContext(AttentionContext):
    """Base of the types whose memory is the source's pixels."""

    def memory(self, inputs: ContextInput) -> Tensor:
        return inputs.source
