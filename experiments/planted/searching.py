"""Searches of planted worlds: one space, one evaluator and one budget, whatever the strategy."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas_ctx.search import GumbelSearch  # before any other part of NNI's one-shot package

from nni.nas.evaluator.pytorch import DataLoader, Lightning, LightningModule, Trainer  # isort: skip
from nni.nas.strategy import DARTS, ENAS, GumbelDARTS, RandomOneShot  # isort: skip
from torch.utils.data import IterableDataset

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.files import write_text
from search_spaces.planted import Planted, PlantedSpace

PAPER: dict[str, Any] = {"evaluate": "all"}
"""The settings of :class:`~nas_ctx.search.GumbelSearch` that are the paper's."""

SHARP: dict[str, Any] = {**PAPER, "arch_lr": 0.02, "warmup_steps": 40, "resource_weight": 0.1}
"""Those that the studies here found best; the rest is the paper's."""


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
        alpha: deviation of the alphas that ``GumbelSearch`` starts from; 0 starts from equal probabilities.
        contexts: the candidates.
    """

    strategy: str = "GumbelSearch"
    passes: int = 160
    batch: int = 16
    rate: float = 0.04
    settings: Mapping[str, Any] = field(default_factory=lambda: dict(SHARP))
    affine: bool = False
    alpha: float = 0.0
    contexts: Sequence[str] = CONTEXT_NAMES


@dataclass(frozen=True)
class Found:
    """What a search found: block label -> choice; the blocks that were decided, with the step; the candidates that were
    eliminated; seconds of wall clock and of processor time."""

    choices: dict[str, str]
    decided_at: dict[str, int]
    eliminated: dict[str, list[str]]
    seconds: float
    processor_seconds: float


class _Images(IterableDataset):
    """``length`` batches of a world, as (features, regions, labels)."""

    def __init__(self, world: Planted, batch: int, seed: int, length: int) -> None:
        self.world, self.batch, self.seed, self.length = world, batch, seed, length

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.length):
            yield tuple(self.world.sample(self.batch, generator))

    def __len__(self) -> int:
        return self.length


class _Named(_Images):
    """The same, every batch with the name of what it is for.

    NNI's ENAS tells training batches from those that make a reward by a tuple that Lightning no longer hands on (2.6
    hands on the batch alone). What it still takes are pairs of a batch and "train" or "val".
    """

    def __init__(self, name: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.name = name

    def __iter__(self) -> Iterator[Any]:
        return ((images, self.name) for images in super().__iter__())


class _Regression(LightningModule):
    """Squared error, mean over all but the tasks and summed over them; Adam with cosine decay."""

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self.rate, self.steps = rate, steps

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        features, regions, labels = batch
        return (self.model((features, regions)) - labels).square().mean((0, 2, 3, 4)).sum()

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """ENAS takes its reward from here. Otherwise a search here is judged by what it finds."""
        self.log("default", -self.training_step(batch, batch_idx))

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.Adam(self.parameters(), self.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def search(world: Planted, plan: Plan, seed: int) -> Found:
    """Search ``world`` once. The answer depends on the arguments only."""
    torch.manual_seed(seed)
    start, start_processor = time.perf_counter(), time.process_time()
    answer = STRATEGIES[plan.strategy](world, plan, seed)
    return Found(*answer, time.perf_counter() - start, time.process_time() - start_processor)


def search_once(world: Planted, plan: Plan, seed: int, folder: Path | None) -> Found:
    """:func:`search`, unless ``folder`` has the answer from before; otherwise it will."""
    if folder is None:
        return search(world, plan, seed)
    asked = json.dumps([asdict(world), asdict(plan), seed], sort_keys=True)
    path = folder / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"asked": asked, "found": asdict(search(world, plan, seed))}, indent=1) + "\n")
    return Found(**json.loads(path.read_text())["found"])


def _run(
    world: Planted, plan: Plan, seed: int, strategy: Any, steps: int, epochs: int = 1, named: bool = False
) -> LightningModule:
    """Run a one-shot strategy on the world's space; return its search module. NNI's bookkeeping is left out.

    ``steps`` is those of an epoch; ``named`` hands the strategy batches with what they are for.
    """
    for name in ("pytorch_lightning", "lightning.pytorch", "nni"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", ".*LeafSpec.*")

    def images(number: int) -> DataLoader:
        given = (world, plan.batch, 2 * seed + number, steps)
        made = _Named(("train", "val")[number], *given) if named else _Images(*given)
        return DataLoader(made, batch_size=None)

    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    module = _Regression(plan.rate, steps * epochs)
    lightning = Lightning(module, trainer, train_dataloaders=images(0), val_dataloaders=images(1))
    supernet = strategy.mutate_model(PlantedSpace(world, plan.contexts, affine=plan.affine))
    mutated = strategy.mutate_evaluator(lightning)
    mutated.evaluate(supernet)
    return mutated.module


Answer = tuple[dict[str, str], dict[str, int], dict[str, list[str]]]


class _Started(GumbelSearch):
    """A search whose alphas start from white noise of deviation ``alpha`` instead of zeros."""

    def __init__(self, alpha: float, *, seed: int, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        self.alpha = alpha

    def mutate_model(self, model: Any) -> Any:
        supernet = super().mutate_model(model)
        generator = torch.Generator().manual_seed(self.seed or 0)
        for choice in self.choices:
            choice.alpha.data += self.alpha * torch.randn(choice.alpha.shape, generator=generator)
        return supernet


def gumbel_search(world: Planted, plan: Plan, seed: int) -> GumbelSearch:
    """The strategy after its search of ``world``."""
    strategy = _Started(plan.alpha, seed=seed, **plan.settings)
    _run(world, plan, seed, strategy, plan.passes)
    return strategy


def _gumbel_search(world: Planted, plan: Plan, seed: int) -> Answer:
    choices = list(gumbel_search(world, plan, seed).choices)
    fallen = {c.label: [value for value, a in zip(c.values, c.alpha, strict=True) if a.isinf()] for c in choices}
    return {c.label: c.best for c in choices}, {c.label: c.decided_at for c in choices if c.decided}, fallen


def _two_level(make: Callable[..., Any]) -> Callable[[Planted, Plan, int], Answer]:
    """DARTS and its kin: a pass for alpha and one for the weights in every step."""

    def searched(world: Planted, plan: Plan, seed: int) -> Answer:
        strategy = make(arc_learning_rate=plan.settings.get("arch_lr", 3e-4), log_prob_every_n_step=plan.passes)
        return _run(world, plan, seed, strategy, plan.passes // 2).export(), {}, {}

    return searched


def _random_one_shot(world: Planted, plan: Plan, seed: int) -> Answer:
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
    return best, {}, {}


def _enas(world: Planted, plan: Plan, seed: int) -> Answer:
    """Five times a tenth of the passes for the weights along sampled paths, then a tenth for rewards and an update."""
    epochs = 5
    steps = plan.passes // (2 * epochs)
    strategy = ENAS(batches_per_update=steps, reward_metric_name="default")
    return _run(world, plan, seed, strategy, steps, epochs, named=True).export(), {}, {}


STRATEGIES: dict[str, Callable[[Planted, Plan, int], Answer]] = {
    "GumbelSearch": _gumbel_search,
    "DARTS": _two_level(DARTS),
    "GumbelDARTS": _two_level(GumbelDARTS),
    "RandomOneShot": _random_one_shot,
}
"""Name -> search of a world; NNI's ENAS among them where tianshou is installed, which NNI does not install."""
if find_spec("tianshou") is not None:
    STRATEGIES["ENAS"] = _enas
