"""How much does each block of a trained network matter? Its output is exchanged between images, or left out.

Permutation testing (section 4.4 of the paper): when the output of a block for one image is replaced by its output for
another, the metric of the target drops by as much as the network relied on what the block knew about this image. Left
out means replaced by zeros, which is what *none* gives; the network has never seen that in training.

Only the input of the target's fusion changes, so one pass through the network serves all blocks: what follows the
blocks is computed again for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from pytorch_lightning.utilities import move_data_to_device
from scipy import stats
from torch import Tensor, nn
from torchmetrics import Metric

from nas_ctx.data.loading import Loader, parts
from nas_ctx.errors import InputError
from nas_ctx.models import ContextGrid, MultiTaskNetwork
from nas_ctx.models.grid import label
from nas_ctx.models.network import upsampled
from nas_ctx.models.true_regions import unwrap
from nas_ctx.runs.trained import Trained
from nas_ctx.tasks import Task
from nas_ctx.training.module import outputs_of

Scores = dict[str, float]


@dataclass(frozen=True)
class Drop:
    """By how many percent the target's main metric gets worse; positive where the block helps.

    Attributes:
        low, high: a t interval over the repetitions for the mean over all permutations; nan with fewer than two.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """The target's metrics after a change to one block, for every block that is not *none*.

    Attributes:
        tasks: in the order of the grid.
        base: task -> metrics of the unchanged network.
        permuted: block label -> metrics of its target, one set per repetition.
        left_out: block label -> metrics of its target.
        images: the number of images behind the metrics.
        level: of the intervals.
    """

    tasks: dict[str, Task]
    base: dict[str, Scores]
    permuted: dict[str, list[Scores]]
    left_out: dict[str, Scores]
    images: int
    level: float = 0.95

    def drop_permuted(self, block: str) -> Drop:
        """The drop when the output of ``block`` is exchanged between images."""
        return self._drop(block, self.permuted[block])

    def drop_left_out(self, block: str) -> Drop:
        """The drop without ``block``."""
        return self._drop(block, [self.left_out[block]])

    def _drop(self, block: str, changed: Sequence[Scores]) -> Drop:
        target = block.partition("/")[0]
        task = self.tasks[target]
        before = self.base[target][task.metric_name]
        sign = 1.0 if task.higher_is_better else -1.0
        drops = [
            100 * sign * (before - scores[task.metric_name]) / before if before else math.nan for scores in changed
        ]
        return Drop(float(np.mean(drops)), *t_interval(drops, self.level))


def t_interval(values: Sequence[float], level: float) -> tuple[float, float]:
    """Student's t interval of the mean; nan with fewer than two values.

    >>> [round(end, 3) for end in t_interval([1.0, 2.0, 3.0], 0.95)]
    [-0.484, 4.484]
    """
    if len(values) < 2:
        return math.nan, math.nan
    mean, half = np.mean(values), stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return float(mean - half), float(mean + half)


@torch.no_grad()
def measure_importance(
    trained: Trained,
    repetitions: int,
    seed: int = 0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda batches: batches,
) -> Importance:
    """Permute and leave out each block of a trained network over its validation images.

    A permutation shuffles the images into batches and, within each batch, gives every image the block's output for
    the image before it: every image gets the output of another one, and memory stays that of one batch.

    Args:
        repetitions: the number of permutations.
        seed: of the shuffles.
        progress: may wrap the batches of all repetitions in a progress bar.

    Raises:
        InputError: a network without blocks, fewer than two images, or less than one repetition.
    """
    network = unwrap(trained.model)
    if not isinstance(network, MultiTaskNetwork) or network.grid is None:
        raise InputError(f"{trained.checkpoint.parents[1]}: {trained.config.model.blocks} has no blocks to permute")
    if repetitions < 1:
        raise InputError(f"repetitions: {repetitions}, expected at least 1")
    dataset = trained.data.val_set()
    if len(dataset) < 2:
        raise InputError(f"{dataset.root}: {len(dataset)} validation image, expected at least 2 to exchange outputs")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trained.model.to(device)
    orders = [shuffled_batches(len(dataset), trained.data.eval_batch_size, [seed, r]) for r in range(repetitions)]
    loader = Loader(dataset, trained.data.workers, stream=[batch for order in orders for batch in order])
    measurement = _Measurement(trained, network, network.grid, repetitions, device)
    for number, batch in enumerate(progress(loader)):
        if len(parts(batch)) > 1:
            raise InputError(
                f"{dataset.root}: validation images differ in size, and blocks' outputs are exchanged between images: "
                "a larger data.eval_size pads all to one size"
            )
        measurement.add(move_data_to_device(batch, device), number // len(orders[0]))
    return measurement.result(len(dataset))


class _Measurement:
    """The running metrics of the unchanged network, and of its blocks permuted and left out."""

    def __init__(
        self, trained: Trained, network: MultiTaskNetwork, grid: ContextGrid, repetitions: int, device: torch.device
    ) -> None:
        self.trained, self.network, self.grid, self.tasks = trained, network, grid, trained.tasks
        blocks = {
            label(target, source): target
            for target in grid.tasks
            for source in grid.tasks
            if not getattr(grid.blocks[label(target, source)], "produces_zeros", False)
        }

        def new(task: str) -> Metric:
            return self.tasks[task].metric().to(device)

        self.base = {task: new(task) for task in self.tasks}
        self.left_out = {block: new(target) for block, target in blocks.items()}
        self.permuted = {block: [new(target) for _ in range(repetitions)] for block, target in blocks.items()}

    def add(self, batch: Mapping[str, Any], repetition: int) -> None:
        """Update the metrics of one repetition; the first one also measures the blocks left out."""
        with fusion_inputs(self.grid.fusions) as captured:
            final = outputs_of(self.trained.model, batch)["final"]
        if repetition == 0:
            for task, metric in self.base.items():
                metric.update(self.tasks[task].predict(final[task]), batch[task])
        for target, (features, contexts) in captured.items():
            predict = partial(self._predict, target, batch["image"], features, contexts)
            for place, source in enumerate(self.grid.tasks):
                block = label(target, source)
                if block not in self.permuted:
                    continue
                self.permuted[block][repetition].update(predict(place, contexts[place].roll(1, 0)), batch[target])
                if repetition == 0:
                    self.left_out[block].update(predict(place, torch.zeros_like(contexts[place])), batch[target])

    def _predict(
        self, target: str, image: Tensor, features: Tensor, contexts: Sequence[Tensor], place: int, context: Tensor
    ) -> Tensor:
        """The prediction of a target when one block gives ``context`` instead of its own output."""
        fused = self.grid.fusions[target](features, [*contexts[:place], context, *contexts[place + 1 :]])
        return self.tasks[target].predict(upsampled(self.network.logits[target](fused), image))

    def result(self, images: int) -> Importance:
        return Importance(
            self.tasks,
            {task: _scores(metric) for task, metric in self.base.items()},
            {block: [_scores(metric) for metric in metrics] for block, metrics in self.permuted.items()},
            {block: _scores(metric) for block, metric in self.left_out.items()},
            images,
        )


def _scores(metric: Metric) -> Scores:
    return {name: float(value) for name, value in metric.compute().items()}


def shuffled_batches(count: int, batch_size: int, seed: Sequence[int]) -> list[list[int]]:
    """0..count-1 in random order, in batches of at least two; the same number of them for every seed.

    >>> [len(batch) for batch in shuffled_batches(9, 4, [0])]
    [4, 5]
    """
    order = np.random.default_rng(list(seed)).permutation(count).tolist()
    size = max(batch_size, 2)
    batches = [order[first : first + size] for first in range(0, count, size)]
    if len(batches[-1]) == 1 and len(batches) > 1:
        batches[-2:] = [batches[-2] + batches[-1]]
    return batches


@contextmanager
def fusion_inputs(fusions: nn.ModuleDict) -> Iterator[dict[str, tuple[Tensor, list[Tensor]]]]:
    """Within it, the input of each target's fusion: its features, and the blocks' outputs in the order of tasks."""
    captured: dict[str, tuple[Tensor, list[Tensor]]] = {}

    def keep(target: str, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        captured[target] = inputs[0], list(inputs[1])

    handles = [fusion.register_forward_pre_hook(partial(keep, target)) for target, fusion in fusions.items()]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()
