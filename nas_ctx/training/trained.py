"""A trained network read back from its run folder, with the tasks and the data it belongs to."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from nas_ctx.config import Config, check_config, read_yaml
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.tasks import Task, make_tasks
from nas_ctx.training.checkpoints import newest_whole
from nas_ctx.training.folder import RunFolder
from nas_ctx.training.networks import build_network

_PREFIX = "_model."  # under which NNI's Lightning modules keep their network


@dataclass
class Trained:
    """What ``nas-ctx train`` left behind, ready to be used.

    Attributes:
        config: of the run.
        tasks: what the network predicts.
        model: the network with the weights of the checkpoint, in evaluation mode, on the CPU.
        data: its data module.
        checkpoint: where the weights are from.
    """

    config: Config
    tasks: dict[str, Task]
    model: nn.Module
    data: DataModule
    checkpoint: Path


def load_trained(run: str | os.PathLike[str]) -> Trained:
    """The network of a training run, from the newest checkpoint that can be read.

    Raises:
        InputError: no run folder, one of a search, or without a checkpoint.
    """
    folder = RunFolder(run)
    if not folder.config.exists():
        raise InputError(f"{folder.path}: expected the folder of a training run, with config.yaml and checkpoints/")
    config = check_config(read_yaml(folder.config), str(folder.config))
    checkpoint, refused = newest_whole(folder.checkpoints)
    if checkpoint is None:
        raise InputError("; ".join(refused) or f"{folder.checkpoints}: holds no checkpoint, expected step=<n>.ckpt")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    weights = {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}
    if not weights:
        raise InputError(
            f"{folder.path}: is a search, whose network is a mixture: train its genotype, and name that run"
        )
    tasks = make_tasks(config.tasks)
    # A run keeps its choices itself: the file that its configuration names may have moved.
    blocks = str(folder.genotype) if folder.genotype.exists() else config.model.blocks
    model = build_network(dataclasses.replace(config.model, pretrained=False, blocks=blocks), tasks)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise InputError(f"{checkpoint}: does not fit the network of {folder.config}: {first}") from None
    data = DataModule(**vars(config.data), tasks=tasks, seed=config.seed)
    return Trained(config, tasks, model.eval(), data, checkpoint)
