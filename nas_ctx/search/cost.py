"""What the candidates of a choice cost, measured on the candidates themselves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nas_ctx.config.search_settings import Resource
from nas_ctx.search.choice import Choices
from nas_ctx.search.supernet.layer import MixedLayer


class ExpectedCost:
    """The mean over the layer choices of the expected cost of a choice, in shares of the dearest candidate.

    The number of parameters is counted at once; multiply-adds while the candidates run in their first training step, so
    that no input has to be made up. Until a candidate has run, it counts as free.

    Args:
        model: the supernet.
        choices: its choices.
        resource: what to count.
    """

    def __init__(self, model: nn.Module, choices: Choices, resource: Resource) -> None:
        self._choices = choices
        self._costs = {choice.label: [0.0] * len(choice.values) for choice in choices}
        for layer in model.modules():
            if isinstance(layer, MixedLayer):
                for index, candidate in enumerate(layer):
                    if resource == "parameters":
                        self._add(layer.label, index, sum(p.numel() for p in candidate.parameters()))
                    else:
                        self._count_first_run(layer.label, index, candidate)

    def _add(self, label: str, index: int, cost: float) -> None:
        self._costs[label][index] += cost

    def _count_first_run(self, label: str, index: int, candidate: nn.Module) -> None:
        counter = FlopCounterMode(display=False)

        # Only in training: validation may run other batch sizes, and candidates are to be compared on equal input.
        def start(module: nn.Module, inputs: object) -> None:
            if module.training:
                counter.__enter__()

        def stop(module: nn.Module, inputs: object, output: object) -> None:
            if not module.training:
                return
            counter.__exit__(None, None, None)
            for handle in handles:
                handle.remove()
            self._add(label, index, counter.get_total_flops() / 2)

        handles = [candidate.register_forward_pre_hook(start), candidate.register_forward_hook(stop)]

    def costs(self) -> dict[str, list[float]]:
        """label -> measured cost of each value, in parameters or multiply-adds of one call."""
        return {label: list(cost) for label, cost in self._costs.items()}

    def __call__(self) -> Tensor:
        """The expected cost now, a scalar in [0, 1] that is differentiable by alpha."""
        dearest = max(map(max, self._costs.values())) or 1.0
        rows = [torch.tensor(cost) / dearest for cost in self._costs.values()]
        costs = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        probabilities = self._choices.probabilities()
        return (probabilities * costs.to(probabilities)).sum(-1).mean()


def expected_cost(model: nn.Module, choices: Choices, resource: Resource) -> Callable[[], Tensor]:
    """The function that gives the expected cost of the supernet ``model`` at its present alpha."""
    return ExpectedCost(model, choices, resource)
