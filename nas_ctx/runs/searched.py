"""A searched supernet read back from its run folder, with the tasks and the data it belongs to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni.nas.nn.pytorch import ModelSpace

from nas_ctx.config import Config
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.models.weights import without_weights
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.trained import fill, newest_state, opened, weights_under
from nas_ctx.search import GumbelSearch
from nas_ctx.search.choices import Choices
from nas_ctx.tasks import Task
from nas_ctx.training.networks import make_search_space

_PREFIX = "training_module._model."  # under which the search module keeps the space


@dataclass
class Searched:
    """A searched supernet.

    Attributes:
        config: of the run.
        tasks: what it predicts.
        model: the space with the weights of the checkpoint, in evaluation mode, on the CPU. It evaluates one candidate
            of each choice.
        choices: with what was decided until the checkpoint.
        data: its data module.
        checkpoint: where the weights are from.
    """

    config: Config
    tasks: dict[str, Task]
    model: ModelSpace
    choices: Choices
    data: DataModule
    checkpoint: Path

    def choose(self, genotype: Mapping[str, Any]) -> None:
        """Evaluate the candidates of ``genotype`` from now on, whatever the search decided.

        Raises:
            InputError: a block too few, or a candidate that a block does not have.
        """
        for choice in self.choices:
            chosen = genotype.get(choice.label)
            if chosen not in choice.values:
                known = ", ".join(map(str, choice.values))
                raise InputError(
                    f"{self.checkpoint.parents[1]}: block {choice.label!r}: {chosen!r} is no candidate; known: {known}"
                )
            choice.decide(choice.values.index(chosen), choice.decided_at)


def load_searched(run: str | os.PathLike[str], *, trust: bool = False) -> Searched:
    """The supernet of a search run, from the newest checkpoint that can be read.

    Args:
        trust: run the code that the folder's configuration names, a plugin or ``module:Name``. Weights run nothing.

    Raises:
        InputError: no run folder, one of a training, or without a checkpoint; code without ``trust``.
    """
    folder = RunFolder(run)
    config, tasks = opened(folder, "search", trust)
    checkpoint, state = newest_state(folder)
    weights = weights_under(_PREFIX, state)
    if not weights:
        raise InputError(f"{folder.path}: is a training, expected a search")
    strategy = GumbelSearch(config.search, seed=config.seed)
    with without_weights():  # the checkpoint's follow
        model = strategy.mutate_model(make_search_space(config.model, tasks))
    fill(model, weights, checkpoint, f"the space of {folder.config}")
    data = DataModule.from_config(config.data, tasks, config.seed)
    return Searched(config, tasks, model.eval(), strategy.choices, data, checkpoint)
