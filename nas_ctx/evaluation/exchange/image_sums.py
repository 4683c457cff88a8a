"""The sums behind a task's score, image by image, and the score with each image left out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nas_ctx.analysis.validity import Scores
from nas_ctx.tasks import Task


class ImageSums:
    """What a task's metric adds up for every image: scores that are ratios or maxima of sums have intervals, too.

    Args:
        task: its metric must only add up (``nas_ctx.tasks.Task.metric`` asks for that).

    >>> from nas_ctx.tasks.make import make_task
    >>> sums = ImageSums(make_task("depth", {}))
    >>> sums.add(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1), torch.tensor([1.0, 2.0, 5.0]).view(3, 1, 1, 1))
    >>> scores = sums.scores()
    >>> round(scores.value, 3), scores.left_out.round(3).tolist()
    (1.155, [1.414, 1.414, 0.0])
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.metric = task.metric()
        self.metric.compute_with_cache = False  # states are set, which it would not notice
        left_aside: frozenset[str] = getattr(self.metric, "beside_the_score", frozenset())
        self.names = [name for name in self.metric.metric_state if name not in left_aside]
        self.rows: list[Tensor] = []

    def add(self, predictions: Tensor, labels: Tensor) -> None:
        """Add the predictions of some images, in the layout of the label, (B, ...)."""
        for prediction, label in zip(predictions.split(1), labels.split(1), strict=True):
            self.metric.reset()
            self.metric.update(prediction, label)
            state = self.metric.metric_state
            self.rows.append(torch.cat([state[name].detach().double().flatten().cpu() for name in self.names]))

    def scores(self) -> Scores:
        """The main score of all images, and of all but each one."""
        rows = torch.stack(self.rows)
        total = rows.sum(0)
        return Scores(self._score(total), np.array([self._score(total - row) for row in rows]))

    def _score(self, sums: Tensor) -> float:
        state = self.metric.metric_state
        parts = sums.split([state[name].numel() for name in self.names])
        for name, part in zip(self.names, parts, strict=True):
            setattr(self.metric, name, part.view(state[name].shape).to(state[name]))
        return float(self.metric.compute()[self.task.metric_name])
