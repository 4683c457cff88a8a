"""What every task must do, whatever it predicts."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.autograd import gradcheck

from nas_ctx.labels import IGNORE
from nas_ctx.tasks import TASKS, Task
from nas_ctx.testing.saying import Check, close, doing, expect, run_all
from nas_ctx.testing.task_case import AsRead, Draw, Perfect, TaskCase, as_read, ignore, random_classes

NEEDS_DRAW = (
    "The label drawn by default is a map of classes, int64 (B, H, W). A task whose labels are something else needs "
    "`draw=`, a function `draw(task, generator, (B, H, W))` that gives a label as it stands in a batch, "
    "such as float32 (B, C, H, W), and better also `perfect=`, a function `perfect(task, label)` that gives logits "
    "which predict it"
)


def check_task(
    task: Task | type[Task] | str,
    draw: Draw = random_classes,
    perfect: Perfect | None = None,
    *,
    best: float | None = None,
    raw: AsRead = as_read,
) -> None:
    """Check a task: losses, label partition, prediction, metric, drawing, and how its labels move.

    Args:
        task: the task, its class, or a name in ``TASKS``; a class is made without options.
        draw: ``(task, generator, (B, H, W))`` to a label without ignored pixels, as it stands in a batch: int64
            (B, H, W) or float32 (B, C, H, W). By default classes; labels of any other kind need it.
        perfect: ``(task, label)`` to logits that predict the label. Without it (and not for classes) it is not checked
            that the best score can be reached.
        best: the best score; by default 1 where higher is better, else 0.
        raw: ``(task, label of one image)`` to the array that a data set reads; by default the same values.

    Raises:
        AssertionError: says what is wrong and how to mend it.

    >>> check_task("saliency")
    """
    if isinstance(task, str):
        task = TASKS[task]
    if isinstance(task, type):
        kind = task
        with doing(f"{kind.__name__}()", "Options have defaults, and all abstract methods of Task are defined"):
            task = kind()
    run_all(CHECKS, TaskCase(task, draw, perfect, best, raw))


def has_its_attributes(case: TaskCase) -> None:
    task = case.task
    meanings: dict[str, tuple[type | tuple[type, ...], str]] = {
        "name": (str, "what it is called in configurations and scores"),
        "metric_name": (str, "the key of its main score in what metric().compute() gives"),
        "higher_is_better": (bool, "whether a larger score is a better one"),
        "weight": ((int, float), "the weight of its losses in the total loss"),
        "channels": (int, "channels of its logits"),
        "regions": (int, "classes of the auxiliary prediction, into which partition() cuts the labels"),
    }
    for key, (kind, meaning) in meanings.items():
        value = getattr(task, key, None)
        expect(isinstance(value, kind), f"{case.named}.{key}: {value!r}: expected {meaning}")
    expect(task.weight > 0, f"{case.named}.weight: {task.weight}: expected a positive number")
    expect(task.channels >= 1, f"{case.named}.channels: {task.channels}: expected at least 1")
    expect(task.regions >= 2, f"{case.named}.regions: {task.regions}: expected at least 2, or there is nothing to tell")
    if case.draw is random_classes:
        expect_labels_of_classes(case)
    label = case.label()
    good = (label.dtype == torch.int64 and label.ndim == 3) or (label.dtype == torch.float32 and label.ndim == 4)
    expect(
        good,
        f"the label drawn for {case.named} is {label.dtype} {tuple(label.shape)}: expected int64 (B, H, W) for classes "
        "or float32 (B, C, H, W) for quantities, with 255 where it says nothing",
    )


def expect_labels_of_classes(case: TaskCase) -> None:
    """Nobody said how to draw a label: is one of classes of the kind that the task puts into a batch?"""
    raw = case.raw(case.task, case.label()[0])
    what = f"{case.named}.to_tensor of a map of classes, {raw.dtype} {raw.shape}"
    with doing(what, NEEDS_DRAW):
        tensor = case.task.to_tensor(case.task.mark_ignore(raw))
    expect(
        tensor.dtype == torch.int64 and tuple(tensor.shape) == raw.shape,
        f"{what}: gives {tensor.dtype} {tuple(tensor.shape)}; for classes expected int64 {raw.shape}. {NEEDS_DRAW}",
    )


def losses_are_finite_scalars_with_right_gradients(case: TaskCase) -> None:
    label = case.label((1, 3, 4), ignored=0.2)
    for name, loss, draw in case.losses():
        logits = draw(label).double().requires_grad_()
        what = f"{case.named}.{name} of logits {tuple(logits.shape)}"
        with doing(what):
            value = loss(logits, label)
        expect(value.ndim == 0, f"{what}: expected a scalar, got the shape {tuple(value.shape)}: take the mean")
        cost = value.item()
        expect(math.isfinite(cost), f"{what}: is {cost}: expected a finite number")
        expect(cost > 0, f"{what}: is {cost:g} for random logits: expected more than 0")
        # One that computes in float32 whatever it gets cannot be compared as closely.
        step, allowed = (1e-6, 1e-5) if value.dtype == torch.float64 else (1e-2, 1e-3)
        with doing(f"{what}: its gradient"):
            right = gradcheck(
                lambda x, f=loss: f(x, label).double(),
                logits,
                fast_mode=True,
                eps=step,
                atol=allowed,
                raise_exception=False,
            )
        expect(right, f"{what}: its gradient disagrees with differences. `.detach()`, rounding and argmax cut it")


def partition_is_in_range_and_keeps_ignored_pixels(case: TaskCase) -> None:
    label = case.label(ignored=0.3)
    regions = case.task.partition(label)
    where = label == IGNORE if label.ndim == 3 else (label == IGNORE).all(1)
    what = f"{case.named}.partition of a label {tuple(label.shape)}"
    wanted = (len(label), *label.shape[-2:])
    expect(
        regions.dtype == torch.long and tuple(regions.shape) == wanted,
        f"{what}: expected int64 {wanted}, got {regions.dtype} {tuple(regions.shape)}",
    )
    expect(
        torch.equal(regions == IGNORE, where),
        f"{what}: expected 255 exactly where the label is 255 (in all channels): other pixels belong to a region",
    )
    low, high = int(regions[~where].min()), int(regions[~where].max())
    expect(
        low >= 0 and high < case.task.regions,
        f"{what}: regions from {low} to {high}: expected 0..{case.task.regions - 1} (regions = {case.task.regions})",
    )


def ignored_pixels_do_not_matter_to_losses(case: TaskCase) -> None:
    label = case.label(ignored=0.3)
    ignored = case.task.partition(label) == IGNORE
    for name, loss, draw in case.losses():
        logits = draw(label).requires_grad_()
        elsewhere = torch.where(ignored.unsqueeze(1), draw(label, seed=1) * 50, logits.detach())
        value = loss(logits, label)
        (gradient,) = torch.autograd.grad(value, logits)
        hint = "Mask the pixels where the label is 255 and divide by the number of the others"
        close(
            loss(elsewhere, label),
            value.detach(),
            f"{case.named}.{name}: it changes with the logits of ignored pixels (label 255). {hint}",
            tolerance=1e-5,
        )
        there = float(gradient.movedim(1, -1)[ignored].abs().max())
        expect(there == 0, f"{case.named}.{name}: ignored pixels (label 255) get a gradient. {hint}")
        expect(float(gradient.abs().max()) > 0, f"{case.named}.{name}: no pixel gets a gradient: nothing is learnt")


def a_batch_without_a_valid_pixel_costs_nothing(case: TaskCase) -> None:
    label = case.label()
    label = ignore(label, torch.ones(len(label), *label.shape[-2:], dtype=torch.bool))
    for name, loss, draw in case.losses():
        logits = draw(label).requires_grad_()
        what = f"{case.named}.{name} of a batch whose pixels are all ignored"
        with doing(what):
            value = loss(logits, label)
            value.backward()
        assert logits.grad is not None
        expect(
            value.item() == 0 and float(logits.grad.abs().max()) == 0,
            f"{what}: is {value.item():g}: expected 0, with gradient 0. Such batches happen: divide by the number of "
            "valid pixels, at least 1, and not by a mean over none",
        )
    with doing(f"{case.named}.metric on a batch whose pixels are all ignored"):
        case.score(case.task.predict(case.logits(label)), label)


def zero_logits_give_finite_gradients(case: TaskCase) -> None:
    label = case.label()
    for name, loss, draw in case.losses():
        logits = torch.zeros_like(draw(label)).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(logits, label), logits)
        expect(
            bool(gradient.isfinite().all()),
            f"{case.named}.{name}: at logits zero, where a network may begin, the gradient is not finite. A norm or a "
            "root needs a small number added before it is taken",
        )


def half_precision_logits_cost_the_same(case: TaskCase) -> None:
    label = case.label((2, 40, 50), ignored=0.2)
    for dtype in (torch.float16, torch.bfloat16):
        for name, loss, draw in case.losses():
            logits = draw(label).to(dtype).requires_grad_()
            what = f"{case.named}.{name} of {dtype} logits"
            with doing(what):
                value = loss(logits, label)
                value.backward()
            assert logits.grad is not None
            hint = "Begin with `logits = logits.float()`"
            expect(value.dtype == torch.float32, f"{what}: is {value.dtype}: expected float32. {hint}")
            close(value, loss(logits.detach().float(), label), f"{what}: differs from that in float32. {hint}")
            expect(bool(logits.grad.isfinite().all()), f"{what}: its gradient is not finite. {hint}")
        prediction = case.task.predict(case.logits(label).to(dtype))
        expect(
            prediction.dtype in (torch.float32, torch.long),
            f"{case.named}.predict of {dtype} logits: gives {prediction.dtype}: expected float32 or int64",
        )


def prediction_has_the_layout_of_the_label(case: TaskCase) -> None:
    label = case.label()
    prediction = case.task.predict(case.logits(label))
    what = f"{case.named}.predict"
    expect(
        prediction.shape == label.shape,
        f"{what}: expected the shape of the label, {tuple(label.shape)}, got {tuple(prediction.shape)}",
    )
    good = prediction.is_floating_point() or prediction.dtype == torch.long
    expect(good, f"{what}: expected int64 or floating point, got {prediction.dtype}")


def a_perfect_prediction_gets_the_best_score(case: TaskCase) -> None:
    if case.perfect_logits is None:
        return
    label = case.label((2, 12, 14), ignored=0.1)
    logits = case.perfect_logits(case.task, label)
    score = case.score(case.task.predict(logits), label)
    expect(
        abs(score - case.best_score) <= 2e-3,
        f"{case.named}: logits that predict the label score {score:g}: expected {case.best_score:g} "
        f"({case.task.metric_name}, {'higher' if case.task.higher_is_better else 'lower'} is better)",
    )
    right, wrong = float(case.task.loss(logits, label)), float(case.task.loss(case.logits(label), label))
    expect(right < wrong, f"{case.named}.loss: of logits that predict the label {right:g}, of random ones {wrong:g}")


def ignored_pixels_do_not_matter_to_metrics(case: TaskCase) -> None:
    label = case.label(ignored=0.3)
    ignored = case.task.partition(label) == IGNORE
    prediction, other = (case.task.predict(case.logits(label, seed=seed)) for seed in (0, 1))
    mask = ignored if prediction.ndim == 3 else ignored.unsqueeze(1)
    scores = [case.score(torch.where(mask, p, prediction), label) for p in (prediction, other)]
    expect(
        scores[0] == scores[1],
        f"{case.named}.metric: the score changes with predictions at ignored pixels (label 255), {scores}: mask them",
    )
    scores = [case.score(p, label) for p in (prediction, other)]
    expect(scores[0] != scores[1], f"{case.named}.metric: two random predictions have the same score, {scores[0]:g}")


def pooled_score_does_not_depend_on_batches(case: TaskCase) -> None:
    label = case.label((6, 12, 14), ignored=0.2)
    prediction = case.task.predict(case.logits(label))
    whole, halves = case.task.metric(), [case.task.metric(), case.task.metric()]
    whole.update(prediction, label)
    for metric, places in zip(halves, ([0, 1, 2, 3], [4, 5]), strict=True):
        for place in places:
            metric.update(prediction[place : place + 1], label[place : place + 1])
    what = f"{case.named}.metric"
    hint = (
        "Keep sums and counts as states (add_state(..., dist_reduce_fx='sum')) and divide in compute(): a mean of the "
        "batches' scores changes with the batch size"
    )
    with doing(f"{what}: merging the states of two processes", hint):
        halves[0].merge_state(halves[1])
    one, other = whole.compute(), halves[0].compute()
    expect(one.keys() == other.keys(), f"{what}: compute() gives other keys for other batches")
    for name, value in one.items():
        close(
            torch.as_tensor(other[name]),
            torch.as_tensor(value),
            f"{what}: {name} of six images one by one in two processes differs from that of one batch. {hint}",
            tolerance=1e-12,
        )


def metric_knows_its_direction_and_starts_afresh(case: TaskCase) -> None:
    metric, what = case.task.metric(), f"{case.named}.metric"
    expect(
        metric.higher_is_better is case.task.higher_is_better,
        f"{what}().higher_is_better is {metric.higher_is_better}, the task's is {case.task.higher_is_better}",
    )
    expect(metric is not case.task.metric(), f"{what}: gives the same object twice: it would mix two validations")
    label, kept = case.label(), case.label(seed=1)
    metric.update(case.task.predict(case.logits(label)), label)
    metric.reset()
    metric.update(case.task.predict(case.logits(kept)), kept)
    expect(
        float(metric.compute()[case.task.metric_name]) == case.score(case.task.predict(case.logits(kept)), kept),
        f"{what}: after reset() it remembers what came before: what it adds up must be states (add_state)",
    )


def labels_and_predictions_can_be_drawn(case: TaskCase) -> None:
    label = case.label(ignored=0.2)
    pictures = []
    for values in (label, case.task.predict(case.logits(label))):
        array = values[0].numpy()
        array = array.transpose(1, 2, 0) if array.ndim == 3 and array.shape[0] == 3 else array.reshape(-1, 12, 14)[0]
        with doing(f"{case.named}.render of an array {array.shape}"):
            picture = case.task.render(array)
        expect(
            picture.shape == (12, 14, 3) and picture.dtype == np.uint8,
            f"{case.named}.render: expected uint8 (12, 14, 3), got {picture.dtype} {picture.shape}",
        )
        pictures.append(picture)
    ignored = (case.task.partition(label) == IGNORE)[0].numpy()
    colours = len(np.unique(pictures[0][ignored], axis=0))
    expect(colours == 1, f"{case.named}.render: ignored pixels have {colours} colours: expected one, a neutral one")
    expect(len(np.unique(pictures[0][~ignored], axis=0)) > 1, f"{case.named}.render: all valid pixels look alike")


def flipping_or_scaling_back_changes_nothing(case: TaskCase) -> None:
    raw = case.raw(case.task, case.label()[0])
    once = case.task.flip(raw[:, ::-1])
    expect(
        np.array_equal(case.task.flip(once[:, ::-1]), raw),
        f"{case.named}.flip: twice is not as before. The array is mirrored already: flip corrects values only, such as "
        "the sign of a direction",
    )
    back = case.task.scale(case.task.scale(raw, 1.7), 1 / 1.7)
    expect(
        np.allclose(back, raw, rtol=1e-6),
        f"{case.named}.scale: by 1.7 and back by 1 / 1.7 is not as before. The array is resampled already: scale "
        "corrects values only, such as a distance",
    )


def labels_find_their_way_into_a_batch(case: TaskCase) -> None:
    label = case.label()[0]
    raw = case.raw(case.task, label)
    padding = ((1, 1), (2, 2), (0, 0))[: raw.ndim]
    padded = np.pad(raw, padding, constant_values=case.task.pad_value)
    what = f"{case.named}.to_tensor(mark_ignore(label)) of an array {padded.shape}"
    with doing(what):
        tensor = case.task.to_tensor(case.task.mark_ignore(padded))
    wanted = (*label.shape[:-2], 14, 18)
    expect(
        tensor.dtype == label.dtype and tuple(tensor.shape) == wanted,
        f"{what}: expected {label.dtype} {wanted}, got {tensor.dtype} {tuple(tensor.shape)}",
    )
    close(tensor[..., 1:-1, 2:-2], label, f"{what}: the values have changed", tolerance=1e-6)
    border = bool((tensor[..., 0, :] == IGNORE).all()) and bool((tensor[..., :, :2] == IGNORE).all())
    expect(
        border,
        f"{what}: what pictures are padded with (pad_value = {case.task.pad_value:g}) must be 255 afterwards: "
        "mark_ignore writes 255 where the label says nothing",
    )
    loss = float(case.task.loss(case.logits(tensor[None]), tensor[None]))
    expect(math.isfinite(loss), f"{case.named}.loss: is {loss} for a padded label")


def a_gpu_gives_what_the_cpu_gives(case: TaskCase) -> None:
    if not torch.cuda.is_available():
        return
    label = case.label((2, 40, 50), ignored=0.2)
    there = label.cuda()
    for name, loss, draw in case.losses():
        with doing(f"{case.named}.{name} on a GPU", "Tensors that a task keeps follow: `self.table.to(logits.device)`"):
            value = loss(draw(label).cuda(), there).cpu()
        close(value, loss(draw(label), label), f"{case.named}.{name}: differs on a GPU", tolerance=1e-4)
    metric = case.task.metric().cuda()
    metric.update(case.task.predict(case.logits(label).cuda()), there)
    expected = case.score(case.task.predict(case.logits(label)), label)
    score = float(metric.compute()[case.task.metric_name])
    expect(math.isclose(score, expected, rel_tol=1e-3), f"{case.named}.metric: {score:g} on a GPU, {expected:g} here")
    same = torch.equal(case.task.partition(there).cpu(), case.task.partition(label))
    expect(same, f"{case.named}.partition: differs on a GPU")


CHECKS: tuple[Check[TaskCase], ...] = (
    has_its_attributes,
    partition_is_in_range_and_keeps_ignored_pixels,
    prediction_has_the_layout_of_the_label,
    losses_are_finite_scalars_with_right_gradients,
    ignored_pixels_do_not_matter_to_losses,
    a_batch_without_a_valid_pixel_costs_nothing,
    zero_logits_give_finite_gradients,
    half_precision_logits_cost_the_same,
    a_perfect_prediction_gets_the_best_score,
    ignored_pixels_do_not_matter_to_metrics,
    pooled_score_does_not_depend_on_batches,
    metric_knows_its_direction_and_starts_afresh,
    labels_and_predictions_can_be_drawn,
    flipping_or_scaling_back_changes_nothing,
    labels_find_their_way_into_a_batch,
    a_gpu_gives_what_the_cpu_gives,
)
"""In the order in which :func:`check_task` runs them."""
