"""Layers that mix the active candidates of a choice, and what happens to candidates that are out of the search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nas_ctx.errors import InputError
from nas_ctx.search.choice import Choice


def mix(outputs: Sequence[Any], weights: Sequence[Tensor | None]) -> Any:
    """The weighted sum of ``outputs``: tensors, or sequences and mappings of them, all of one structure.

    The weight of a lone output may be ``None``, for one. Sums of sequences are lists.

    >>> mix([(torch.ones(1), 2.0), (torch.ones(1), 4.0)], torch.tensor([0.25, 0.75]))
    [tensor([1.]), tensor(3.5000)]
    """
    first, weight = outputs[0], weights[0]
    if weight is None:
        return first
    if isinstance(first, Tensor):
        total = first * weight.to(first.dtype)
        for output, weight in zip(outputs[1:], weights[1:], strict=True):
            total = torch.addcmul(total, output, weight.to(output.dtype))  # type: ignore[union-attr]
        return total
    if isinstance(first, Mapping):
        return {key: mix([output[key] for output in outputs], weights) for key in first}
    if isinstance(first, Sequence) and not isinstance(first, str):
        return [mix(parts, weights) for parts in zip(*outputs, strict=True)]
    if not isinstance(first, (int, float)):
        raise TypeError(f"the output of a candidate holds a {type(first).__name__}, which cannot be mixed")
    return sum(output * weight for output, weight in zip(outputs, weights, strict=True))


def with_scaled_gradient(output: Any, scale: float) -> Any:
    """``output``, by which gradients are multiplied by ``scale`` on their way back; tensors, sequences and mappings.

    >>> x = torch.ones(1, requires_grad=True)
    >>> with_scaled_gradient([3.0 * x], 2.0)[0].backward()
    >>> x.grad
    tensor([6.])
    """
    if scale in (0.0, 1.0):  # without a graph, or as it is
        return output
    if isinstance(output, Tensor):
        return _ScaledGradient.apply(output, scale)
    if isinstance(output, Mapping):
        return {key: with_scaled_gradient(part, scale) for key, part in output.items()}
    if isinstance(output, Sequence) and not isinstance(output, str):
        return [with_scaled_gradient(part, scale) for part in output]
    return output


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.scale, None


def shape_of(output: Any) -> str:
    """The shapes in an output of nested sequences and mappings, as text.

    >>> shape_of(torch.ones(2, 3)), shape_of([torch.ones(1), {"scale": 2.0}])
    ('(2, 3)', "[(1,), {'scale': float}]")
    """
    if isinstance(output, Tensor):
        return str(tuple(output.shape))
    if isinstance(output, Mapping):
        return "{" + ", ".join(f"{key!r}: {shape_of(output[key])}" for key in sorted(output, key=str)) + "}"
    if isinstance(output, Sequence) and not isinstance(output, str):
        return f"[{', '.join(map(shape_of, output))}]"
    return type(output).__name__


class Mixed(nn.Module):
    """What the mixed layers share: ``architecture``, the choice or choices that they follow."""

    architecture: nn.Module

    def mixed(self, outputs: Mapping[Any, Any], weights: Sequence[Tensor | None]) -> Any:
        """The weighted sum (:func:`mix`) of the outputs of candidates, given by name.

        Raises:
            InputError: two outputs differ in shape, which a sum would hide by broadcasting.
        """
        names = list(outputs)
        shape = shape_of(outputs[names[0]])
        for name in names[1:]:
            other = shape_of(outputs[name])
            if other != shape:
                labels = (choice.label for choice in self.architecture.modules() if isinstance(choice, Choice))
                raise InputError(
                    f"choice {', '.join(map(repr, dict.fromkeys(labels)))}: the output of {names[0]!r} is {shape}, "
                    f"that of {name!r} is {other}: expected candidates whose outputs have one shape"
                )
        return mix(list(outputs.values()), weights)

    def pruned(self) -> list[str]:
        """Names of the submodules of this module that will never be evaluated again."""
        return []

    def unused(self) -> list[str]:
        """Names of the submodules of this module that the most probable choice leaves out."""
        return []


class MixedLayer(Mixed):
    """A choice of layers: it evaluates the active candidates, and sums their outputs by their weights.

    Candidates may take any positional and keyword arguments. A candidate with the attribute ``produces_zeros`` is
    evaluated only where no other one is, since it adds nothing.

    Args:
        candidates: name -> module, in the order of the values of ``choice``; kept under their names.
        choice: which of them.

    >>> layer = MixedLayer({"once": nn.Identity(), "none": nn.Threshold(9.0, 0.0)}, Choice("layer", ["once", "none"]))
    >>> layer(torch.ones(1))
    tensor([0.5000], grad_fn=<AddcmulBackward0>)
    """

    architecture: Choice

    def __init__(self, candidates: Mapping[str, nn.Module], choice: Choice) -> None:
        super().__init__()
        self.names: list[Any] = list(candidates)
        for name, module in candidates.items():
            self.add_module(name, module)
        self.follow(choice)

    def follow(self, choice: Choice) -> None:
        """Let ``choice`` weigh the candidates."""
        self.architecture = choice
        self._number = choice.follow()

    def __getitem__(self, name: Any) -> nn.Module:
        return self._modules[str(name)]  # type: ignore[return-value]  # no candidate is None

    def __iter__(self) -> Iterator[nn.Module]:
        return (self[name] for name in self.names)

    @property
    def active_candidates(self) -> list[nn.Module]:
        """The candidates that the next forward pass evaluates."""
        return [self[name] for name, _ in self._active()]

    @property
    def resting_candidates(self) -> list[nn.Module]:
        """Those that learn nothing from it, though they are still in the search."""
        learning = {name for name, _ in self._active() if self._gradient_scale(name) != 0.0}
        possible = [self.names[index] for index in self.architecture.possible]
        return [self[name] for name in possible if name not in learning]

    def pruned(self) -> list[str]:
        possible = self.architecture.possible
        return [str(name) for index, name in enumerate(self.names) if index not in possible]

    def unused(self) -> list[str]:
        return [str(name) for index, name in enumerate(self.names) if index != self.architecture.best_index]

    def _active(self) -> list[tuple[Any, Tensor | None]]:
        active = [(self.names[index], weight) for index, weight in self.architecture.active()]
        adding = [(name, weight) for name, weight in active if not getattr(self[name], "produces_zeros", False)]
        return adding or active[:1]

    def _gradient_scale(self, name: Any) -> float:
        return self.architecture.gradient_scale(self.names.index(name), self._number)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        active = self._active()
        outputs = {}
        for name, _ in active:
            scale = self._gradient_scale(name)
            with nullcontext() if scale else torch.no_grad():
                outputs[name] = with_scaled_gradient(self[name](*args, **kwargs), scale)
        return self.mixed(outputs, [weight for _, weight in active])


class MixedInput(Mixed):
    """A choice of one input: the sum of the active ones by their weights."""

    architecture: Choice

    def __init__(self, choice: Choice) -> None:
        super().__init__()
        self.architecture = choice

    def forward(self, candidate_inputs: Sequence[Any]) -> Any:
        active = self.architecture.active()
        outputs = {f"input {index}": candidate_inputs[index] for index, _ in active}
        return self.mixed(outputs, [weight for _, weight in active])


def freeze_pruned(model: nn.Module) -> None:
    """Stop momentum and weight decay from moving the candidates in ``model`` that will never be evaluated again.

    A parameter that is also part of something else stays as it is.
    """
    prefixes = _prefixes(model, lambda module: module.pruned())
    live: set[nn.Parameter] = set()
    eliminated: list[nn.Parameter] = []
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if name.startswith(prefixes):
            eliminated.append(parameter)
        else:
            live.add(parameter)
    for parameter in eliminated:
        if parameter not in live:
            parameter.requires_grad_(False)
            parameter.grad = None


def still_gradients(model: nn.Module) -> None:
    """Give the parameters of candidates that ran without a graph, or did not run, gradients of zero.

    An optimiser passes over parameters without a gradient: momentum and weight decay would rest too, and Adam, which
    divides by the size of the gradients that it saw, would take steps of full length, but rarely.
    """
    for layer in model.modules():
        if isinstance(layer, MixedLayer):
            for candidate in layer.resting_candidates:
                for parameter in candidate.parameters():
                    if parameter.requires_grad and parameter.grad is None:
                        parameter.grad = torch.zeros_like(parameter)


def inactive_choices(model: nn.Module) -> list[str]:
    """Labels of the choices in ``model`` that have no effect: they are only within candidates that are not chosen.

    >>> inner = MixedLayer({"a": nn.Identity(), "b": nn.Identity()}, Choice("inner", ["a", "b"]))
    >>> outer = MixedLayer({"plain": nn.Identity(), "nested": inner}, Choice("outer", ["plain", "nested"]))
    >>> inactive_choices(outer)
    ['inner']
    """
    prefixes = _prefixes(model, lambda module: module.unused())
    labels: dict[str, bool] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, Choice):
            labels[module.label] = labels.get(module.label, False) or not f"{name}.".startswith(prefixes)
    return [label for label, active in labels.items() if not active]


def _prefixes(model: nn.Module, left_out: Callable[[Mixed], list[str]]) -> tuple[str, ...]:
    """What the names of everything within the submodules begin with that mixed layers leave out."""
    return tuple(
        f"{name}.{candidate}.".lstrip(".")
        for name, module in model.named_modules()
        if isinstance(module, Mixed)
        for candidate in left_out(module)
    )
