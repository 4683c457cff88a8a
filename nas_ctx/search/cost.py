"""What the candidates of a choice cost, measured on the candidates themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nas_ctx.search.choices import Choices
from nas_ctx.search.supernet.layer import MixedLayer

if TYPE_CHECKING:
    from nas_ctx.config.search_settings import Resource


class OperationCounter(TorchDispatchMode):
    """Counts the floating-point operations of matrix products and convolutions within it, by torch's own formulas.

    Torch's ``FlopCounterMode`` counts the same, but tries to decompose every operation first, which takes longer.

    Attributes:
        operations: so far; twice the multiply-adds.

    >>> with OperationCounter() as counter:
    ...     _ = nn.Conv2d(3, 8, 3, padding=1)(torch.rand(1, 3, 10, 10))
    >>> counter.operations // 2
    21600
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        formula = flop_registry.get(getattr(func, "overloadpacket", func))
        if formula is not None:
            self.operations += formula(*args, **(kwargs or {}), out_val=results)
        return results


class ExpectedCost:
    """The expected cost of a choice, in shares of the most expensive candidate, averaged over the layer choices.

    Parameters are counted at once; multiply-adds while the candidates run in their first training step, so that no
    input has to be made up. Until a candidate has run, it counts as free.

    Args:
        model: the supernet.
        choices: its choices.
        resource: what to count.

    Attributes:
        largest: the cost of the most expensive candidate so far; a resumed search may no longer run it.
    """

    def __init__(self, model: nn.Module, choices: Choices, resource: Resource) -> None:
        self._choices = choices
        self.largest = 0.0
        self._costs = {choice.label: [0.0] * len(choice.values) for choice in choices}
        for layer in model.modules():
            if isinstance(layer, MixedLayer):
                costs = self._costs[layer.architecture.label]
                for index, candidate in enumerate(layer):
                    if resource == "parameters":
                        costs[index] += sum(p.numel() for p in candidate.parameters())
                    else:
                        _count_first_run(candidate, costs, index)

    def costs(self) -> dict[str, list[float]]:
        """label -> measured cost of each value, in parameters or multiply-adds of one call."""
        return {label: list(cost) for label, cost in self._costs.items()}

    def __call__(self) -> Tensor:
        """The expected cost now, a scalar in [0, 1] that is differentiable by alpha."""
        self.largest = max(self.largest, *map(max, self._costs.values()))
        rows = [torch.tensor(cost) / (self.largest or 1.0) for cost in self._costs.values()]
        costs = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        probabilities = self._choices.probabilities()
        return (probabilities * costs.to(probabilities)).sum(-1).mean()


def _count_first_run(candidate: nn.Module, costs: list[float], index: int) -> None:
    """Add the multiply-adds of the candidate's first call in training mode to ``costs[index]``."""
    counter = OperationCounter()

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
        costs[index] += counter.operations / 2

    handles = [candidate.register_forward_pre_hook(start), candidate.register_forward_hook(stop)]
