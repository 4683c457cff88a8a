"""A trained network read back from its run folder, with the tasks and the data it belongs to."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nas_ctx.config import Config, read_config
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.escaping import visible
from nas_ctx.genotype import Genotype
from nas_ctx.models.true_regions import unwrap
from nas_ctx.models.weights import without_weights
from nas_ctx.plugins import load_plugins
from nas_ctx.runs.checkpoints import newest_whole
from nas_ctx.runs.folder import RunFolder
from nas_ctx.tasks import Task, make_tasks
from nas_ctx.training.networks import build_network, misfit

_PREFIX = "_model."  # under which NNI's Lightning modules keep their network
_SEARCH_PREFIX = "training_module._model.network."  # and where it stands inside a search


@dataclass
class Trained:
    """A trained network, ready to be used.

    Attributes:
        config: of the run.
        tasks: what the network predicts.
        model: the network with the weights of the checkpoint, in evaluation mode, on the CPU.
        data: its data module.
        checkpoint: where the weights are from.
        genotype: what is in the blocks; None without blocks.
    """

    config: Config
    tasks: dict[str, Task]
    model: nn.Module
    data: DataModule
    checkpoint: Path
    genotype: Genotype | None = None


def load_trained(run: str | os.PathLike[str], *, trust: bool = False) -> Trained:
    """The network of a training run, from the newest checkpoint that can be read.

    Args:
        trust: run the code that the folder's configuration names, a plugin or ``module:Name``. Weights run nothing.

    Raises:
        InputError: no run folder, one of a search, or without a checkpoint; code without ``trust``.
    """
    folder = RunFolder(run)
    config, tasks = opened(folder, "training", trust)
    checkpoint, weights = trained_weights(folder)
    # The run has a copy of its choices: the file that its configuration names may have moved.
    blocks = str(folder.genotype) if folder.genotype.exists() else config.model.blocks
    with without_weights():  # the checkpoint's follow
        model = build_network(config.model.model_copy(update={"blocks": blocks}), tasks)
    fill(model, weights, checkpoint, f"the network of {folder.config}")
    data = DataModule.from_config(config.data, tasks, config.seed)
    genotype = Genotype.load(folder.genotype) if folder.genotype.exists() else None
    return Trained(config, tasks, model.eval(), data, checkpoint, genotype)


def opened(folder: RunFolder, kind: str, trust: bool) -> tuple[Config, dict[str, Task]]:
    """The configuration of a run and its tasks; code that it names is loaded with ``trust`` only.

    Raises:
        InputError: no run folder; it says that one of a ``kind`` of run was expected. Code without ``trust``.
    """
    if not folder.config.exists():
        raise InputError(f"{folder.path}: expected the folder of a {kind} run, with config.yaml and checkpoints/")
    config = read_config(folder.config)
    named = [code for code in config.named_code if not code.split(": ")[1].startswith(("nas_ctx.", "search_spaces."))]
    if named and not trust:
        code = ", ".join(named)
        raise InputError(f"{folder.config} names code ({code}), which runs with --trust only; use that if you know it")
    if named:
        load_plugins(config)
    return config, make_tasks(config.tasks)


def trained_weights(folder: RunFolder) -> tuple[Path, dict[str, Tensor]]:
    """The newest checkpoint of a training run that can be read, and the network's weights in it by name."""
    checkpoint, state = newest_state(folder)
    weights = weights_under(_PREFIX, state)
    if not weights:
        raise InputError(
            f"{folder.path}: is a search, whose network is a mixture: train its genotype, and name that run"
        )
    return checkpoint, weights


def start_from(network: nn.Module, run: str | os.PathLike[str]) -> None:
    """Give ``network`` the weights of a run wherever names and shapes agree.

    A search or a training then begins where another one, with the same backbone, has ended. From a search the weights
    of its candidates are taken, not its choices. What the run does not have (the blocks, for a baseline) keeps its
    initial values.

    Raises:
        InputError: the run has no readable checkpoint, or another backbone.
    """
    checkpoint, state = newest_state(RunFolder(run))
    weights = weights_under(_PREFIX, state) or weights_under(_SEARCH_PREFIX, state)
    network = unwrap(getattr(network, "network", network))  # a space has its network inside
    own = network.state_dict()
    shared = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
    lacking = next((name for name in own if name.startswith("backbone.") and name not in shared), None)
    if lacking is not None:
        raise InputError(f"model.start_from: {checkpoint}: is of another backbone: {lacking} does not fit")
    network.load_state_dict(shared, strict=False)


def newest_state(folder: RunFolder) -> tuple[Path, dict[str, Tensor]]:
    """The newest checkpoint of a run that can be read, and all weights in it by name."""
    checkpoint, refused = newest_whole(folder.checkpoints)
    if checkpoint is None:
        told = "; ".join(f"{path}: {fault}" for path, fault in refused.items())
        raise InputError(told or f"{folder.checkpoints}: holds no checkpoint, expected step=<n>.ckpt")
    for path, fault in refused.items():
        print(visible(f"{path}: {fault}; using {checkpoint.name}"), file=sys.stderr)
    return checkpoint, torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]


def fill(model: nn.Module, weights: dict[str, Tensor], checkpoint: Path, what: str) -> None:
    """Give ``model`` the weights of a checkpoint; ``what`` describes the model in errors.

    Raises:
        InputError: weights of another model.
    """
    wrong = misfit(model, weights)
    if wrong is not None:
        raise InputError(f"{checkpoint}: does not fit {what}: {wrong}")
    model.load_state_dict(weights)


def weights_under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights whose names begin with ``prefix``, by the rest of the name."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
