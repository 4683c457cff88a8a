"""The two things that a configuration can ask for: a search, and the training of a network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from nni.nas.evaluator.pytorch import Lightning
from nni.nas.nn.pytorch import ModelSpace
from torch import nn

from nas_ctx.config import Config
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.runs.callbacks.progress import Report
from nas_ctx.runs.checkpoints import fault_of
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.started import StartedRun, started
from nas_ctx.runs.trainer import make_trainer, resume_from
from nas_ctx.search import GumbelSearch
from nas_ctx.tasks import Task
from nas_ctx.training import MultiTaskModule
from nas_ctx.training.networks import block_choices, make_search_space, network_of


def search(config: Config, *, report: Report | None = None, progress: bool = True) -> Genotype:
    """Search the contexts of the network that ``config`` describes, and leave a run folder behind.

    Args:
        report: called after every validation with its scores, the step, the mean entropy and the decided blocks.
        progress: whether to show a progress bar.

    Returns:
        The genotype; ``meta`` holds the seed, the steps, and the step at which each block was decided.

    Raises:
        InputError: an unknown component, data that are missing, an output folder that is taken.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the run is saved, and the same call resumes it.
    """
    with started(config, "search", lambda tasks: make_search_space(config.model, tasks), report, progress) as run:
        return _search(run)


def _search(run: StartedRun[ModelSpace]) -> Genotype:
    config, folder = run.config, run.folder
    strategy = GumbelSearch(
        config.search, gradient_clip=config.training.gradient_clip, seed=config.seed, history=folder.history
    )
    module = MultiTaskModule(run.tasks, config.training)
    checkpoint = resume_from(run)
    trainer = make_trainer(run, clip=False)
    evaluator = Lightning(module, trainer, datamodule=run.data, fit_kwargs={"ckpt_path": checkpoint})
    supernet = strategy.mutate_model(run.network)
    with run.stop.stoppable():
        strategy.mutate_evaluator(evaluator).evaluate(supernet)
        _score(trainer, module, run.data)

    genotype = strategy.genotype(seed=config.seed, steps=trainer.global_step)
    if trainer.is_global_zero:
        folder.check_there()
        genotype.save(folder.genotype)
        _finish(folder, trainer, module)
    return genotype


def train(config: Config, *, report: Report | None = None, progress: bool = True) -> dict[str, float]:
    """Train the network that ``config`` describes, and leave a run folder behind; return its metrics.

    Arguments and errors are those of :func:`search`.
    """

    def make(tasks: Mapping[str, Task]) -> nn.Module:
        return network_of(config.model, tasks, block_choices(config.model, tasks, config.seed))

    with started(config, "train", make, report, progress) as run:
        return _train(run)


def _train(run: StartedRun[nn.Module]) -> dict[str, float]:
    config, folder = run.config, run.folder
    choices = block_choices(config.model, run.tasks, config.seed)
    module = MultiTaskModule(run.tasks, config.training)
    module.set_model(run.network)
    checkpoint = resume_from(run)
    trainer = make_trainer(run, clip=True)
    if choices is not None and trainer.is_global_zero:
        choices.save(folder.genotype)
    with run.stop.stoppable():
        trainer.fit(module, datamodule=run.data, ckpt_path=checkpoint)
        _score(trainer, module, run.data)
    if trainer.is_global_zero:
        _finish(folder, trainer, module)
    return module.scores


def _score(trainer: pl.Trainer, module: MultiTaskModule, data: DataModule) -> None:
    """Validate the final weights, unless that was the last thing done: a run may have been killed in between."""
    if module.scored_step != trainer.global_step:
        trainer.validate(trainer.lightning_module, datamodule=data, verbose=False)


def _finish(folder: RunFolder, trainer: pl.Trainer, module: MultiTaskModule) -> None:
    """Mark the run as finished, if its last weights can be read.

    JSON holds no numbers that are not finite: what is none (a metric without a valid pixel) becomes null.
    """
    last = folder.checkpoints / f"step={trainer.global_step}.ckpt"
    fault = fault_of(last)
    if fault is not None:
        raise InputError(f"{last}: {fault}: the run is not finished; the same command resumes an earlier checkpoint")
    folder.write_details(module.details)
    folder.write_metrics({name: value if math.isfinite(value) else None for name, value in module.scores.items()})


def describe(genotype: Genotype) -> dict[str, Any]:
    """The choices as plain JSON, as a trial's final result carries them."""
    return json.loads(json.dumps(genotype.to_json()["choices"]))
