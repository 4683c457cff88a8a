"""Requirements on both losses of every task."""

from __future__ import annotations

import math

import torch
from torch.autograd import gradcheck

from nas_ctx.testing.messages import Check, close, expect
from nas_ctx.testing.task_case import TaskCase, ignore


def losses_are_finite_scalars_with_right_gradients(case: TaskCase) -> None:
    label = case.label((1, 3, 4), ignored=0.2)
    for name, loss, draw in case.losses():
        logits = draw(label).double().requires_grad_()
        what = f"{name} of logits {tuple(logits.shape)}"
        value = loss(logits, label)
        expect(value.ndim == 0, f"{what}: expected a scalar, got the shape {tuple(value.shape)}: take the mean")
        cost = value.item()
        expect(0 < cost < math.inf, f"{what}: is {cost:g} for random logits: expected a finite number above 0")
        # One that computes in float32 whatever it gets cannot be compared as closely.
        step, allowed = (1e-6, 1e-5) if value.dtype == torch.float64 else (1e-2, 1e-3)
        right = gradcheck(
            lambda x, f=loss: f(x, label).double(), logits, fast_mode=True, eps=step, atol=allowed,
            raise_exception=False,
        )  # fmt: skip
        expect(right, f"{what}: its gradient disagrees with differences. `.detach()`, rounding and argmax cut it")


def ignored_pixels_do_not_matter_to_losses(case: TaskCase) -> None:
    label = case.label(ignored=0.3)
    ignored = case.ignored(label)
    hint = "Mask the pixels where the label is 255 and divide by the number of the others"
    for name, loss, draw in case.losses():
        logits = draw(label).requires_grad_()
        elsewhere = torch.where(ignored.unsqueeze(1), draw(label, seed=1) * 50, logits.detach())
        value = loss(logits, label)
        (gradient,) = torch.autograd.grad(value, logits)
        changes = f"{name}: it changes with the logits of ignored pixels (label 255). {hint}"
        close(loss(elsewhere, label), value, changes, tolerance=1e-5)
        largest = float(gradient.movedim(1, -1)[ignored].abs().max())
        expect(largest == 0, f"{name}: ignored pixels (label 255) get a gradient. {hint}")
        expect(float(gradient.abs().max()) > 0, f"{name}: no pixel gets a gradient: nothing is learnt")


def a_batch_without_a_valid_pixel_costs_nothing(case: TaskCase) -> None:
    label = case.label()
    label = ignore(label, torch.ones(len(label), *label.shape[-2:], dtype=torch.bool))
    for name, loss, draw in case.losses():
        logits = draw(label).requires_grad_()
        value = loss(logits, label)
        (gradient,) = torch.autograd.grad(value, logits)
        expect(
            value.item() == 0 and float(gradient.abs().max()) == 0,
            f"{name} of a batch whose pixels are all ignored: is {value.item():g}: expected 0, with gradient 0. Such "
            "batches happen: divide by the number of valid pixels, at least 1, and not by a mean over none",
        )
    case.score(case.prediction(label), label)


def zero_logits_give_finite_gradients(case: TaskCase) -> None:
    label = case.label()
    for name, loss, draw in case.losses():
        logits = torch.zeros_like(draw(label)).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(logits, label), logits)
        expect(
            bool(gradient.isfinite().all()),
            f"{name}: at logits zero, where a network may begin, the gradient is not finite. A norm or a root needs a "
            "small number added before it is taken",
        )


def half_precision_logits_cost_the_same(case: TaskCase) -> None:
    label = case.label((2, 40, 50), ignored=0.2)
    hint = "Begin with `logits = logits.float()`"
    for dtype in (torch.float16, torch.bfloat16):
        for name, loss, draw in case.losses():
            logits = draw(label).to(dtype).requires_grad_()
            what = f"{name} of {dtype} logits"
            value = loss(logits, label)
            (gradient,) = torch.autograd.grad(value, logits)
            expect(value.dtype == torch.float32, f"{what}: is {value.dtype}: expected float32. {hint}")
            close(value, loss(logits.detach().float(), label), f"{what}: differs from that in float32. {hint}")
            expect(bool(gradient.isfinite().all()), f"{what}: its gradient is not finite. {hint}")
        result = case.task.predict(case.logits(label).to(dtype)).dtype
        good = result in (torch.float32, torch.long)
        expect(good, f"predict of {dtype} logits: gives {result}: expected float32 or int64")


LOSS_CHECKS: tuple[Check[TaskCase], ...] = (
    losses_are_finite_scalars_with_right_gradients,
    ignored_pixels_do_not_matter_to_losses,
    a_batch_without_a_valid_pixel_costs_nothing,
    zero_logits_give_finite_gradients,
    half_precision_logits_cost_the_same,
)
