"""Label context from the ground truth: how much would perfect regions be worth? (supplement, section E)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from nas_ctx.labels import IGNORE
from nas_ctx.models.network import MultiTaskNetwork


class Partition(Protocol):
    """What is asked of a task: its regions, and which of them each pixel of a label lies in."""

    regions: int

    def partition(self, label: Tensor) -> Tensor:
        """(B, H, W) region indices, 255 for none."""


class TrueRegions(nn.Module):
    """A network whose region maps come from the labels instead of its own auxiliary predictions.

    It needs the labels to predict: an upper bound for label context, and of no other use.

    Args:
        network: with a grid and without auxiliary heads.
        tasks: they partition the labels.
    """

    reads_labels = True

    def __init__(self, network: MultiTaskNetwork, tasks: Mapping[str, Partition]) -> None:
        super().__init__()
        self.network = network
        self.partitions = dict(tasks)

    def forward(self, image: Tensor, labels: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        """Image (B, 3, H, W) and a label per task to what :class:`MultiTaskNetwork` gives."""
        stride = self.network.backbone.stride
        size = (-(-image.shape[2] // stride), -(-image.shape[3] // stride))
        regions = {
            name: true_region_map(task.partition(labels[name]), task.regions, size)
            for name, task in self.partitions.items()
        }
        return self.network(image, regions)


def true_region_map(partition: Tensor, regions: int, size: tuple[int, int]) -> Tensor:
    """Region indices at image resolution as weights that sum to one per region: (B, H, W) to (B, regions, h, w).

    A feature pixel's weight is its share of the region's image pixels, so that thin regions such as boundaries are not
    lost between feature pixels. Ignored pixels (255) belong to no region. A region without a pixel is the whole image,
    as it is where a predicted map has nothing to go by: zeros in its place would move the batch statistics of the
    projections by how many regions happen to be absent, which differs between training crops and whole images.

    >>> partition = torch.tensor([[[0, 0, 1, 255]]])
    >>> true_region_map(partition, 3, (1, 2))[0, :, 0].tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    """
    batch, height, width = partition.shape
    rows = torch.arange(height, device=partition.device) * size[0] // height
    columns = torch.arange(width, device=partition.device) * size[1] // width
    cells = (rows[:, None] * size[1] + columns).expand(batch, -1, -1)
    images = torch.arange(batch, device=partition.device).view(-1, 1, 1)
    places = (images * regions + partition) * (size[0] * size[1]) + cells
    count = batch * regions * size[0] * size[1]
    places = places.where(partition != IGNORE, count).flatten()  # one place more takes the ignored pixels
    counts = torch.zeros(count + 1, device=partition.device).index_add_(
        0, places, torch.ones_like(places, dtype=torch.float32)
    )
    shares = counts[:-1].view(batch, regions, *size)
    total = shares.sum((2, 3), keepdim=True)
    return torch.where(total > 0, shares / total.clamp(min=1), 1 / (size[0] * size[1]))


def unwrap(network: nn.Module) -> nn.Module:
    """The network itself, where labels are read around it."""
    return network.network if isinstance(network, TrueRegions) else network
