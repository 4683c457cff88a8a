"""The two things that a configuration can ask for: a search, and the training of a network."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytorch_lightning as pl
import torch
from nni.nas.evaluator.pytorch import Lightning
from nni.nas.nn.pytorch import ModelSpace
from torch import nn

from nas_ctx.config import Config
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.plugins import load_plugins
from nas_ctx.runs.admission import refusals
from nas_ctx.runs.callbacks.log import logged
from nas_ctx.runs.callbacks.progress import Report
from nas_ctx.runs.checkpoints import fault_of
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.stopping import StopRequest, stop_on_signals
from nas_ctx.runs.trained import start_from
from nas_ctx.runs.trainer import is_first_process, make_trainer, resume_from
from nas_ctx.search import GumbelSearch
from nas_ctx.tasks import Task, make_tasks
from nas_ctx.training import MultiTaskModule
from nas_ctx.training.networks import block_choices, make_search_space, network_of, weights_of

Network = TypeVar("Network", bound=nn.Module)


def search(config: Config, *, report: Report | None = None, progress: bool = True) -> Genotype:
    """Search the contexts of the network that ``config`` describes, and leave a run folder behind.

    Args:
        report: called after every validation with its scores, the mean entropy and the number of blocks decided.
        progress: whether to show a progress bar.

    Returns:
        The genotype; ``meta`` holds the seed, the steps, and the step at which each block was decided.

    Raises:
        InputError: an unknown component, data that are missing, an output folder that is taken.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the run is saved, and the same call resumes it.
    """
    with _begun(config, "search", lambda tasks: make_search_space(config.model, tasks)) as run:
        return _search(config, run, report, progress)


def _search(config: Config, run: _Run[ModelSpace], report: Report | None, progress: bool) -> Genotype:
    folder = run.folder
    strategy = GumbelSearch(
        config.search, gradient_clip=config.training.gradient_clip, seed=config.seed, history=folder.history
    )
    module = MultiTaskModule(run.tasks, config.training)
    checkpoint = resume_from(folder, config)
    trainer = make_trainer(config, folder, run.stop, report, progress, clip=False)
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

    with _begun(config, "train", make) as run:
        return _train(config, run, report, progress)


def _train(config: Config, run: _Run[nn.Module], report: Report | None, progress: bool) -> dict[str, float]:
    folder = run.folder
    choices = block_choices(config.model, run.tasks, config.seed)
    module = MultiTaskModule(run.tasks, config.training)
    module.set_model(run.network)
    checkpoint = resume_from(folder, config)
    trainer = make_trainer(config, folder, run.stop, report, progress, clip=True)
    if choices is not None and trainer.is_global_zero:
        choices.save(folder.genotype)
    with run.stop.stoppable():
        trainer.fit(module, datamodule=run.data, ckpt_path=checkpoint)
        _score(trainer, module, run.data)
    if trainer.is_global_zero:
        _finish(folder, trainer, module)
    return module.scores


@dataclass
class _Run(Generic[Network]):
    """A run that has begun: its folder, locked, its tasks, data and network, and whether it was asked to stop."""

    folder: RunFolder
    tasks: dict[str, Task]
    data: DataModule
    network: Network
    stop: StopRequest


@contextmanager
def _begun(config: Config, command: str, make: Callable[[Mapping[str, Task]], Network]) -> Iterator[_Run[Network]]:
    """Admit the run, make its network, lock its folder, and handle signals while the block runs.

    The folder comes last, so that a run that is refused leaves none behind, and a taken folder hides no mistake.
    """
    load_plugins(config)
    tasks = make_tasks(config.tasks)
    for key, error in refusals(config, tasks).items():
        if key != "output":  # looked at again, once it is locked
            raise error
    folder = RunFolder.of(config)
    data = DataModule.from_config(config.data, tasks, config.seed)
    data.train_set()  # which must be larger than a batch
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    with stop_on_signals() as stop, ExitStack() as stack:
        network = make(tasks)
        if config.model.start_from is not None:
            start_from(network, config.model.start_from)
        if is_first_process():  # of several processes the first one looks after the folder
            stack.enter_context(folder.held())
            folder.begin(config, command, tasks, weights_of(network))
            stack.enter_context(logged(folder.path, command))
        yield _Run(folder, tasks, data, network, stop)


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
    folder.write_metrics({name: value if math.isfinite(value) else None for name, value in module.scores.items()})


def describe(genotype: Genotype) -> dict[str, Any]:
    """The choices as plain JSON, as a trial's final result carries them."""
    return json.loads(json.dumps(genotype.to_json()["choices"]))
