"""A task with test labels, and logits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from nas_ctx.labels import IGNORE
from nas_ctx.tasks import Task
from nas_ctx.testing.messages import doing, expect, name_of

LARGE = 60.0
"""A logit beyond which a probability rounds to 1."""

Size = tuple[int, int, int]
Draw = Callable[[Any, torch.Generator, Size], Tensor]
Perfect = Callable[[Any, Tensor], Tensor]
AsRead = Callable[[Any, Tensor], NDArray[Any]]
Loss = Callable[[Tensor, Tensor], Tensor]


def random_classes(task: Task, generator: torch.Generator, size: Size) -> Tensor:
    """A label of classes, int64 of ``size`` (B, H, W), in which none of 0..channels-1 is absent."""
    label = torch.randint(0, task.channels, size, generator=generator)
    label.view(-1)[: task.channels] = torch.arange(task.channels)[: label.numel()]
    return label


def sure_classes(task: Task, label: Tensor) -> Tensor:
    """Logits that predict a label of classes with near certainty."""
    classes = torch.where(label == IGNORE, 0, label)
    return LARGE * F.one_hot(classes, task.channels).movedim(-1, 1).float()


def as_read(task: Task, label: Tensor) -> NDArray[Any]:
    """A label of one image as data sets read it: classes uint8 (H, W), quantities float32 (H, W) or (H, W, C)."""
    array = label.numpy()
    if array.ndim == 2:
        return array.astype(np.uint8)
    return array[0] if len(array) == 1 else array.transpose(1, 2, 0)


@dataclass(frozen=True)
class TaskCase:
    """A task with test labels; see :func:`check_task` for the arguments."""

    task: Task
    draw: Draw = random_classes
    perfect: Perfect | None = None
    best: float | None = None
    raw: AsRead = as_read

    @property
    def prefix(self) -> str:
        """How messages about the task begin."""
        return f"{name_of(self.task)}: "

    @property
    def perfect_logits(self) -> Perfect | None:
        return sure_classes if self.perfect is None and self.draw is random_classes else self.perfect

    @property
    def best_score(self) -> float:
        return self.best if self.best is not None else float(self.task.higher_is_better)

    def label(self, size: Size = (2, 12, 14), seed: int = 0, ignored: float = 0.0) -> Tensor:
        """A label, a share of its pixels ignored."""
        generator = torch.Generator().manual_seed(seed)
        label = self.draw(self.task, generator, size)
        return ignore(label, torch.rand(size, generator=generator) < ignored)

    def logits(self, label: Tensor, seed: int = 0) -> Tensor:
        return noise(label, self.task.channels, seed)

    def auxiliary(self, label: Tensor, seed: int = 0) -> Tensor:
        return noise(label, self.task.regions, seed)

    def prediction(self, label: Tensor, seed: int = 0) -> Tensor:
        """What the task predicts from random logits."""
        return self.task.predict(self.logits(label, seed))

    def ignored(self, label: Tensor) -> Tensor:
        """Which pixels of a label belong to no region: bool (B, H, W)."""
        return self.task.partition(label) == IGNORE

    def losses(self) -> Iterator[tuple[str, Loss, Callable[..., Tensor]]]:
        """The two losses, each with its name and what draws the logits that it takes; they say what they cannot do."""
        for name, draw in (("loss", self.logits), ("auxiliary_loss", self.auxiliary)):

            def loss(logits: Tensor, label: Tensor, name: str = name) -> Tensor:
                with doing(f"{name} of {logits.dtype} logits {tuple(logits.shape)}"):
                    return getattr(self.task, name)(logits, label)

            yield name, loss, draw

    def score(self, prediction: Tensor, label: Tensor) -> float:
        """The main score of a prediction."""
        metric, key = self.task.metric(), self.task.metric_name
        metric.update(prediction, label)
        scores = metric.compute()
        has_key = isinstance(scores, dict) and key in scores
        expect(has_key, f"metric().compute(): expected a dictionary with the key {key!r} (metric_name), got {scores!r}")
        return float(scores[key])


def noise(label: Tensor, channels: int, seed: int) -> Tensor:
    """Random logits for a label."""
    size = (len(label), channels, *label.shape[-2:])
    return torch.randn(size, generator=torch.Generator().manual_seed(1000 + seed))


def ignore(label: Tensor, mask: Tensor) -> Tensor:
    """The label with 255 where the mask (B, H, W) says so."""
    return torch.where(mask if label.ndim == 3 else mask.unsqueeze(1), torch.tensor(IGNORE, dtype=label.dtype), label)
