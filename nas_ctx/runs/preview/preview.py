"""What a run would be, before hours are spent on it: its space, the cost of its networks, and what would refuse it.

Nothing is written, fetched or computed: networks are traced with fake tensors (:mod:`.measure`), and one image is read
for the shapes of the labels.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas_ctx.config import Config
from nas_ctx.data import DataModule
from nas_ctx.data.base import Draw
from nas_ctx.errors import InputError
from nas_ctx.models.weights import read_weights, without_weights
from nas_ctx.plugins import load_plugins
from nas_ctx.runs.checkpoints import newest_whole
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.preview.measure import Step, bands_of, imagined, multiply_adds, one_step, parameters
from nas_ctx.search import GumbelSearch
from nas_ctx.search.choice import Choice
from nas_ctx.search.cost import ExpectedCost
from nas_ctx.search.supernet.layer import MixedLayer
from nas_ctx.tasks import Task, make_tasks
from nas_ctx.training.execution import arrange
from nas_ctx.training.module import outputs_of, task_losses
from nas_ctx.training.networks import build_network, make_backbone, make_search_space, network_of
from nas_ctx.training.optimizer import sgd_with_poly


@dataclass(frozen=True)
class Cost:
    """Parameters of a network, and its multiply-adds for one image of ``data.image_size``."""

    parameters: int
    multiply_adds: int


@dataclass
class Preview:
    """What a run would be.

    Attributes:
        choices: block -> candidates, in a search.
        costs: "supernet", "smallest" and "largest" of a search; "network" of a training.
        chosen: what "smallest" and "largest" have in their blocks.
        step: what an optimiser step costs; None where the data are missing.
        images: how many there are to train with and to validate with; None where they are missing.
        begins: "new", or what it goes on from.
        problems: why the run would be refused.
        unimagined: why the costs could not be found out, or not all of them; the run may be possible.
    """

    choices: dict[str, list[Any]] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    chosen: dict[str, dict[str, Any]] = field(default_factory=dict)
    step: Step | None = None
    images: tuple[int, int] | None = None
    begins: str = "new"
    problems: list[str] = field(default_factory=list)
    unimagined: str | None = None

    @property
    def genotypes(self) -> int:
        """How many genotypes the space has."""
        product = 1
        for candidates in self.choices.values():
            product *= len(candidates)
        return product


def preview(config: Config, command: str) -> Preview:
    """Look at what ``nas-ctx search`` or ``nas-ctx train`` (``command``) would do with ``config``.

    Raises:
        InputError: the configuration names a part that there is not, so that there is no network to look at.
    """
    load_plugins(config)
    tasks = make_tasks(config.tasks)
    made = Preview()
    _look_at_folders(made, config)
    sample = _look_at_data(made, config, tasks)
    on_gpu = config.training.accelerator in ("gpu", "cuda") or (
        config.training.accelerator == "auto" and torch.cuda.is_available()
    )
    with without_weights(), bands_of("cuda") if on_gpu else nullcontext():
        try:
            (_look_at_search if command == "search" else _look_at_training)(made, config, tasks, sample)
        except InputError:
            raise
        except Exception as error:  # whatever the code of a user does, or asks of tensors without content
            notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
            made.unimagined = f"{type(error).__name__}: {error}{_line_of_users(error)}{notes}"
    return made


def _line_of_users(error: Exception) -> str:
    """The innermost line of an error's traceback that stands in no installed package."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    own = next((f for f in frames if "site-packages" not in Path(f.filename).parts and not _of_torch(f.name)), None)
    return "" if own is None else f" ({own.filename}, line {own.lineno})"


def _of_torch(function: str) -> bool:
    """Whether torch calls a function of that name at every operation, as it does for `measure`."""
    return function in ("__torch_function__", "__torch_dispatch__")


def _look_at_folders(made: Preview, config: Config) -> None:
    with _noted(made):
        if config.output is None:
            raise InputError("output: missing: expected the run folder, in the configuration or by --out")
        folder = RunFolder(config.output)
        folder.check(config)
        if folder.finished:
            raise InputError(f"output: {folder.path}: holds a finished run; name another folder or remove it")
        checkpoint, _ = newest_whole(folder.checkpoints)
        if checkpoint is not None:
            made.begins = f"goes on from {checkpoint.name}"
    start_from, weights = config.model.start_from, config.model.weights
    with _noted(made):
        if weights is not None:
            read_weights(weights)
    with _noted(made):
        if start_from is not None and newest_whole(RunFolder(start_from).checkpoints)[0] is None:
            raise InputError(f"model.start_from: {start_from}: holds no checkpoint to start from")


def _look_at_data(made: Preview, config: Config, tasks: Mapping[str, Task]) -> dict[str, Any] | None:
    """The first image of the training set with its labels, as training sees it; None where there is none."""
    with _noted(made):
        data = DataModule.from_config(config.data, tasks, config.seed)
        train = data.train_set()
        made.images = len(train), len(data.val_set())
        return dict(train[Draw(0, 0)])
    return None


@contextmanager
def _noted(made: Preview) -> Iterator[None]:
    """What is refused within becomes a problem."""
    try:
        yield
    except InputError as error:
        made.problems.append(str(error))


def _look_at_training(made: Preview, config: Config, tasks: Mapping[str, Task], sample: dict[str, Any] | None) -> None:
    with imagined():
        network = build_network(config.model, tasks, config.seed)
        if sample is not None:
            made.step = _step(network, config, tasks, sample)
        if made.step is not None and getattr(network, "reads_labels", False):
            made.costs["network"] = Cost(parameters(network), made.step.forward // config.data.batch_size)
        else:
            made.costs["network"] = _cost(network, config)


def _look_at_search(made: Preview, config: Config, tasks: Mapping[str, Task], sample: dict[str, Any] | None) -> None:
    with imagined() as mode:
        space = make_search_space(config.model, make_backbone(config.model), tasks)
    strategy = GumbelSearch(config.search)
    supernet = strategy.mutate_model(space)  # outside, since a search computes with its choices
    made.choices = {choice.label: choice.values for choice in strategy.choices}
    with imagined(mode):
        _imagine(supernet)
        count = sum(parameters(module) for module in supernet.modules() if isinstance(module, Choice))
        images = torch.empty(2, 3, *config.data.image_size)
        costs = [ExpectedCost(supernet, strategy.choices, resource) for resource in ("multiply-adds", "parameters")]
        supernet(images)  # candidates are counted one by one, where nothing is computed for several at once
        if sample is None:
            each = multiply_adds(lambda: supernet(images)) // len(images)
        else:
            made.step = _step(supernet, config, tasks, sample)
            each = made.step.forward // config.data.batch_size
        made.costs["supernet"] = Cost(parameters(supernet) - count, each)
        for name, several in _extremes(supernet, made.choices, *(cost.costs() for cost in costs)).items():
            found = [(_cost(network_of(config.model, tasks, choices), config), choices) for choices in several]
            made.costs[name], made.chosen[name] = max(
                found, key=lambda pair: (pair[0].multiply_adds, pair[0].parameters)
            )


def _extremes(
    supernet: nn.Module,
    choices: Mapping[str, list[Any]],
    computed: Mapping[str, list[float]],
    stored: Mapping[str, list[float]],
) -> dict[str, list[dict[str, Any]]]:
    """Choices that give the cheapest and the dearest networks, by multiply-adds, then parameters, of the candidates.

    An auxiliary head is needed once, however many blocks read its regions: the dearest network may be one in which a
    block of each target stands at a candidate that is not the dearest, so that there are several to compare.

    Nothing where a space has choices other than of layers, whose costs depend on each other.
    """
    measured = {module.label for module in supernet.modules() if isinstance(module, MixedLayer)}
    if set(choices) - measured:
        return {}
    ranked = {
        label: [index for *_, index in sorted(zip(computed[label], stored[label], range(len(values)), strict=True))]
        for label, values in choices.items()
    }
    cheapest, dearest = (
        {label: values[ranked[label][place]] for label, values in choices.items()} for place in (0, -1)
    )
    one_each = {label.partition("/")[0]: label for label in choices}.values()
    others = {str(value): value for label in one_each for value in choices[label]}.values()
    exchanged = [{label: value for label in one_each if value in choices[label]} for value in others]
    return {"smallest": [cheapest], "largest": [dearest, *({**dearest, **change} for change in exchanged)]}


def _imagine(supernet: nn.Module) -> None:
    """Put imagined parameters in the place of those that the strategy has made, its alpha."""
    for module in supernet.modules():
        if isinstance(module, Choice):
            module.alpha = nn.Parameter(torch.empty(len(module.values)))


def _cost(network: nn.Module, config: Config) -> Cost:
    network.eval()
    image = torch.empty(1, 3, *config.data.image_size)
    return Cost(parameters(network), multiply_adds(lambda: network(image)))


def _step(network: nn.Module, config: Config, tasks: Mapping[str, Task], sample: dict[str, Any]) -> Step:
    size = config.data.batch_size
    batch = {
        key: torch.empty(size, *value.shape, dtype=value.dtype) if isinstance(value, Tensor) else [value] * size
        for key, value in sample.items()
    }
    network.train()
    arrange(network, config.training.model_copy(update={"compile": False}))  # which changes nothing that is counted

    def loss() -> Tensor:
        return torch.stack(list(task_losses(tasks, outputs_of(network, batch), batch).values())).sum()

    return one_step(network, batch, loss, sgd_with_poly(network, config.training)["optimizer"])
