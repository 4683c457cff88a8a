"""What a network costs, without computing it: tensors on the meta device have shapes and no content.

Multiply-adds are half of the floating-point operations by torch's own formulas, of matrix products and convolutions, as
is usual. Memory is that of all tensors alive at once, in 32 bits: weights, gradients, momentum, a
batch, and what the backward pass needs. What torch, its allocator and CUDA take for themselves comes on top.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from nas_ctx.contexts.kernels import local_attention
from nas_ctx.search.cost import OperationCounter

M = TypeVar("M", bound=nn.Module)


@contextmanager
def nothing_computed() -> Iterator[None]:
    """Within it new tensors are on the meta device: they have shape and type, but no content.

    >>> with nothing_computed():
    ...     (torch.rand(10**6, 10**6) @ torch.rand(10**6, 3)).shape
    torch.Size([1000000, 3])
    """
    with torch.device("meta"):
        yield


def without_content(build: Callable[[], M]) -> M:
    """What ``build`` makes, with its parameters and buffers on the meta device.

    It is built on the CPU, since some networks compute with numbers while they are built, but no weight is initialised.

    >>> without_content(lambda: nn.Linear(3, 4)).weight.device
    device(type='meta')
    """
    with _Uninitialised():
        network = build()
    moved: dict[Tensor, Any] = {}
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                moved.setdefault(parameter, nn.Parameter(parameter.to("meta"), parameter.requires_grad))
                module._parameters[name] = moved[parameter]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = moved.setdefault(buffer, buffer.to("meta"))
    return network


class _Uninitialised(TorchFunctionMode):
    """Leaves out what fills tensors with random numbers."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_", "trunc_normal_", "erfinv_"):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def bands_of(device: str) -> Iterator[None]:
    """Within it local attention goes through images in bands as large as on ``device``, "cpu" or "cuda"."""
    bands = local_attention.BAND_ELEMENTS
    before = dict(bands)
    bands["cpu"] = bands[device]
    try:
        yield
    finally:
        bands.update(before)


@dataclass(frozen=True)
class Cost:
    """Parameters of a network, and its multiply-adds for one image of ``data.image_size``."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Step:
    """Multiply-adds of the forward pass and of the whole of an optimiser step, and its most memory in use, in bytes."""

    forward: int
    multiply_adds: int
    memory: int


def parameters(network: nn.Module) -> int:
    """The number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds(run: Callable[[], object]) -> int:
    """Multiply-adds of what ``run`` computes.

    >>> with nothing_computed():
    ...     multiply_adds(lambda: nn.Conv2d(3, 8, 3, padding=1)(torch.rand(1, 3, 10, 10)))
    21600
    """
    with _Tally() as tally:
        run()
    return tally.operations // 2


def one_step(
    network: nn.Module,
    batch: Mapping[str, Any],
    loss: Callable[[], Tensor],
    optimizer: torch.optim.Optimizer,
) -> Step:
    """Do a step within :func:`nothing_computed`, as after the first one: the optimiser has its moments.

    The step of the optimiser itself is left out: it holds less than the backward pass before it.

    Args:
        network: in training mode.
        batch: the tensors of a batch, which stay in memory.
        loss: the forward pass with its loss.
        optimizer: SGD with momentum, or Adam.
    """
    moments = ("momentum_buffer",) if isinstance(optimizer, torch.optim.SGD) else ("exp_avg", "exp_avg_sq")
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter] = {name: torch.zeros_like(parameter) for name in moments}
    kept = [*network.parameters(), *network.buffers(), *tree_leaves((optimizer.state_dict()["state"], dict(batch)))]
    with _Tally(tensor for tensor in kept if isinstance(tensor, Tensor)) as tally:
        total = loss()
        forward = tally.operations
        total.backward()
    return Step(forward // 2, tally.operations // 2, tally.peak)


def _norm(x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, *_: Any) -> tuple[Tensor, ...]:
    return torch.empty_like(x), *(x.new_empty(x.shape[1] if training else 0) for _ in range(2))


def _norm_gradient(gradient: Tensor, x: Tensor, *others: Any) -> tuple[Tensor | None, ...]:
    results = torch.empty_like(x), x.new_empty(x.shape[1]), x.new_empty(x.shape[1])
    return tuple(result if wanted else None for result, wanted in zip(results, others[-1], strict=True))


_SHAPES: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.native_batch_norm.default: _norm,
    torch.ops.aten.native_batch_norm_backward.default: _norm_gradient,
}
"""Results of what the meta device has only as dozens of operations in Python, and networks do by the hundred."""


class _Tally(OperationCounter):
    """Also adds up the storages that are alive: those of ``tensors``, and those of every result within it.

    Attributes:
        peak: the largest sum so far, in bytes.
    """

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self._alive: dict[int, int] = {}
        self._now = self.peak = 0
        for tensor in tensors:
            self._add(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = super().__torch_dispatch__(_SHAPES.get(func, func), types, args, kwargs)
        for result in tree_leaves(results):
            if isinstance(result, Tensor):
                self._add(result)
        return results

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._alive:
            return
        self._alive[key] = storage.nbytes()
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._remove, key).atexit = False

    def _remove(self, key: int) -> None:
        self._now -= self._alive.pop(key)
