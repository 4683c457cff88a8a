"""What the networks of a configuration cost, traced on the meta device: nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas_ctx.config import Config
from nas_ctx.models import Backbone
from nas_ctx.models.weights import without_weights
from nas_ctx.runs.feature_memory import bytes_of_an_image, in_words
from nas_ctx.runs.preview.findings import Preview
from nas_ctx.runs.preview.measure import (
    Cost,
    Step,
    bands_of,
    multiply_adds,
    nothing_computed,
    one_step,
    parameters,
    without_content,
)
from nas_ctx.runs.started import check_sizes
from nas_ctx.search import GumbelSearch
from nas_ctx.search.choice import Choice
from nas_ctx.search.cost import ExpectedCost
from nas_ctx.search.supernet.layer import MixedLayer
from nas_ctx.tasks import Task
from nas_ctx.training.execution import arrange
from nas_ctx.training.module import outputs_of, task_losses
from nas_ctx.training.networks import build_network, make_search_space, network_of
from nas_ctx.training.optimizer import make_optimizer


@dataclass
class Estimator:
    """Estimates costs into a :class:`Preview`, as far as it comes.

    Args:
        config: of the run; no weights are loaded.
        tasks: its tasks.
        sample: a training sample, for the shapes of the labels.
    """

    config: Config
    tasks: Mapping[str, Task]
    sample: Mapping[str, Any]

    def training(self, result: Preview) -> None:
        """The network of a training, and a step of it."""
        with self._traced():
            network = without_content(lambda: build_network(self.config.model, self.tasks, self.config.seed))
            result.backbone = self._maps(network)
        with self._traced(), nothing_computed():
            check_sizes(network, result.eval_sizes)
            result.step = self._step(network)
            self._cache(result, network)
            if getattr(network, "reads_labels", False):
                result.costs["network"] = Cost(parameters(network), self._each(result.step))
            else:
                result.costs["network"] = self._cost(network)

    def search(self, result: Preview) -> None:
        """The space of a search, its supernet, a step of it, and the smallest and largest network that it may find."""
        model = self.config.model
        with self._traced():
            strategy = GumbelSearch(self.config.search)
            supernet = without_content(lambda: strategy.mutate_model(make_search_space(model, self.tasks)))
            result.backbone = self._maps(supernet)
            result.choices = {choice.label: choice.values for choice in strategy.choices}
            with nothing_computed():
                alphas = sum(parameters(m) for m in supernet.modules() if isinstance(m, Choice))
                images = torch.empty(2, 3, *self.config.data.image_size)
                counters = [ExpectedCost(supernet, strategy.choices, what) for what in ("multiply-adds", "parameters")]
                check_sizes(supernet, result.eval_sizes)
                multiply_adds(lambda: supernet(images))  # the counters count each candidate in its first run
                result.step = self._step(supernet)
                self._cache(result, supernet)
                result.costs["supernet"] = Cost(parameters(supernet) - alphas, self._each(result.step))
                computed, stored = (counter.costs() for counter in counters)
                for name, candidates in _extremes(supernet, result.choices, computed, stored).items():
                    result.costs[name], result.chosen[name] = self._costliest(candidates, result.choices, stored)

    @contextmanager
    def _traced(self) -> Iterator[None]:
        """Load no weights, and let local attention work in bands as large as on the device of the run."""
        accelerator = self.config.training.accelerator
        on_gpu = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
        with without_weights(), bands_of("cuda") if on_gpu else nullcontext():
            yield

    def _network(self, choices: Mapping[str, Any]) -> nn.Module:
        with torch.device("cpu"):
            return without_content(lambda: network_of(self.config.model, self.tasks, choices))

    @torch.no_grad()
    def _cost(self, network: nn.Module) -> Cost:
        network.eval()
        image = torch.empty(1, 3, *self.config.data.image_size)
        return Cost(parameters(network), multiply_adds(lambda: network(image)))

    def _costliest(
        self, candidates: Sequence[dict[str, Any]], values: Mapping[str, list[Any]], stored: Mapping[str, list[float]]
    ) -> tuple[Cost, dict[str, Any]]:
        """The cost of the most expensive network of ``candidates``, and its choices.

        The blocks of the first are the most expensive ones. What another may need besides, such as an auxiliary head,
        shows in its parameters outside the blocks: those that have no more there are not traced.
        """
        networks = [self._network(choices) for choices in candidates]
        outside = [
            parameters(network) - sum(stored[label][values[label].index(value)] for label, value in choices.items())
            for network, choices in zip(networks, candidates, strict=True)
        ]
        costs = [
            (self._cost(network), choices)
            for network, choices, there in zip(networks, candidates, outside, strict=True)
            if network is networks[0] or there > outside[0]
        ]
        return max(costs, key=lambda pair: (pair[0].multiply_adds, pair[0].parameters))

    def _cache(self, result: Preview, network: nn.Module) -> None:
        if not self.config.training.cache_features or result.images is None:
            return
        each = bytes_of_an_image(network, torch.empty(self.sample["image"].shape))
        with result.noted():
            result.cached = in_words(each, sum(result.images), self.config.training.devices)

    def _maps(self, network: nn.Module) -> str | None:
        """The maps of the backbone, and the size of the features; None where a network has no backbone of this kind."""
        backbone = next((part for part in network.modules() if isinstance(part, Backbone)), None)
        if backbone is None:
            return None
        channels, strides = (", ".join(map(str, of)) for of in (backbone.map_channels, backbone.map_strides))
        height, width = (-(-side // backbone.stride) for side in self.config.data.image_size)
        return f"strides {strides}; channels {channels}; features of {height} x {width}"

    def _each(self, step: Step) -> int:
        return step.forward // self.config.data.batch_size

    def _step(self, network: nn.Module) -> Step:
        size, training = self.config.data.batch_size, self.config.training
        batch = {  # what is no tensor, the names of tasks without labels, is of the whole batch
            key: torch.empty(size, *value.shape, dtype=value.dtype) if isinstance(value, Tensor) else value
            for key, value in self.sample.items()
        }
        network.train()
        arrange(network, training.model_copy(update={"compile": False, "cache_features": False}))

        def loss() -> Tensor:
            return torch.stack(list(task_losses(self.tasks, outputs_of(network, batch), batch).values())).sum()

        return one_step(network, batch, loss, make_optimizer(network, training)["optimizer"])


def _extremes(
    supernet: nn.Module,
    choices: Mapping[str, list[Any]],
    computed: Mapping[str, list[float]],
    stored: Mapping[str, list[float]],
) -> dict[str, list[dict[str, Any]]]:
    """Choices that give the cheapest and the most expensive networks, by multiply-adds, then parameters.

    An auxiliary head is needed once, however many blocks read its regions: in the most expensive network a block of
    each target may have a candidate that is not its most expensive one, so that there are several to compare.

    Nothing where a space has choices other than of layers, whose costs depend on each other.
    """
    measured = {module.label for module in supernet.modules() if isinstance(module, MixedLayer)}
    if set(choices) - measured:
        return {}
    ranked = {
        label: [index for *_, index in sorted(zip(computed[label], stored[label], range(len(values)), strict=True))]
        for label, values in choices.items()
    }
    cheapest, costliest = (
        {label: values[ranked[label][place]] for label, values in choices.items()} for place in (0, -1)
    )
    one_each = {label.partition("/")[0]: label for label in choices}.values()
    others = {str(value): value for label in one_each for value in choices[label]}.values()
    exchanged = [{label: value for label in one_each if value in choices[label]} for value in others]
    return {"smallest": [cheapest], "largest": [costliest, *({**costliest, **change} for change in exchanged)]}
