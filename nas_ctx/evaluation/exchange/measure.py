"""Measure the exchange of every candidate of a searched supernet, on its validation images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice, repeat
from typing import Any

import torch
from pytorch_lightning.utilities import move_data_to_device
from torch import Tensor, nn

from nas_ctx.analysis.validity import RunExchange
from nas_ctx.data.loading import parts
from nas_ctx.errors import InputError
from nas_ctx.evaluation.exchange.image_sums import ImageSums
from nas_ctx.evaluation.exchange.variants import Row, Variant, adapt, row_inputs, variants_of
from nas_ctx.models import MultiTaskNetwork
from nas_ctx.models.network import upsampled
from nas_ctx.runs.searched import Searched
from nas_ctx.training.optimizer import make_optimizer

Progress = Callable[[Iterable[Any]], Iterable[Any]]


def measure_exchange(
    searched: Searched,
    genotype: Mapping[str, Any],
    steps: int = 20,
    progress: Progress = lambda batches: batches,
) -> RunExchange:
    """Put the supernet at ``genotype``, and exchange each block's candidate for each other one.

    Args:
        steps: of adaptation, of each candidate with what follows it, as the search learnt: its rate, its batches.
        progress: may wrap the batches in a progress bar.

    Raises:
        InputError: a space without a grid of contexts, a genotype that it does not have, or fewer than two images.
    """
    network = next((part for part in searched.model.modules() if isinstance(part, MultiTaskNetwork)), None)
    run = searched.checkpoint.parents[1]
    if network is None or network.grid is None:
        raise InputError(f"{run}: the space {searched.config.model.space!r} has no grid of contexts to exchange")
    dataset = searched.data.val_set()
    if len(dataset) < 2:
        raise InputError(f"{dataset.root}: {len(dataset)} validation image, expected at least 2 for intervals")
    searched.choose(genotype)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    searched.model.to(device).eval()
    variants = variants_of(network.grid, dict(network.logits.items()))
    passes = _Passes(searched, network, device)
    training = searched.config.training.model_copy(update={"steps": max(steps, 1)})

    def loss(target: str, output: Tensor, batch: Mapping[str, Any]) -> Tensor:
        task = searched.tasks[target]
        return task.weight * task.loss(upsampled(output, batch["image"]), batch[target])

    def optimizer(variant: nn.Module) -> tuple[torch.optim.Optimizer, Any]:
        made = make_optimizer(variant, training)
        return made["optimizer"], made["lr_scheduler"]["scheduler"]

    adapt(variants, passes.of(progress(passes.training(steps))), loss, optimizer, training.gradient_clip)
    sums = {block: {name: ImageSums(searched.tasks[of[name].target]) for name in of} for block, of in variants.items()}
    for rows, batch in passes.of(progress(searched.data.val_dataloader())):
        _add(searched, variants, sums, rows, batch)
    return RunExchange(
        str(run),
        {block: str(genotype[block]) for block in variants},
        {block: searched.tasks[block.partition("/")[0]].higher_is_better for block in variants},
        {block: {name: of.scores() for name, of in of_block.items()} for block, of_block in sums.items()},
    )


class _Passes:
    """Forward passes of a supernet up to the rows of its grid."""

    def __init__(self, searched: Searched, network: MultiTaskNetwork, device: torch.device) -> None:
        assert network.grid is not None
        self.searched, self.network, self.grid, self.device = searched, network, network.grid, device

    def training(self, steps: int) -> Iterable[Any]:
        """So many training batches, from the beginning of the run's order."""
        return islice(chain.from_iterable(repeat(self.searched.data.train_dataloader())), steps)

    def of(self, batches: Iterable[Any]) -> Iterator[tuple[dict[str, Row], Any]]:
        """The rows of each batch of images of one size, and the batch."""
        for batch in chain.from_iterable(map(parts, batches)):
            on_device = move_data_to_device(batch, self.device)
            with torch.no_grad(), row_inputs(self.grid) as rows:
                self.network(on_device["image"])
            yield rows, on_device


@torch.no_grad()
def _add(
    searched: Searched,
    variants: Mapping[str, Mapping[str, Variant]],
    sums: Mapping[str, Mapping[str, ImageSums]],
    rows: Mapping[str, Row],
    batch: Mapping[str, Any],
) -> None:
    """Add what every variant predicts for a batch."""
    for block, of in variants.items():
        for name, variant in of.items():
            logits = upsampled(variant(rows[variant.target]), batch["image"])
            sums[block][name].add(searched.tasks[variant.target].predict(logits), batch[variant.target])
