"""One case per task (and per way to read it out): labels at random, and logits that predict a label perfectly."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nas_ctx.tasks import Depth, Edge, HumanParts, Normals, Saliency, SemSeg, Task
from nas_ctx.testing import TaskCase
from nas_ctx.testing.task_case import LARGE


def draw_depth(task: Task, generator: torch.Generator, size: tuple[int, int, int]) -> Tensor:
    batch, height, width = size
    return 0.8 + 8.5 * torch.rand(batch, 1, height, width, generator=generator)


def draw_normals(task: Task, generator: torch.Generator, size: tuple[int, int, int]) -> Tensor:
    batch, height, width = size
    return F.normalize(torch.randn(batch, 3, height, width, generator=generator), dim=1)


def draw_edges(task: Task, generator: torch.Generator, size: tuple[int, int, int]) -> Tensor:
    batch, height, width = size
    return (torch.rand(batch, 1, height, width, generator=generator) < 0.2).float()


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


def sure_edges(task: Task, label: Tensor) -> Tensor:
    return LARGE * (2 * label - 1)


CASES = {
    "semseg": TaskCase(SemSeg(classes=5)),
    "human_parts": TaskCase(HumanParts()),
    "saliency": TaskCase(Saliency()),
    "depth": TaskCase(Depth(), draw_depth, as_it_is),
    "depth as classes": TaskCase(Depth(mode="classification"), draw_depth, between_two_bins),
    "normals": TaskCase(Normals(), draw_normals, as_it_is),
    "normals as classes": TaskCase(Normals(mode="classification"), draw_normals, of_triangle),
    "edge": TaskCase(Edge(), draw_edges, sure_edges),
}
