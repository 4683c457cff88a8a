"""Choices of values: what an expression of choices can be, and operations whose arguments are such expressions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from nni.mutable import MutableExpression
from nni.nas.nn.pytorch import ParametrizedModule
from nni.nas.oneshot.pytorch.supermodule.operation import MixedOperation, MixedOperationSamplingPolicy
from torch import Tensor, nn

from nas_ctx.search.choice import Choice, product
from nas_ctx.search.nni.space import Unsearchable


class Outcomes:
    """The values of an expression of choices, such as twice a width, and their weights in this step.

    Args:
        expression: NNI's, of one or several choices.
        choices: label -> choice.
    """

    def __init__(self, expression: MutableExpression[Any], choices: Mapping[str, Choice]) -> None:
        self.expression = expression
        self.choices = [choices[label] for label in expression.simplify()]
        self._values: dict[tuple[int, ...], Any] = {}

    def active(self) -> list[tuple[Any, Tensor | None]]:
        """(value, weight) pairs as of :meth:`Choice.active`: a weight is the sum of products of the choices' weights.

        One value of weight ``None`` once every choice has one active value.
        """
        total: dict[Any, Tensor] = {}
        for combination in itertools.product(*(choice.active() for choice in self.choices)):
            value = self._value(tuple(index for index, _ in combination))
            weight = product(*(weight for _, weight in combination))
            if weight is None:
                return [(value, None)]
            total[value] = weight if value not in total else total[value] + weight
        return list(total.items())

    def best(self) -> Any:
        """The value of the most probable choices."""
        return self._value(tuple(choice.best_index for choice in self.choices))

    def _value(self, indices: tuple[int, ...]) -> Any:
        if indices not in self._values:
            sample = {choice.label: choice.values[index] for choice, index in zip(self.choices, indices, strict=True)}
            self._values[indices] = self.expression.freeze(sample)
        return self._values[indices]


class ActiveArguments(MixedOperationSamplingPolicy):
    """The arguments of one of NNI's mixed operations: their active values, and the weights of these.

    The operation masks its largest weights accordingly (FBNetV2). Where all choices of an argument are decided, and in
    evaluation mode, it gets the one value instead, and slices its weights as in its frozen version.
    """

    def __init__(self, operation: MixedOperation, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> None:
        self._outcomes = {name: Outcomes(value, memo) for name, value in operation.mutable_arguments.items()}
        labels = dict.fromkeys(c.label for outcomes in self._outcomes.values() for c in outcomes.choices)
        operation.architecture = nn.ModuleList([memo[label] for label in labels])

    def forward_argument(self, operation: MixedOperation, name: str) -> Any:
        if name not in self._outcomes:
            return operation.init_arguments[name]
        active = self._outcomes[name].active()
        return active[0][0] if active[0][1] is None else dict(active)


# Arguments that NNI lets take several values where one of them is run at a time; a mixture cannot.
_ONE_VALUE = {"stride", "dilation", "eps", "momentum", "num_heads", "dropout"}


def searchable(kind: type[MixedOperation]) -> type[MixedOperation]:
    """NNI's mixed operation ``kind``, corrected: it refuses by name what it cannot mix, and can be frozen."""

    class Searchable(kind):
        @classmethod
        def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
            if not isinstance(module, kind.bound_type) or not isinstance(module, ParametrizedModule):
                return None
            arguments = module.trace_kwargs
            mutable = {argument: value for argument, value in arguments.items() if isinstance(value, MutableExpression)}
            for argument, value in mutable.items():
                why = _cannot_mix(argument, value, arguments, kind)
                if why:
                    label = next(iter(value.simplify()))
                    raise Unsearchable.choice(label, name, f"{argument} of {kind.bound_type.__name__} {why}")
            mixed = super().mutate(module, name, memo, mutate_kwargs)
            if "kernel_size" in mutable and mixed.padding == "same":
                pairs = zip(mixed.kernel_size, mixed.dilation, strict=True)
                mixed.padding = tuple(dilation * (size - 1) // 2 for size, dilation in pairs)  # of the largest
            for argument in {"eps", "momentum"} & set(mixed.init_arguments):  # some spaces set them afterwards
                mixed.init_arguments[argument] = getattr(module, argument)
            return mixed

        def freeze_weight(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
            # A bias that is None is no key of the frozen operation's state.
            weights = super().freeze_weight(*args, **kwargs)
            return {name: weight for name, weight in weights.items() if weight is not None}

    Searchable.__name__ = Searchable.__qualname__ = kind.__name__
    return Searchable


def _cannot_mix(
    argument: str, value: MutableExpression[Any], arguments: Mapping[str, Any], kind: type[MixedOperation]
) -> str | None:
    """Why the argument cannot take several values in one forward pass, or ``None`` where it can."""
    if argument in _ONE_VALUE or argument not in kind.argument_list:
        return "cannot take several values in one forward pass"
    if not all(isinstance(outcome, int) for outcome in value.grid()):
        return "must be whole numbers"
    if argument == "kernel_size":
        return _off_centre(arguments)
    if argument == "padding" and not set(value.simplify()) <= set(_choices_in(arguments.get("kernel_size"))):
        return "must follow from the choice of kernel_size"
    if argument == "groups":
        for channels in ("in_channels", "out_channels"):
            total = arguments.get(channels)
            if not isinstance(total, MutableExpression) or len(set((total / value).grid())) > 1:
                return f"must stay in one proportion to {channels}"
    groups = arguments.get("groups", 1)
    if argument in {"in_channels", "out_channels"} and isinstance(groups, int) and groups > 1:
        return f"must stay in one proportion to groups={groups}, whose groups hold other channels at each width"
    return None


def _off_centre(arguments: Mapping[str, Any]) -> str | None:
    """Why the kernels cannot stand in the middle of the largest one, which NNI's mixture takes, or ``None``.

    Each kernel must need less padding than the largest by what it is smaller on a side. Otherwise its output has
    another shape, or is shifted, and the mixture would be that of other convolutions than those that are exported.
    """
    kernel, padding = arguments["kernel_size"], arguments.get("padding", 0)
    if arguments.get("padding_mode", "zeros") != "zeros":
        return f"cannot take several values where padding_mode={arguments['padding_mode']!r}"
    if isinstance(padding, str) and padding == "same":
        even = any(size % 2 == 0 for size in kernel.grid())
        return "must be odd where padding='same': even kernels are not centred" if even else None
    mutables = dict(kernel.simplify()) | dict(_choices_in(padding))
    needed = set()
    for values in itertools.product(*(mutable.values for mutable in mutables.values())):
        sample = dict(zip(mutables, values, strict=True))
        size = kernel.freeze(sample)
        pixels = padding.freeze(sample) if isinstance(padding, MutableExpression) else padding
        dilation = _pair(arguments.get("dilation", 1))
        needed |= {
            (axis, 2 * p - d * size, size % 2) for axis, (p, d) in enumerate(zip(_pair(pixels), dilation, strict=True))
        }
    if len(needed) == 2:
        return None
    sizes = ", ".join(map(str, sorted(set(kernel.grid()))))
    return (
        f"takes the sizes {sizes} under padding={padding}, so that their outputs differ in shape or are shifted, and "
        "have no sum: give padding='same', or half of the same choice (kernel // 2, times the dilation)"
    )


def _pair(value: Any) -> tuple[int, int]:
    """An argument of a convolution per axis, as torch has it."""
    return (0, 0) if value == "valid" else tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def _choices_in(expression: Any) -> Mapping[str, Any]:
    return expression.simplify() if isinstance(expression, MutableExpression) else {}
