"""The two things that a configuration can ask for: a search, and the training of a network."""

from __future__ import annotations

import json
import logging
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytorch_lightning as pl
import torch
import yaml
from nni.nas.evaluator.pytorch import Lightning, Trainer
from nni.nas.nn.pytorch import ModelSpace
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import nn

from nas_ctx.config import Config, check_config, differences, to_yaml
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.plugins import load_plugins
from nas_ctx.runs.callbacks.log import RunLog, log, logged
from nas_ctx.runs.callbacks.progress import Progress, Report, StepSeeds
from nas_ctx.runs.callbacks.stepbar import StepBar
from nas_ctx.runs.checkpoints import UNSEALED, Checkpoints, fault_of, newest_whole, set_aside
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.seal import SealedIO
from nas_ctx.runs.stopping import StopRequest, StopRun, stop_on_signals
from nas_ctx.runs.trained import start_from
from nas_ctx.search import GumbelSearch
from nas_ctx.tasks import Task, make_tasks
from nas_ctx.training import MultiTaskModule
from nas_ctx.training.networks import block_choices, build_network, make_backbone, make_search_space, weights_of


def search(config: Config, *, report: Report | None = None, progress: bool = True) -> Genotype:
    """Search the contexts of the network that ``config`` describes, and leave a run folder behind.

    Args:
        report: called after every validation with its scores, the mean entropy and the number of blocks decided.
        progress: whether to show a progress bar.

    Returns:
        The genotype; ``meta`` holds the seed, the steps, and the step at which each block was decided.

    Raises:
        InputError: the configuration names what there is not, or the output folder is taken.
        Interrupted: SIGINT or SIGTERM came; the run is saved, and the same call goes on from there.
    """

    def make(tasks: Mapping[str, Task]) -> ModelSpace:
        space = make_search_space(config.model, make_backbone(config.model), tasks)
        if config.model.start_from is not None:
            start_from(getattr(space, "network", space), config.model.start_from)
        return space

    with _begun(config, "search", make) as run:
        return _search(config, run, report, progress)


def _search(config: Config, run: _Run[ModelSpace], report: Report | None, progress: bool) -> Genotype:
    folder, tasks, data = run.folder, run.tasks, run.data
    strategy = GumbelSearch(
        config.search, gradient_clip=config.training.gradient_clip, seed=config.seed, history=folder.history
    )
    module = MultiTaskModule(tasks, config.training)
    trainer = _trainer(config, run, report, progress, clip=False)
    evaluator = Lightning(module, trainer, datamodule=data, fit_kwargs={"ckpt_path": _last_checkpoint(folder, config)})
    supernet = strategy.mutate_model(run.network)
    with _stoppable(run.stop):
        strategy.mutate_evaluator(evaluator).evaluate(supernet)
        _score(trainer, module, data)

    genotype = strategy.genotype(seed=config.seed, steps=trainer.global_step)
    if trainer.is_global_zero:
        genotype.save(folder.genotype)
        _finish(folder, trainer, module)
    return genotype


def train(config: Config, *, report: Report | None = None, progress: bool = True) -> dict[str, float]:
    """Train the network that ``config`` describes, and leave a run folder behind; return its metrics.

    Arguments and errors are those of :func:`search`.
    """

    def make(tasks: Mapping[str, Task]) -> nn.Module:
        network = build_network(config.model, tasks, config.seed)
        if config.model.start_from is not None:
            start_from(network, config.model.start_from)
        return network

    with _begun(config, "train", make) as run:
        return _train(config, run, report, progress)


def _train(config: Config, run: _Run[nn.Module], report: Report | None, progress: bool) -> dict[str, float]:
    folder, tasks, data = run.folder, run.tasks, run.data
    choices = block_choices(config.model, tasks, config.seed)
    module = MultiTaskModule(tasks, config.training)
    module.set_model(run.network)
    trainer = _trainer(config, run, report, progress, clip=True)
    if choices is not None and trainer.is_global_zero:
        choices.save(folder.genotype)
    with _stoppable(run.stop):
        trainer.fit(module, datamodule=data, ckpt_path=_last_checkpoint(folder, config))
        _score(trainer, module, data)
    if trainer.is_global_zero:
        _finish(folder, trainer, module)
    return module.scores


def is_first_process() -> bool:
    """Whether this is the process, of those of a distributed run, that writes and speaks for all."""
    return bool(rank_zero_only.rank == 0)


Network = TypeVar("Network", bound=nn.Module)


@dataclass
class _Run(Generic[Network]):
    """A run that has begun: its folder, locked, its tasks, data and network, and what was asked of it by signals."""

    folder: RunFolder
    tasks: dict[str, Task]
    data: DataModule
    network: Network
    stop: StopRequest


@contextmanager
def _begun(config: Config, command: str, make: Callable[[Mapping[str, Task]], Network]) -> Iterator[_Run[Network]]:
    """Check the configuration, make the network, take the folder, and take signals while the block runs.

    The folder comes last, so that a run that is refused leaves none behind, and a taken folder hides no mistake.
    """
    if config.output is None:
        raise InputError("output: missing: expected the run folder, in the configuration or by --out")
    load_plugins(config)
    tasks = make_tasks(config.tasks)
    data = DataModule.from_config(config.data, tasks, config.seed)
    data.train_set(), data.val_set()  # refuse what is not there
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    folder = RunFolder(config.output)
    with stop_on_signals() as stop, ExitStack() as stack:
        network = make(tasks)
        if is_first_process():  # of several processes the first one looks after the folder
            stack.enter_context(folder.held())
            if folder.finished:
                raise InputError(f"output: {folder.path}: holds a finished run; name another folder or remove it")
            folder.begin(config, command, weights_of(network))
            stack.enter_context(logged(folder.path, command))
        yield _Run(folder, tasks, data, network, stop)


@contextmanager
def _stoppable(stop: StopRequest) -> Iterator[None]:
    """Let a run that was asked to stop end as :class:`~nas_ctx.runs.stopping.Interrupted`."""
    try:
        yield
    except StopRun:
        raise stop.end() from None
    except SystemExit:  # Lightning's answer to a KeyboardInterrupt
        raise stop.end() from None
    finally:
        stop.learning = False


def _score(trainer: pl.Trainer, module: MultiTaskModule, data: DataModule) -> None:
    """Validate the final weights, unless that was the last thing done: a run may have been killed in between."""
    if module.scored_step != trainer.global_step:
        trainer.validate(trainer.lightning_module, datamodule=data, verbose=False)


def _trainer(config: Config, run: _Run, report: Report | None, progress: bool, clip: bool) -> pl.Trainer:
    training, folder = config.training, run.folder
    strategy = training.strategy
    if strategy == "auto" and training.devices > 1:
        strategy = "ddp_find_unused_parameters_true"  # blocks that have decided stop using parameters
    checkpoint_every = min(training.checkpoint_every or training.steps, training.steps)
    callbacks: list[pl.Callback] = [
        StepSeeds(config.seed),
        Progress(folder, report),
        Checkpoints(folder.checkpoints, checkpoint_every, run.stop, to_yaml(config)),
    ]
    if is_first_process():
        callbacks.append(RunLog())
    if progress:
        callbacks.append(StepBar())
    _quieten()
    try:
        trainer = Trainer(
            max_steps=training.steps,
            val_check_interval=min(training.validate_every or training.steps, training.steps),
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            log_every_n_steps=training.log_every,
            # Under a search the strategy clips: Lightning cannot where optimisation is manual.
            gradient_clip_val=training.gradient_clip if clip else None,
            precision=training.precision,
            accelerator=training.accelerator,
            devices=training.devices,
            strategy=strategy,
            sync_batchnorm=training.sync_batchnorm,
            use_distributed_sampler=False,  # our loaders part the data among the processes themselves
            callbacks=callbacks,
            plugins=[SealedIO()],
            enable_checkpointing=False,  # ours is a callback
            logger=False,
            enable_progress_bar=False,  # ours is a callback
            enable_model_summary=False,
            default_root_dir=folder.path,
        )
    except (ValueError, pl.utilities.exceptions.MisconfigurationException) as error:
        raise InputError(f"training: {error}") from None
    on_processors = isinstance(trainer.accelerator, pl.accelerators.CPUAccelerator)
    if training.sync_batchnorm and trainer.world_size > 1 and on_processors:
        raise InputError("training.sync_batchnorm: True: PyTorch synchronises batch norms on GPUs only")
    return trainer


def _last_checkpoint(folder: RunFolder, config: Config) -> str | None:
    """The newest whole checkpoint of an unfinished run, to go on from; others are named and passed over."""

    def differing(text: str) -> list[str]:
        return differences(check_config(yaml.safe_load(text), "its configuration"), config)

    path, refused = newest_whole(folder.checkpoints, differing)
    if path is None and UNSEALED in refused.values():
        raise InputError("; ".join(f"{bad}: {fault}" for bad, fault in refused.items()))
    for bad, fault in refused.items() if is_first_process() else ():
        said = f"{bad}: {fault}; now {set_aside(bad).name}; {'using ' + path.name if path else 'starting anew'}"
        print(said, file=sys.stderr)
        log.info("%s", said)
    if path is not None:
        log.info("goes on from %s", path.name)
    return None if path is None else str(path)


def _finish(folder: RunFolder, trainer: pl.Trainer, module: MultiTaskModule) -> None:
    """Mark the run as finished, if its last weights can be read.

    JSON holds no numbers that are not finite: what is none (a metric without a valid pixel) becomes null.
    """
    last = folder.checkpoints / f"step={trainer.global_step}.ckpt"
    fault = fault_of(last)
    if fault is not None:
        raise InputError(f"{last}: {fault}: the run is not finished, and the same command goes on from an earlier one")
    folder.write_metrics({name: value if math.isfinite(value) else None for name, value in module.scores.items()})


def _quieten() -> None:
    """Leave out what Lightning and NNI say of themselves; its warnings about the run stay."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("nni").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*isinstance\\(treespec, LeafSpec\\).*")


def describe(genotype: Genotype) -> dict[str, Any]:
    """The choices as plain JSON, as a trial's final result carries them."""
    return json.loads(json.dumps(genotype.to_json()["choices"]))
