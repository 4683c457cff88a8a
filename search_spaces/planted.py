"""Synthetic worlds with a known answer: for every block of a grid, the one context type that its label needs.

An image of a world is made of square cells. Each task has a *source field* (noise, one value per cell and channel) and
a *region map* (every cell belongs to one of a few scattered regions of very unequal sizes). The label of a task is a
sum over all source tasks of what the planted context type gathers from the source's field, through a fixed linear map:

- *global*: the mean over the whole image,
- *local*: the mean over the 9 x 9 window around the pixel (outside the image there are zeros, as in the context),
- *t-label*, *s-label*: the mean over the pixel's region in the target's, or in the source's, region map,
- *none*: nothing.

The fields are white over cells and the regions are scattered, so that these means are hardly correlated: two of them
correlate by the overlap of the cells that they average. Regions are of unequal sizes, since the mean of the means of
equal regions would be the global mean. Every gathered mean is scaled to unit variance, so that each planted block has
the same share in a label, and white noise of a chosen deviation is added. Every batch is generated anew: there is
nothing to overfit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from nni.nas.nn.pytorch import ModelSpace
from torch import Tensor, nn

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.contexts import CONTEXTS, candidates
from nas_ctx.contexts.attention import region_features
from nas_ctx.models.grid import ContextGrid, label
from nas_ctx.models.relational import layer_choice

WINDOW = 9


class Sample(NamedTuple):
    """A batch of a world with N tasks: ``features`` (B, N, C, h, w), ``regions`` (B, N, K, h, w): region maps that sum
    to one over the pixels, ``labels`` (B, N, m, h, w). All float32."""

    features: Tensor
    regions: Tensor
    labels: Tensor


class Planted(Protocol):
    """What a world is asked for: its answer, the channels of features and labels, and images."""

    tasks: list[str]
    outputs: int

    @property
    def planted(self) -> Mapping[str, str]:
        """Block label -> context type."""

    @property
    def channels(self) -> int:
        """Channels of a task's features."""

    @property
    def own_channels(self) -> int:
        """How many of the target's own channels the readout sees beside the contexts."""

    def sample(self, batch: int, generator: torch.Generator) -> Sample:
        """Make ``batch`` images."""


class OfTasks:
    """The tasks of what is ``planted``, and the width of their features: ``content`` and the maps of ``regions``."""

    planted: Mapping[str, str]
    content: int
    regions: int

    @cached_property
    def tasks(self) -> list[str]:
        return tasks_of(self.planted)

    @property
    def channels(self) -> int:
        """Channels of a task's features."""
        return self.content + self.regions * len(self.tasks)


@dataclass(frozen=True)
class World(OfTasks):
    """A world: what is planted in which block, and how its images are made.

    A task's features are its source field and the region maps of all tasks, one-hot: as in a network, where the
    features from which region maps are predicted are shared.

    Args:
        planted: block label -> context type; the tasks are the targets, in their order.
        noise: deviation of the white noise on the labels; a planted block contributes a variance of 1.
        size: height and width of an image in pixels, a multiple of ``cell``.
        cell: height and width of a cell in pixels.
        regions: how many regions a region map has.
        content: channels of a source field.
        outputs: channels of a label.
        seed: of the linear maps.
        strengths: block label -> deviation of what the block adds, where it is not 1.

    >>> world = World({"a/a": "local"}, noise=0.1)
    >>> [tuple(part.shape) for part in world.sample(2, torch.Generator().manual_seed(0))]
    [(2, 1, 6, 16, 16), (2, 1, 4, 16, 16), (2, 1, 4, 16, 16)]
    """

    planted: Mapping[str, str]
    noise: float = 0.1
    size: int = 16
    cell: int = 2
    regions: int = 4
    content: int = 2
    outputs: int = 4
    seed: int = 0
    strengths: Mapping[str, float] = field(default_factory=dict)

    @property
    def own_channels(self) -> int:
        """How many of the target's own channels the readout sees beside the contexts: labels do not depend on them."""
        return 0

    @cached_property
    def maps(self) -> dict[str, Tensor]:
        """Block label -> (outputs, content): the linear map from the gathered means to the label; unit gain."""
        generator = torch.Generator().manual_seed(self.seed)
        drawn = {block: torch.randn(self.outputs, self.content, generator=generator) for block in self.planted}
        return {block: weights / weights.square().sum(1, keepdim=True).sqrt() for block, weights in drawn.items()}

    @cached_property
    def scales(self) -> dict[str, float]:
        """Context type -> factor that scales the means it gathers to unit variance (over 256 images)."""
        generator = torch.Generator().manual_seed(self.seed)
        fields, maps = self._fields(256, generator), self._regions(512, generator)
        target, source = maps[:256], maps[256:]
        return {
            name: 1.0 / float(gather(name, fields, target, source).square().mean().sqrt())
            for name in CONTEXT_NAMES
            if name != "none"
        }

    def sample(self, batch: int, generator: torch.Generator) -> Sample:
        """Make ``batch`` images."""
        n = len(self.tasks)
        fields = self._fields(batch * n, generator).unflatten(0, (n, batch))
        one_hot = self._regions(batch * n, generator).unflatten(0, (n, batch))
        features = [torch.cat([content, *one_hot], 1) for content in fields]
        labels = []
        for t, target in enumerate(self.tasks):
            total = self.noise * torch.randn(batch, self.outputs, self.size, self.size, generator=generator)
            for s, source in enumerate(self.tasks):
                block = label(target, source)
                name = self.planted[block]
                if name != "none":
                    gathered = gather(name, fields[s], one_hot[t], one_hot[s]) * self.scales[name]
                    gathered = gathered * self.strengths.get(block, 1.0)
                    total += torch.einsum("oc,bchw->bohw", self.maps[block], gathered)
            labels.append(total)
        regions = one_hot / one_hot.sum((3, 4), keepdim=True)
        return Sample(torch.stack(features, 1), regions.transpose(0, 1).contiguous(), torch.stack(labels, 1))

    def _fields(self, count: int, generator: torch.Generator) -> Tensor:
        cells = self.size // self.cell
        return self._grown(torch.randn(count, self.content, cells, cells, generator=generator))

    def _regions(self, count: int, generator: torch.Generator) -> Tensor:
        """One-hot region maps (count, K, h, w): cells fall into regions of random shares, none of which is empty."""
        cells = (self.size // self.cell) ** 2
        shares = -torch.rand(count, self.regions, generator=generator).clamp_min(1e-6).log()  # normalised: uniform
        drawn = torch.multinomial(shares, cells, replacement=True, generator=generator)
        sure = torch.rand(count, cells, generator=generator).argsort(1)[:, : self.regions]
        drawn.scatter_(1, sure, torch.arange(self.regions).expand(count, -1))
        one_hot = F.one_hot(drawn, self.regions).float().mT
        return self._grown(one_hot.unflatten(2, (self.size // self.cell,) * 2))

    def _grown(self, cells: Tensor) -> Tensor:
        return cells.repeat_interleave(self.cell, 2).repeat_interleave(self.cell, 3)


def gather(name: str, fields: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """The mean that a context type gathers from source fields, for every pixel.

    Args:
        name: a context type of the paper, not *none*.
        fields: (B, c, h, w).
        target, source: one-hot region maps of the target and of the source task, (B, K, h, w).

    Returns:
        (B, c, h, w).

    >>> fields, regions = torch.arange(4.0).view(1, 1, 2, 2), torch.tensor([[[[1.0, 0], [0, 0]], [[0, 1], [1, 1]]]])
    >>> gather("t-label", fields, regions, regions).flatten().tolist()
    [0.0, 2.0, 2.0, 2.0]
    """
    if name == "global":
        return fields.mean((2, 3), keepdim=True).expand_as(fields)
    if name == "local":
        return F.avg_pool2d(fields, WINDOW, stride=1, padding=WINDOW // 2)
    one_hot = {"t-label": target, "s-label": source}[name]
    sizes = one_hot.sum((2, 3), keepdim=True).clamp(min=1)  # a region may be empty
    means = region_features(one_hot / sizes, fields).squeeze(3)  # (B, c, K)
    return (means @ one_hot.flatten(2)).view_as(fields)


def random_world(tasks: int, *, seed: int, noise: float = 0.1, null: bool = False, **options: Any) -> World:
    """A world of ``tasks`` tasks with independently drawn answers, every candidate of a block equally likely.

    ``null`` plants nothing: labels are noise of unit variance, regardless of ``noise``.

    >>> random_world(2, seed=0).planted["task1/task1"] != "s-label"
    True
    """
    planted = random_answers(tasks, seed)
    if null:
        return World(dict.fromkeys(planted, "none"), noise=1.0, seed=seed, **options)
    return World(planted, noise=noise, seed=seed, **options)


def random_answers(tasks: int, seed: int) -> dict[str, str]:
    """Block label -> context type of a grid of ``tasks`` tasks, each drawn among the candidates of its block."""
    names = [f"task{number}" for number in range(tasks)]
    generator = torch.Generator().manual_seed(seed)
    planted = {}
    for target in names:
        for source in names:
            known = candidates(target, source, CONTEXT_NAMES)
            planted[label(target, source)] = known[int(torch.randint(len(known), (), generator=generator))]
    return planted


def tasks_of(planted: Mapping[str, str]) -> list[str]:
    """The targets of some blocks, in their order.

    >>> tasks_of({"a/b": "local", "a/a": "none", "b/a": "none"})
    ['a', 'b']
    """
    return list(dict.fromkeys(block.split("/")[0] for block in planted))


class _Readout(nn.Module):
    """From the outputs of a target's blocks, and ``own`` channels of its features, to its label: a norm and one linear
    map."""

    def __init__(self, own: int, channels: int, outputs: int) -> None:
        super().__init__()
        self.own = own
        self.norm = nn.BatchNorm2d(own + channels, affine=False)
        self.linear = nn.Conv2d(own + channels, outputs, 1)

    def forward(self, features: Tensor, contexts: Sequence[Tensor]) -> Tensor:
        return self.linear(self.norm(torch.cat([features[:, : self.own], *contexts], 1)))


class PlantedSpace(ModelSpace):
    """A grid of context choices over the features of a world, without backbone or heads.

    Args:
        world: gives tasks and channels.
        contexts: the candidates; or, by block label, the candidates of each block. A single one is no choice.
        width: channels of a block's output.
        affine: whether the last norm of a candidate may scale and shift.

    >>> world = random_world(2, seed=0)
    >>> space = PlantedSpace(world)
    >>> sorted(space.simplify())
    ['task0/task0', 'task0/task1', 'task1/task0', 'task1/task1']
    """

    def __init__(
        self,
        world: Planted,
        contexts: Sequence[str] | Mapping[str, Sequence[str]] = CONTEXT_NAMES,
        *,
        width: int = 8,
        affine: bool = False,
    ) -> None:
        super().__init__()

        def block(target: str, source: str, in_channels: int, width: int) -> nn.Module:
            known = contexts[label(target, source)] if isinstance(contexts, Mapping) else contexts
            types = {name: CONTEXTS[name] for name in candidates(target, source, known)}
            if len(types) == 1:
                return next(iter(types.values()))(in_channels, width, affine=affine)
            return layer_choice(types, (target, source), in_channels, width, affine)

        self.tasks = list(world.tasks)
        self.network = ContextGrid(self.tasks, world.channels, block, dropout=0.0, width=width)
        self.network.fusions = nn.ModuleDict(
            {t: _Readout(world.own_channels, width * len(self.tasks), world.outputs) for t in self.tasks}
        )

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Features (B, N, C, h, w) and region maps (B, N, K, h, w), see :class:`Sample`, to labels (B, N, m, h, w)."""
        features, regions = (dict(zip(self.tasks, part.unbind(1), strict=True)) for part in inputs)
        return torch.stack(list(self.network(features, regions).values()), 1)
