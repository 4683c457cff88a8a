"""How good are the region maps that a trained network predicts? Against those of the labels, over the validation rooms.

    python experiments/rooms/regions.py work/rooms/study/runs/everywhere/t-label/seed-0

A row per task: how many of its regions an image has; the share of a predicted map's weight that lies inside the true
region, and the share of the image that the region is, which a map without knowledge would have; and over how many
pixels a map spreads (the exponential of its entropy), predicted and true. Means over the regions that an image has.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

import torch
from torch import Tensor

from nas_ctx.models import ContextGrid
from nas_ctx.models.true_regions import true_region_map
from nas_ctx.runs.trained import Trained, load_trained
from nas_ctx.tasks import Task

COLUMNS = ("of its regions an image has", "weight inside", "share of the image", "pixels, predicted", "pixels, true")


def spread(maps: Tensor) -> Tensor:
    """Over how many pixels maps (regions, pixels) spread: exp of the entropy.

    >>> spread(torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    tensor([2., 1.])
    """
    return torch.special.entr(maps).sum(1).exp()


def predicted_and_labels(trained: Trained) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Batch by batch the region maps that the grid is given, and the labels."""
    grid = next(module for module in trained.model.modules() if isinstance(module, ContextGrid))
    seen: list[dict[str, Tensor]] = []
    grid.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1]))
    for batch in trained.data.val_dataloader():
        trained.model(batch["image"])
        yield seen.pop(), batch


@torch.no_grad()
def measure(
    pairs: Iterable[tuple[Mapping[str, Tensor], Mapping[str, Tensor]]], tasks: Mapping[str, Task]
) -> dict[str, list[float]]:
    """Task -> the numbers of :data:`COLUMNS`, over pairs of region maps and labels."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    for maps, labels in pairs:
        for name, predicted in maps.items():
            task = tasks[name]
            regions = task.partition(labels[name])
            true = true_region_map(regions, task.regions, tuple(predicted.shape[2:]))
            for image, ours, theirs in zip(regions, predicted.flatten(2), true.flatten(2), strict=True):
                here = image[image < task.regions].unique()
                # A pixel of the maps counts by how much of the region it holds, relative to its fullest pixel.
                inside = theirs[here] / theirs[here].amax(1, keepdim=True)
                numbers = (ours[here] * inside).sum(1), inside.mean(1), spread(ours[here]), spread(theirs[here])
                found[name].append([len(here) / task.regions, *(float(number.mean()) for number in numbers)])
    return {name: [fmean(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}


def main() -> None:
    """Print a row per task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run folder of a training with label contexts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| task | " + " | ".join(COLUMNS) + " |\n| --- |" + " ---: |" * len(COLUMNS))
    trained = load_trained(options.run)
    for name, row in measure(predicted_and_labels(trained), trained.tasks).items():
        print(f"| {name} | {row[0]:.0%} | {row[1]:.2f} | {row[2]:.2f} | {row[3]:.0f} | {row[4]:.0f} |")


if __name__ == "__main__":
    main()
