"""Requirements on every context type."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from nas_ctx.contexts import CONTEXTS, ContextInput
from nas_ctx.contexts.attention import region_map
from nas_ctx.plugins import called_with
from nas_ctx.testing.messages import Check, close, doing, expect, name_of, run_all
from nas_ctx.testing.modules import every_parameter_learns, images_are_independent

MakeContext = Callable[..., nn.Module]

IN, OUT = 6, 3
"""Channels of the features and of the context in the checks."""
SIZES = ((5, 7), (1, 1), (1, 11), (13, 3))
NARROW = ((torch.float32, 1e-5), (torch.bfloat16, 0.06), (torch.float16, 0.01))
"""Types of the features, and how far the result may be off, relative to its largest value."""


def check_context(context: MakeContext | str) -> None:
    """Check a context type: a class, a function that makes the module, or a name in ``CONTEXTS``.

    It is made with ``context(in_channels, channels)`` and ``affine=False``, and run on small random features of
    several sizes, in training and evaluation, in double, single and half precision.

    >>> check_context("local")
    """
    run_all(CHECKS, CONTEXTS[context] if isinstance(context, str) else context)


def has_the_constructor(make: MakeContext) -> None:
    problem = called_with("in_channels", "channels", "affine=", base=nn.Module)(make)
    expect(
        problem is None,
        f"{problem}. A context type is a torch.nn.Module with the constructor "
        "`__init__(self, in_channels, channels, *, affine=True)`: a search makes its candidates with affine=False",
    )
    for options in ({}, {"affine": False}):
        with doing(f"called with ({IN}, {OUT}, **{options})", "Do not forget `super().__init__()`"):
            context = make(IN, OUT, **options)
        expect(isinstance(context, nn.Module), f"expected a torch.nn.Module, got a {name_of(context)}")


def gives_channels_at_the_size_of_the_target(make: MakeContext) -> None:
    for size, training in itertools.product(SIZES, (True, False)):
        context, inputs = make_trained(make).train(training), make_inputs(*size)
        what = f"on features {tuple(inputs.target.shape)}, train({training})"
        with doing(what, "Maps may be a single pixel wide or high: pad, and do not rely on a smallest size"):
            output = context(inputs)
        wanted = (2, OUT, *size)
        expect(isinstance(output, Tensor), f"{what}: expected a tensor, got a {name_of(output)}")
        expect(
            tuple(output.shape) == wanted,
            f"{what}: expected the shape {wanted}, got {tuple(output.shape)}. forward returns `channels` channels for "
            "every pixel of inputs.target; what is the same everywhere is repeated with `.expand_as(...)`",
        )
        floor = "A sum over pixels or regions that can be 0 needs a floor before it divides"
        expect(bool(output.isfinite().all()), f"{what}: the output is not finite. {floor}")


def takes_a_single_image_in_training(make: MakeContext) -> None:
    hint = "A batch norm over what has been pooled to one value per image sees a single value: norm before pooling"
    with doing("in training on a batch of one image", hint):
        output = make_trained(make)(make_inputs(4, 5, batch=1))
    expect(bool(output.isfinite().all()), "on a batch of one image the output is not finite")


def has_right_gradients(make: MakeContext) -> None:
    # The smallest maps first: where gradients are wrong, torch takes long to say so.
    for size, training in itertools.product(((1, 2), (3, 5)), (True, False)):
        context = make_trained(make).train(training)
        leaves = [x.clone().requires_grad_() for x in make_inputs(*size)[:4]]

        def output(*values: Tensor, context: nn.Module = context) -> Tensor:
            torch.manual_seed(0)  # dropout draws the same every time
            return context(inputs_of(values[:4]))

        if getattr(context, "produces_zeros", False):
            expect(not output(*leaves).requires_grad, f"train({training}): says produces_zeros, and has a gradient")
            continue
        hint = "`.detach()`, `.data`, rounding, an argmax and changes in place cut or bend a gradient"
        what = f"the gradients by features, regions or parameters, train({training})"
        with doing(what, hint):
            values = [*leaves, *context.parameters()]
            right = torch.autograd.gradcheck(output, values, fast_mode=True, raise_exception=False)
        expect(right, f"{what}: disagree with differences. {hint}")


def uses_every_parameter(make: MakeContext) -> None:
    context = make_trained(make)
    every_parameter_learns(context, [context(make_inputs(5, 7))])


def keeps_images_apart_in_evaluation(make: MakeContext) -> None:
    context, inputs = make_trained(make).eval(), make_inputs(5, 7, batch=3)
    images_are_independent(lambda *x: {"output values": context(inputs_of(x))}, inputs[:4], tolerance=1e-6)


def reads_the_regions_that_it_says(make: MakeContext) -> None:
    context, inputs, others = make_trained(make).eval(), make_inputs(5, 7), make_inputs(5, 7, seed=1)
    says = vars(type(context)).get("reads_regions", ("target", "source"))
    unread = [f"{side}_regions" for side in ("target", "source") if side not in says]
    close(
        context(inputs._replace(**{name: getattr(others, name) for name in unread})),
        context(inputs),
        f"says reads_regions = {says}, and its output depends on the other region maps too. Nobody predicts a map that "
        "no context says it reads: name the side, or leave reads_regions out",
    )


def is_deterministic_in_evaluation(make: MakeContext) -> None:
    context, inputs = make_trained(make).eval(), make_inputs(5, 7)
    close(
        context(inputs),
        context(inputs),
        "in evaluation the same input gives different outputs. Draw random numbers in training only "
        "(`if self.training`), and keep no state between calls",
        tolerance=0.0,
    )


def has_one_scale_in_a_search(make: MakeContext) -> None:
    trained, searched = affine_norms(make(IN, OUT)), affine_norms(make(IN, OUT, affine=False))
    expect(
        not trained or len(searched) < len(trained),
        f"with affine=False the norms {', '.join(sorted(searched))} still scale and shift. The last norm before the "
        "output passes it on, `nn.BatchNorm2d(channels, affine=affine)`, so that no candidate of a search wins by its "
        "scale",
    )


def keeps_its_type_and_loses_little(make: MakeContext) -> None:
    exact = make_trained(make).eval()(make_inputs(6, 7))
    for dtype, tolerance in NARROW:
        inputs = make_inputs(6, 7)
        narrow = inputs_of([*(x.to(dtype) for x in inputs[:2]), *(x.float() for x in inputs[2:4])])
        what = f"with {dtype} features and weights (region maps stay float32)"
        with doing(what, "Convert where types meet: `regions.to(source.dtype)`, or back from float32"):
            output = make_trained(make, dtype=dtype).eval()(narrow)
        back = "Convert back with `.to(inputs.target.dtype)`"
        expect(output.dtype == dtype, f"{what}: expected {dtype} out, got {output.dtype}. {back}")
        sums = "Sums over thousands of pixels are taken in float32"
        close(output, exact, f"{what}: loses more than {tolerance:g} of the result. {sums}", tolerance=tolerance)


def runs_under_autocast(make: MakeContext) -> None:
    context, inputs = make_trained(make, dtype=torch.float32), make_inputs(6, 7, dtype=torch.float32)
    inputs.target.requires_grad_()
    hint = "Matrix products return bfloat16 there: convert where types meet"
    with doing("under torch.autocast", hint), torch.autocast("cpu", dtype=torch.bfloat16):
        output = context(inputs)
    exact = make_trained(make)(make_inputs(6, 7))
    close(output, exact, "under torch.autocast: loses more than a tenth of the result", tolerance=0.1)
    if output.requires_grad:
        with doing("under torch.autocast: the backward pass"):
            output.float().sum().backward()
        gradient = inputs.target.grad
        expect(gradient is None or bool(gradient.isfinite().all()), "under torch.autocast: the gradient is not finite")


def takes_channels_last(make: MakeContext) -> None:
    inputs = make_inputs(5, 7)
    plain, context = make_trained(make)(inputs), make_trained(make)
    with doing("on channels-last tensors", "`.view` needs one memory layout; `.flatten` takes any"):
        context.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        last = context(inputs_of(x.to(memory_format=torch.channels_last) for x in inputs[:4]))
    close(last, plain, "channels-last features give another result: use .flatten, not .view")


def survives_a_strict_reload(make: MakeContext) -> None:
    context, inputs = make_trained(make).eval(), make_inputs(5, 7)
    other = make(IN, OUT).double().eval()
    with doing("loading its state_dict into a new one", "A buffer has its shape from the start"):
        other.load_state_dict(context.state_dict(), strict=True)
    close(
        other(inputs),
        context(inputs),
        "after a reload of its state_dict it gives another result. What is drawn or counted in `__init__` or "
        "`forward` and matters belongs into a parameter or `register_buffer`",
        tolerance=0.0,
    )


CHECKS: tuple[Check[MakeContext], ...] = (
    has_the_constructor,
    gives_channels_at_the_size_of_the_target,
    takes_a_single_image_in_training,
    has_right_gradients,
    uses_every_parameter,
    is_deterministic_in_evaluation,
    reads_the_regions_that_it_says,
    keeps_images_apart_in_evaluation,
    has_one_scale_in_a_search,
    keeps_its_type_and_loses_little,
    runs_under_autocast,
    takes_channels_last,
    survives_a_strict_reload,
)
"""In the order in which :func:`check_context` runs them: what later ones rely on comes first."""


def make_trained(make: MakeContext, *, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A context whose norms have left their starting values, as in the middle of a training."""
    torch.manual_seed(1)
    context = make(IN, OUT).double()
    with torch.no_grad():
        for norm in context.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.get_buffer("running_mean").normal_(0, 0.5)
                norm.get_buffer("running_var").uniform_(0.5, 2)
                if norm.affine:
                    norm.weight.uniform_(0.5, 1.5)
                    norm.bias.normal_(0, 0.5)
    return context.to(dtype)


def make_inputs(
    height: int,
    width: int,
    *,
    batch: int = 2,
    channels: int = IN,
    regions: tuple[int, int] = (3, 5),
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> ContextInput:
    """Random inputs of a block."""
    generator = torch.Generator().manual_seed(seed)

    def random(count: int) -> Tensor:
        return torch.randn(batch, count, height, width, generator=generator, dtype=torch.float64).to(dtype)

    target, source = random(channels), random(channels)
    return ContextInput(target, source, region_map(random(regions[0])), region_map(random(regions[1])))


def inputs_of(tensors: Iterable[Tensor]) -> ContextInput:
    """Features of target and source, and their region maps, as the input of a block."""
    target, source, target_regions, source_regions = tensors
    return ContextInput(target, source, target_regions, source_regions)


def affine_norms(context: Any) -> set[str]:
    """Names of the norms that scale and shift."""
    return {
        name
        for name, part in context.named_modules()
        if getattr(part, "affine", False) or getattr(part, "elementwise_affine", False)
    }
