"""How a run starts: it is admitted, its parts are made, its folder is locked, and signals are handled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import nn

from nas_ctx.config import Config
from nas_ctx.data import DataModule
from nas_ctx.files import umask
from nas_ctx.models import Backbone
from nas_ctx.plugins import load_plugins
from nas_ctx.runs.admission import refusals
from nas_ctx.runs.callbacks.log import log, logged
from nas_ctx.runs.callbacks.progress import Report
from nas_ctx.runs.devices import check_devices
from nas_ctx.runs.feature_memory import check_memory
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.stopping import StopRequest, stop_on_signals
from nas_ctx.runs.trained import start_from
from nas_ctx.tasks import Task, make_tasks
from nas_ctx.training.networks import weights_of

Network = TypeVar("Network", bound=nn.Module)


def is_first_process() -> bool:
    """Whether this is the process, of those of a distributed run, that writes and speaks for all."""
    return bool(rank_zero_only.rank == 0)


@dataclass
class StartedRun(Generic[Network]):
    """A run that has started, which all its parts are made from.

    Attributes:
        config: as resolved.
        folder: of the run, locked.
        tasks: name -> task, in the order of the grid.
        data: the images and labels.
        network: the network to be trained, or the space to be searched.
        stop: whether the run was asked to stop.
        report: called after every validation with its scores.
        progress: whether to show a progress bar.
    """

    config: Config
    folder: RunFolder
    tasks: dict[str, Task]
    data: DataModule
    network: Network
    stop: StopRequest
    report: Report | None
    progress: bool


def admitted(config: Config) -> tuple[dict[str, Task], DataModule, list[str]]:
    """The tasks and the data of a run that nothing refuses but, perhaps, its folder; threads and seeds are set.

    The third result is what is odd about the data, one line each.

    Raises:
        InputError: an unknown component or device, or data that are missing or fewer than a batch.
    """
    load_plugins(config)
    tasks = make_tasks(config.tasks)
    for key, error in refusals(config, tasks).items():
        if key != "output":  # looked at again, once it is locked
            raise error
    data = DataModule.from_config(config.data, tasks, config.seed)
    odd = data.judge()
    check_devices(config.training)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    return tasks, data, odd


def check_sizes(network: nn.Module, sizes: Iterable[tuple[int, int]]) -> None:
    """Refuse validation images of sizes that a backbone does not take, before the first validation would."""
    backbones = [module for module in network.modules() if isinstance(module, Backbone)]
    for size in sizes:
        for backbone in backbones:
            backbone.check_size(*size)


@contextmanager
def started(
    config: Config, command: str, make: Callable[[Mapping[str, Task]], Network], report: Report | None, progress: bool
) -> Iterator[StartedRun[Network]]:
    """Admit the run, make its network, lock its folder, and handle signals while the block runs.

    The folder comes last, so that a run that is refused leaves none behind, and a taken folder hides no mistake.
    """
    tasks, data, odd = admitted(config)
    folder = RunFolder.of(config)
    with stop_on_signals() as stop, ExitStack() as stack:
        network = make(tasks)
        if config.model.start_from is not None:
            start_from(network, config.model.start_from)
        if config.umask != -1:
            stack.enter_context(umask(config.umask))
        check_sizes(network, data.eval_sizes())
        cached = check_memory(config, network, data)
        if is_first_process():  # of several processes the first one looks after the folder
            stack.enter_context(folder.held())
            weights = weights_of(network)
            folder.begin(config, command, tasks, weights)
            stack.enter_context(logged(folder.path, command))
            if weights is not None and weights.by_order:
                log.info("model.weights: no name is the model's: its %d tensors are taken in order", len(weights.state))
            if cached is not None:
                log.info("keeps %s", cached)
            for line in odd:
                log.warning("%s", line)
        yield StartedRun(config, folder, tasks, data, network, stop, report, progress)
