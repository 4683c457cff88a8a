"""Requirements on every task."""

from __future__ import annotations

import math

import numpy as np
import torch

from nas_ctx.labels import IGNORE
from nas_ctx.tasks import TASKS, Task
from nas_ctx.testing.messages import Check, close, doing, expect, name_of, run_all
from nas_ctx.testing.task_case import AsRead, Draw, Perfect, TaskCase, as_read, random_classes
from nas_ctx.testing.task_losses import LOSS_CHECKS
from nas_ctx.testing.task_metrics import METRIC_CHECKS

NEEDS_DRAW = (
    "The label drawn by default is a map of classes, int64 (B, H, W). A task whose labels are something else needs "
    "`draw=`, a function `draw(task, generator, (B, H, W))` that gives a label as it stands in a batch, "
    "such as float32 (B, C, H, W), and better also `perfect=`, a function `perfect(task, label)` that gives logits "
    "which predict it"
)

ATTRIBUTES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "name": (str, "what it is called in configurations and scores"),
    "metric_name": (str, "the key of its main score in what metric().compute() gives"),
    "higher_is_better": (bool, "whether a larger score is a better one"),
    "weight": ((int, float), "the weight of its losses in the total loss"),
    "channels": (int, "channels of its logits"),
    "regions": (int, "classes of the auxiliary prediction, into which partition() cuts the labels"),
}


def check_task(
    task: Task | type[Task] | str,
    draw: Draw = random_classes,
    perfect: Perfect | None = None,
    *,
    best: float | None = None,
    raw: AsRead = as_read,
) -> None:
    """Check a task: losses, label partition, prediction, metric, rendering, and the transforms of its labels.

    Args:
        task: the task, its class, or a name in ``TASKS``; a class is made without options.
        draw: ``(task, generator, (B, H, W))`` to a label without ignored pixels, as it stands in a batch: int64
            (B, H, W) or float32 (B, C, H, W). By default classes; labels of any other kind need it.
        perfect: ``(task, label)`` to logits that predict the label. Without it (and not for classes) it is not checked
            that the best score can be reached.
        best: the best score; by default 1 where higher is better, else 0.
        raw: ``(task, label of one image)`` to the array that a data set reads; by default the same values.

    >>> check_task("saliency")
    """
    if isinstance(task, str):
        task = TASKS[task]
    if isinstance(task, type):
        with doing(f"{name_of(task)}()", "Options have defaults, and all abstract methods of Task are defined"):
            task = task()
    run_all(CHECKS, TaskCase(task, draw, perfect, best, raw))


def has_its_attributes(case: TaskCase) -> None:
    task = case.task
    for key, (kind, meaning) in ATTRIBUTES.items():
        value = getattr(task, key, None)
        expect(isinstance(value, kind), f"{key} is {value!r}: expected {meaning}")
    expect(task.weight > 0, f"weight is {task.weight}: expected a positive number")
    expect(task.channels >= 1, f"channels is {task.channels}: expected at least 1")
    expect(task.regions >= 2, f"regions is {task.regions}: expected at least 2, or there is nothing to tell")
    label = case.label()
    if case.draw is random_classes:  # nobody said how to draw a label: are the task's of that kind?
        raw = case.raw(task, label[0])
        what = f"to_tensor of a map of classes, {raw.dtype} {raw.shape}"
        with doing(what, NEEDS_DRAW):
            tensor = task.to_tensor(task.mark_ignore(raw))
        is_map = tensor.dtype == torch.int64 and tensor.shape == raw.shape
        gives = f"{tensor.dtype} {tuple(tensor.shape)}"
        expect(is_map, f"{what}: gives {gives}; for classes expected int64 {raw.shape}. {NEEDS_DRAW}")
    expect(
        (label.dtype, label.ndim) in ((torch.int64, 3), (torch.float32, 4)),
        f"the label drawn for {name_of(task)} is {label.dtype} {tuple(label.shape)}: expected int64 (B, H, W) for "
        "classes or float32 (B, C, H, W) for quantities, with 255 where it says nothing",
    )


def partition_is_in_range_and_keeps_ignored_pixels(case: TaskCase) -> None:
    label = case.label(ignored=0.3)
    regions = case.task.partition(label)
    where = label == IGNORE if label.ndim == 3 else (label == IGNORE).all(1)
    what = f"partition of a label {tuple(label.shape)}"
    wanted, shape = (len(label), *label.shape[-2:]), tuple(regions.shape)
    is_map = regions.dtype == torch.long and shape == wanted
    expect(is_map, f"{what}: expected int64 {wanted}, got {regions.dtype} {shape}")
    expect(
        torch.equal(regions == IGNORE, where),
        f"{what}: expected 255 exactly where the label is 255 (in all channels): other pixels belong to a region",
    )
    low, high, count = int(regions[~where].min()), int(regions[~where].max()), case.task.regions
    in_range = low >= 0 and high < count
    expect(in_range, f"{what}: regions from {low} to {high}: expected 0..{count - 1} (regions = {count})")


def prediction_has_the_layout_of_the_label(case: TaskCase) -> None:
    label = case.label()
    prediction = case.prediction(label)
    shape, wanted = tuple(prediction.shape), tuple(label.shape)
    expect(shape == wanted, f"predict: expected the shape of the label, {wanted}, got {shape}")
    good = prediction.is_floating_point() or prediction.dtype == torch.long
    expect(good, f"predict: expected int64 or floating point, got {prediction.dtype}")


def labels_and_predictions_can_be_drawn(case: TaskCase) -> None:
    label = case.label(ignored=0.2)
    pictures = []
    for values in (label, case.prediction(label)):
        array = values[0].numpy()
        array = array.transpose(1, 2, 0) if array.ndim == 3 and array.shape[0] == 3 else array.reshape(-1, 12, 14)[0]
        with doing(f"render of an array {array.shape}"):
            picture = case.task.render(array)
        is_picture = picture.shape == (12, 14, 3) and picture.dtype == np.uint8
        expect(is_picture, f"render: expected uint8 (12, 14, 3), got {picture.dtype} {picture.shape}")
        pictures.append(picture)
    ignored = case.ignored(label)[0].numpy()
    colours = len(np.unique(pictures[0][ignored], axis=0))
    expect(colours == 1, f"render: ignored pixels have {colours} colours: expected one, a neutral one")
    expect(len(np.unique(pictures[0][~ignored], axis=0)) > 1, "render: all valid pixels look alike")


def flipping_or_scaling_back_changes_nothing(case: TaskCase) -> None:
    raw = case.raw(case.task, case.label()[0])
    mirrored = case.task.flip(raw[:, ::-1])
    expect(
        np.array_equal(case.task.flip(mirrored[:, ::-1]), raw),
        "flip: twice is not as before. The array is mirrored already: flip corrects values only, such as the sign of a "
        "direction",
    )
    expect(
        np.allclose(case.task.scale(case.task.scale(raw, 1.7), 1 / 1.7), raw, rtol=1e-6),
        "scale: by 1.7 and back by 1 / 1.7 is not as before. The array is resampled already: scale corrects values "
        "only, such as a distance",
    )


def labels_find_their_way_into_a_batch(case: TaskCase) -> None:
    label, task = case.label()[0], case.task
    raw = case.raw(task, label)
    padded = np.pad(raw, ((1, 1), (2, 2), (0, 0))[: raw.ndim], constant_values=task.pad_value)
    what = f"to_tensor(mark_ignore(label)) of an array {padded.shape}"
    with doing(what):
        tensor = task.to_tensor(task.mark_ignore(padded))
    kind, wanted = (tensor.dtype, tuple(tensor.shape)), (label.dtype, (*label.shape[:-2], 14, 18))
    expect(kind == wanted, f"{what}: expected {wanted[0]} {wanted[1]}, got {kind[0]} {kind[1]}")
    close(tensor[..., 1:-1, 2:-2], label, f"{what}: the values have changed")
    expect(
        bool((tensor[..., 0, :] == IGNORE).all() and (tensor[..., :, :2] == IGNORE).all()),
        f"{what}: what pictures are padded with (pad_value = {task.pad_value:g}) must be 255 afterwards: mark_ignore "
        "writes 255 where the label says nothing",
    )
    loss = float(task.loss(case.logits(tensor[None]), tensor[None]))
    expect(math.isfinite(loss), f"loss: is {loss} for a padded label")


def a_gpu_gives_what_the_cpu_gives(case: TaskCase) -> None:
    if not torch.cuda.is_available():
        return
    label = case.label((2, 40, 50), ignored=0.2)
    on_gpu = label.cuda()
    for name, loss, draw in case.losses():
        with doing(f"{name} on a GPU", "Tensors that a task keeps follow: `self.table.to(logits.device)`"):
            value = loss(draw(label).cuda(), on_gpu).cpu()
        close(value, loss(draw(label), label), f"{name}: differs on a GPU", tolerance=1e-4)
    metric = case.task.metric().cuda()
    metric.update(case.task.predict(case.logits(label).cuda()), on_gpu)
    score, expected = float(metric.compute()[case.task.metric_name]), case.score(case.prediction(label), label)
    expect(math.isclose(score, expected, rel_tol=1e-3), f"metric: {score:g} on a GPU, {expected:g} on the CPU")
    same = torch.equal(case.task.partition(on_gpu).cpu(), case.task.partition(label))
    expect(same, "partition: differs on a GPU")


CHECKS: tuple[Check[TaskCase], ...] = (
    has_its_attributes,
    partition_is_in_range_and_keeps_ignored_pixels,
    prediction_has_the_layout_of_the_label,
    *LOSS_CHECKS,
    *METRIC_CHECKS,
    labels_and_predictions_can_be_drawn,
    flipping_or_scaling_back_changes_nothing,
    labels_find_their_way_into_a_batch,
    a_gpu_gives_what_the_cpu_gives,
)
"""In the order in which :func:`check_task` runs them."""
