"""How long a run would take on this device: some of its steps are done for real, and nothing is written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from nni.nas.evaluator.pytorch import Lightning, Trainer
from pytorch_lightning import Callback, LightningModule

from nas_ctx.config import Config
from nas_ctx.runs.devices import devices_of, silence_lightning
from nas_ctx.runs.started import admitted
from nas_ctx.search import GumbelSearch
from nas_ctx.training import MultiTaskModule
from nas_ctx.training.networks import block_choices, make_search_space, network_of

WARM_UP = 2
"""Steps that are not counted: the first ones also make what later ones reuse."""


@dataclass(frozen=True)
class Timing:
    """What steps took.

    Attributes:
        device: that they were done on.
        seconds: of a step, loading its images included.
        memory: the most memory of a GPU in use, in bytes; None on a processor.
    """

    device: str
    seconds: float
    memory: int | None


def time_steps(config: Config, command: str, steps: int) -> Timing:
    """Do ``steps`` steps of ``nas-ctx search`` or ``train`` (``command``), after two that are not counted.

    Raises:
        InputError: the data are missing, or a component or device is refused.
    """
    tasks, data, _ = admitted(config)
    silence_lightning()
    module, watch = MultiTaskModule(tasks, config.training), _Stopwatch(steps)
    trainer = Trainer(
        **devices_of(config.training),
        max_steps=config.training.steps,
        limit_val_batches=0,
        callbacks=[watch],
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if command == "search":
        strategy = GumbelSearch(config.search, gradient_clip=config.training.gradient_clip, seed=config.seed)
        supernet = strategy.mutate_model(make_search_space(config.model, tasks))
        strategy.mutate_evaluator(Lightning(module, trainer, datamodule=data)).evaluate(supernet)
    else:
        module.set_model(network_of(config.model, tasks, block_choices(config.model, tasks, config.seed)))
        trainer.fit(module, datamodule=data)
    return watch.timing()


class _Stopwatch(Callback):
    """Ends the training after ``steps`` steps behind the first two."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._times: list[float] = []
        self._device = torch.device("cpu")

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._device = pl_module.device
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)  # what was only queued is done
        self._times.append(time.perf_counter())
        trainer.should_stop = trainer.should_stop or len(self._times) >= self.steps + WARM_UP

    def timing(self) -> Timing:
        """The mean over what was done, without the first steps where there were more."""
        counted = self._times[WARM_UP - 1 :] if len(self._times) > WARM_UP else self._times
        seconds = (counted[-1] - counted[0]) / max(len(counted) - 1, 1)
        if self._device.type != "cuda":
            return Timing("processor", seconds, None)
        name = torch.cuda.get_device_name(self._device)
        return Timing(name, seconds, torch.cuda.max_memory_allocated(self._device))
