"""One case per task (and per way to read it out): labels at random, and logits that predict a label perfectly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nas_ctx.tasks import Depth, Edge, HumanParts, Normals, Saliency, SemSeg, Task

LARGE = 60.0
"""A logit beyond which a probability rounds to 1."""


@dataclass(frozen=True)
class Case:
    task: Task
    draw: Callable[[Task, torch.Generator, tuple[int, int, int]], Tensor]
    """A label of (batch, height, width) without ignored pixels."""
    perfect: Callable[[Task, Tensor], Tensor]
    """Logits for a label."""
    best: float
    raw: Callable[[Task, Tensor], np.ndarray]
    """A label of one image as data sets read it: (H, W) or (H, W, 3)."""

    def label(self, size: tuple[int, int, int] = (2, 12, 14), seed: int = 0, ignored: float = 0.0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        label = self.draw(self.task, generator, size)
        mask = torch.rand(size, generator=generator) < ignored
        return ignore(label, mask)

    def logits(self, label: Tensor, seed: int = 0) -> Tensor:
        return noise(label, self.task.channels, seed)

    def auxiliary(self, label: Tensor, seed: int = 0) -> Tensor:
        return noise(label, self.task.regions, seed)


def noise(label: Tensor, channels: int, seed: int) -> Tensor:
    size = (len(label), channels, *label.shape[-2:])
    return torch.randn(size, generator=torch.Generator().manual_seed(1000 + seed))


def ignore(label: Tensor, mask: Tensor) -> Tensor:
    """The label with 255 where the mask (B, H, W) says so."""
    return torch.where(mask if label.ndim == 3 else mask.unsqueeze(1), torch.tensor(255, dtype=label.dtype), label)


def draw_classes(task: Task, generator: torch.Generator, size: tuple[int, int, int]) -> Tensor:
    label = torch.randint(0, task.channels, size, generator=generator)
    label.view(-1)[: task.channels] = torch.arange(task.channels)[: label.numel()]  # no class is absent
    return label


def draw_depth(task: Task, generator: torch.Generator, size: tuple[int, int, int]) -> Tensor:
    batch, height, width = size
    return 0.8 + 8.5 * torch.rand(batch, 1, height, width, generator=generator)


def draw_normals(task: Task, generator: torch.Generator, size: tuple[int, int, int]) -> Tensor:
    batch, height, width = size
    return F.normalize(torch.randn(batch, 3, height, width, generator=generator), dim=1)


def draw_edges(task: Task, generator: torch.Generator, size: tuple[int, int, int]) -> Tensor:
    batch, height, width = size
    return (torch.rand(batch, 1, height, width, generator=generator) < 0.2).float()


def sure_classes(task: Task, label: Tensor) -> Tensor:
    classes = torch.where(label == 255, 0, label)
    return LARGE * F.one_hot(classes, task.channels).movedim(-1, 1).float()


def between_two_bins(task: Depth, label: Tensor) -> Tensor:
    """Log probabilities of the two bins whose log means lie around each depth, found one pixel at a time."""
    means = task.coding.log_means.tolist()
    logits = torch.full((len(label), len(means), *label.shape[-2:]), -LARGE)
    for (image, _, row, column), depth in np.ndenumerate(label.numpy()):
        log_depth = float(np.log(min(depth, 9.5)))
        upper = next(k for k, mean in enumerate(means) if mean > log_depth)
        share = (log_depth - means[upper - 1]) / (means[upper] - means[upper - 1])
        logits[image, upper - 1, row, column] = np.log(1 - share)
        logits[image, upper, row, column] = np.log(share)
    return logits


def of_triangle(task: Normals, label: Tensor) -> Tensor:
    """Log weights of the codewords around each normal, by solving for every triangle of the hull, a pixel at a time."""
    from scipy.spatial import ConvexHull

    codewords = task.codebook.double().numpy()
    triangles = ConvexHull(codewords).simplices
    logits = torch.full((len(label), len(codewords), *label.shape[-2:]), -LARGE)
    for image, row, column in np.ndindex(len(label), *label.shape[-2:]):
        normal = label[image, :, row, column].double().numpy()
        weights = [np.linalg.solve(codewords[corners].T, normal) for corners in triangles]
        best = max(range(len(triangles)), key=lambda k: weights[k].min())
        share = np.clip(weights[best], 1e-9, None)
        logits[image, triangles[best], row, column] = torch.tensor(np.log(share / share.sum()), dtype=torch.float32)
    return logits


def as_it_is(task: Task, label: Tensor) -> Tensor:
    return label.clone()


def class_array(task: Task, label: Tensor) -> np.ndarray:
    return label.numpy().astype(np.uint8)


def plane(task: Task, label: Tensor) -> np.ndarray:
    return label[0].numpy()


def vectors(task: Task, label: Tensor) -> np.ndarray:
    return label.numpy().transpose(1, 2, 0)


CASES = {
    "semseg": Case(SemSeg(classes=5), draw_classes, sure_classes, 1.0, class_array),
    "human_parts": Case(HumanParts(), draw_classes, sure_classes, 1.0, class_array),
    "saliency": Case(Saliency(), draw_classes, sure_classes, 1.0, class_array),
    "depth": Case(Depth(), draw_depth, as_it_is, 0.0, plane),
    "depth as classes": Case(Depth(mode="classification"), draw_depth, between_two_bins, 0.0, plane),
    "normals": Case(Normals(), draw_normals, as_it_is, 0.0, vectors),
    "normals as classes": Case(Normals(mode="classification"), draw_normals, of_triangle, 0.0, vectors),
    "edge": Case(Edge(), draw_edges, lambda task, label: LARGE * (2 * label - 1), 1.0, plane),
}
