"""Searches of planted worlds: one space, one evaluator and one budget, whatever the strategy."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nas_ctx.search import GumbelSearch  # before any other part of NNI's one-shot package

from nni.nas.evaluator.pytorch import DataLoader, Lightning, LightningModule, Trainer  # isort: skip
from nni.nas.strategy import DARTS, GumbelDARTS, RandomOneShot  # isort: skip
from torch.utils.data import IterableDataset

from search_spaces.planted import PlantedSpace, World

SHARP: dict[str, Any] = {"arch_lr": 0.02, "warmup_steps": 40, "resource_weight": 0.1}
"""The settings of :class:`~nas_ctx.search.GumbelSearch` that the studies here found best; the rest is the paper's."""


@dataclass(frozen=True)
class Plan:
    """How a world is searched.

    Args:
        strategy: a key of :data:`STRATEGIES`.
        passes: forward passes of the network that a search may spend.
        batch: images of a pass.
        rate: largest learning rate of the weights.
        settings: of ``GumbelSearch``; NNI's strategies take the architecture rate from it.
        affine: whether the last norm of a candidate may scale and shift.
    """

    strategy: str = "GumbelSearch"
    passes: int = 160
    batch: int = 16
    rate: float = 0.02
    settings: Mapping[str, Any] = field(default_factory=lambda: dict(SHARP))
    affine: bool = False


@dataclass(frozen=True)
class Found:
    """What a search found: block label -> choice; the blocks that were decided, with the step; seconds of wall clock
    and of processor time."""

    choices: dict[str, str]
    decided_at: dict[str, int]
    seconds: float
    processor_seconds: float


class _Images(IterableDataset):
    """``length`` batches of a world, as (features, regions, labels)."""

    def __init__(self, world: World, batch: int, seed: int, length: int) -> None:
        self.world, self.batch, self.seed, self.length = world, batch, seed, length

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.length):
            yield tuple(self.world.sample(self.batch, generator))

    def __len__(self) -> int:
        return self.length


class _Regression(LightningModule):
    """Squared error, mean over all but the tasks and summed over them; Adam with cosine decay."""

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self.rate, self.steps = rate, steps

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        features, regions, labels = batch
        return (self.model((features, regions)) - labels).square().mean((0, 2, 3, 4)).sum()

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Nothing: a search here is judged by what it finds."""

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.Adam(self.parameters(), self.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def search(world: World, plan: Plan, seed: int) -> Found:
    """Search ``world`` once. The answer depends on the arguments only."""
    torch.manual_seed(seed)
    start, start_processor = time.perf_counter(), time.process_time()
    choices, decided_at = STRATEGIES[plan.strategy](world, plan, seed)
    return Found(choices, decided_at, time.perf_counter() - start, time.process_time() - start_processor)


def _run(world: World, plan: Plan, seed: int, strategy: Any, steps: int) -> LightningModule:
    """Run a one-shot strategy on the world's space; return its search module. NNI's bookkeeping is left out."""
    for name in ("pytorch_lightning", "lightning.pytorch", "nni"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", ".*LeafSpec.*")

    def images(number: int) -> DataLoader:
        return DataLoader(_Images(world, plan.batch, 2 * seed + number, steps), batch_size=None)

    trainer = Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    module = _Regression(plan.rate, steps)
    lightning = Lightning(module, trainer, train_dataloaders=images(0), val_dataloaders=images(1))
    supernet = strategy.mutate_model(PlantedSpace(world, affine=plan.affine))
    mutated = strategy.mutate_evaluator(lightning)
    mutated.evaluate(supernet)
    return mutated.module


Answer = tuple[dict[str, str], dict[str, int]]


def _gumbel_search(world: World, plan: Plan, seed: int) -> Answer:
    strategy = GumbelSearch(seed=seed, **plan.settings)
    _run(world, plan, seed, strategy, plan.passes)
    choices = list(strategy.choices)
    return {c.label: c.best for c in choices}, {c.label: c.decided_at for c in choices if c.decided}


def _two_level(make: Callable[..., Any]) -> Callable[[World, Plan, int], Answer]:
    """DARTS and its kin: a pass for alpha and one for the weights in every step."""

    def searched(world: World, plan: Plan, seed: int) -> Answer:
        strategy = make(arc_learning_rate=plan.settings.get("arch_lr", 3e-4), log_prob_every_n_step=plan.passes)
        return _run(world, plan, seed, strategy, plan.passes // 2).export(), {}

    return searched


def _random_one_shot(world: World, plan: Plan, seed: int) -> Answer:
    """Half of the passes train random paths; each of the others scores one, and the best is taken.

    A score is the squared error on one batch, the same for all paths.
    """
    steps = plan.passes // 2
    module = _run(world, plan, seed, RandomOneShot(), steps)
    features, regions, labels = world.sample(plan.batch, torch.Generator().manual_seed(2 * seed + 1))
    best, lowest = {}, float("inf")
    # Batch norms keep normalising by the batch: running statistics are a mixture over paths.
    with torch.no_grad():
        for _ in range(plan.passes - steps):
            path = module.resample()
            error = float((module.model((features, regions)) - labels).square().mean())
            if error < lowest:
                best, lowest = dict(path), error
    return best, {}


STRATEGIES: dict[str, Callable[[World, Plan, int], Answer]] = {
    "GumbelSearch": _gumbel_search,
    "DARTS": _two_level(DARTS),
    "GumbelDARTS": _two_level(GumbelDARTS),
    "RandomOneShot": _random_one_shot,
}
"""Name -> search of a world. NNI's ENAS and PolicyBasedRL need tianshou, which NNI does not install."""
