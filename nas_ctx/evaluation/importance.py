"""How much does each block of a trained network matter? Its output is exchanged between images, or left out.

Permutation testing (section 4.4 of the paper): where a block's output for an image is replaced by that for another
image, the target's metric drops by as much as the network relied on what the block had to say about this image. Left
out means replaced by zeros, which is what *none* gives; a network has never seen that in training.

Only what enters the target's fusion changes, so one pass through the network serves all its blocks: what comes after
the blocks is computed again for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
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

from nas_ctx.data.loading import Loader
from nas_ctx.errors import InputError
from nas_ctx.models import MultiTaskNetwork
from nas_ctx.models.grid import label
from nas_ctx.models.network import upsampled
from nas_ctx.models.true_regions import inner
from nas_ctx.runs.trained import Trained
from nas_ctx.tasks import Task
from nas_ctx.training.module import outputs_of

Scores = dict[str, float]


@dataclass(frozen=True)
class Drop:
    """How much worse the target's main metric gets, in percent of what it was; positive: the block helps.

    Attributes:
        low, high: of a t interval over the repetitions, which says how well the mean over all permutations is known;
            nan with fewer than two.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """The target's metrics after a change to one block, for every block that is not *none*.

    Attributes:
        tasks: in the order of the grid.
        base: task -> metrics of the network as it is.
        permuted: block label -> metrics of its target, one set per repetition.
        left_out: block label -> metrics of its target.
        images: how many the metrics are over.
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

    def _drop(self, block: str, scores: Sequence[Scores]) -> Drop:
        target = block.partition("/")[0]
        task = self.tasks[target]
        before = self.base[target][task.metric_name]
        sign = 1.0 if task.higher_is_better else -1.0
        drops = [100 * sign * (before - of[task.metric_name]) / before if before else math.nan for of in scores]
        return Drop(float(np.mean(drops)), *t_interval(drops, self.level))


def t_interval(values: Sequence[float], level: float) -> tuple[float, float]:
    """The t interval of the mean.

    >>> [round(end, 3) for end in t_interval([1.0, 2.0, 3.0], 0.95)]
    [-0.484, 4.484]
    """
    if len(values) < 2:
        return math.nan, math.nan
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


@torch.no_grad()
def measure_importance(
    trained: Trained,
    repetitions: int,
    seed: int = 0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda batches: batches,
) -> Importance:
    """Permute and leave out each block of a trained network over its validation images.

    A permutation shuffles the images into batches and, within each batch, hands every image the block's output for
    the one before it: every image gets that of another one, and memory is that of a batch.

    Args:
        repetitions: permutations.
        seed: of the shuffles.
        progress: may wrap the batches of all repetitions in a progress bar.

    Raises:
        InputError: a network without blocks, fewer than two images, or less than one repetition.
    """
    network = inner(trained.model)
    if not isinstance(network, MultiTaskNetwork) or network.grid is None:
        raise InputError(f"{trained.checkpoint.parents[1]}: {trained.config.model.blocks} has no blocks to permute")
    if repetitions < 1:
        raise InputError(f"repetitions: {repetitions}, expected at least 1")
    dataset = trained.data.val_set()
    if len(dataset) < 2:
        raise InputError(f"{dataset.root}: {len(dataset)} validation image, expected at least 2 to exchange outputs")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trained.model.to(device)
    orders = [shuffled_batches(len(dataset), trained.data.eval_batch_size, [seed, r]) for r in range(repetitions)]
    loader = Loader(dataset, trained.data.workers, stream=[batch for order in orders for batch in order])

    def fresh(block_or_task: str) -> Metric:
        return trained.tasks[block_or_task.partition("/")[0]].metric().to(device)

    base = {name: fresh(name) for name in trained.tasks}
    left_out: dict[str, Metric] = {}
    permuted: dict[str, list[Metric]] = {}
    for number, batch in enumerate(progress(loader)):
        batch = move_data_to_device(batch, torch.device(device))
        repetition = number // len(orders[0])
        with fusion_inputs(network.grid.fusions) as captured:
            final = outputs_of(trained.model, batch)["final"]
        if repetition == 0:
            for name, metric in base.items():
                metric.update(trained.tasks[name].predict(final[name]), batch[name])
        for target, (features, contexts) in captured.items():
            after = partial(_after, network, trained.tasks[target], target, batch["image"], features)
            for place, source in enumerate(trained.tasks):
                block = label(target, source)
                if getattr(network.grid.blocks[block], "produces_zeros", False):
                    continue
                while len(permuted.setdefault(block, [])) <= repetition:
                    permuted[block].append(fresh(block))
                exchanged = after(_replaced(contexts, place, contexts[place].roll(1, 0)))
                permuted[block][repetition].update(exchanged, batch[target])
                if repetition == 0:
                    without = after(_replaced(contexts, place, torch.zeros_like(contexts[place])))
                    left_out.setdefault(block, fresh(block)).update(without, batch[target])
    return Importance(
        trained.tasks,
        {name: _scores(metric) for name, metric in base.items()},
        {block: [_scores(metric) for metric in metrics] for block, metrics in permuted.items()},
        {block: _scores(metric) for block, metric in left_out.items()},
        images=len(dataset),
    )


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
    """Within it, what each target's fusion is given: its features, and the blocks' outputs in the order of tasks."""
    captured: dict[str, tuple[Tensor, list[Tensor]]] = {}

    def keep(target: str, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        captured[target] = inputs[0], list(inputs[1])

    handles = [fusion.register_forward_pre_hook(partial(keep, target)) for target, fusion in fusions.items()]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def _after(
    network: MultiTaskNetwork, task: Task, target: str, image: Tensor, features: Tensor, contexts: list[Tensor]
) -> Tensor:
    """The prediction of a target from what its fusion is given."""
    assert network.grid is not None
    fused = network.grid.fusions[target](features, contexts)
    return task.predict(upsampled(network.logits[target](fused), image))


def _replaced(contexts: Sequence[Tensor], place: int, new: Tensor) -> list[Tensor]:
    return [*contexts[:place], new, *contexts[place + 1 :]]


def _scores(metric: Metric) -> Scores:
    return {name: float(value) for name, value in metric.compute().items()}
