"""From stored samples to network inputs: the training augmentation and the evaluation transform.

Every step is a function of arrays; the task corrects the *values* of a label (depth shrinks as the image grows,
normals turn as it is mirrored). Scaling and cropping are one resampling, so that no pixel outside the crop is
computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from nas_ctx.data import colour
from nas_ctx.data.base import Draw, Sample
from nas_ctx.labels import IGNORE

if TYPE_CHECKING:
    from nas_ctx.tasks import Task

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # of ImageNet, in 0..1
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
SCALES = (0.5, 2.0)
MOST_OF_ONE_CLASS = 0.75
CROP_TRIES = 10

Size = tuple[int, int]  # height, width
ClassesOf = Callable[[Sample], NDArray[Any] | None]


class Window(NamedTuple):
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


def scaled_size(size: Size, factor: float) -> Size:
    """The size of an image after scaling.

    >>> scaled_size((96, 128), 1.5)
    (144, 192)
    """
    return (max(1, int(size[0] * factor)), max(1, int(size[1] * factor)))


def resample_image(image: NDArray[np.uint8], size: Size, window: Window) -> NDArray[np.float32]:
    """``image`` (H, W, 3), scaled bilinearly to ``size``, of which ``window`` is kept: float32.

    As in the published pipeline a shrunk picture is not smoothed before, so that it shows more than it could hold.

    >>> resample_image(np.array([[[0], [8]]], np.uint8), (1, 4), Window(0, 0, 1, 4))[0, :, 0].tolist()
    [0.0, 2.0, 6.0, 8.0]
    """
    above, below, down = _linear(image.shape[0], size[0], window.top, window.height)
    before, after, across = _linear(image.shape[1], size[1], window.left, window.width)
    part = image[:, before[0] : after[-1] + 1]
    rows = part.take(above, axis=0).astype(np.float32)
    rows += (part.take(below, axis=0) - rows) * down[:, None, None]
    planes = np.ascontiguousarray(rows.transpose(2, 0, 1))
    scaled = planes.take(before - before[0], axis=2)
    scaled += (planes.take(after - before[0], axis=2) - scaled) * across
    return scaled.transpose(1, 2, 0)


def _linear(source: int, target: int, start: int, count: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float32]]:
    """The two source pixels that each target pixel lies between, and how far it has got from the first."""
    places = ((np.arange(start, start + count) + 0.5) * (source / target) - 0.5).clip(0, source - 1)
    first = places.astype(np.intp)
    return first, np.minimum(first + 1, source - 1), (places - first).astype(np.float32)


def by_planes(array: NDArray[Any], dtype: Any = None) -> NDArray[Any]:
    """The same (H, W, C) values, stored channel by channel; (H, W) arrays are returned unchanged.

    Later steps work on whole channels, and NumPy keeps the layout: several times as fast as interleaved values.
    """
    if array.ndim == 2:
        return array
    return np.ascontiguousarray(array.transpose(2, 0, 1), dtype=dtype).transpose(1, 2, 0)


def resample_label(label: NDArray[Any], size: Size, window: Window) -> NDArray[Any]:
    """``label`` (H, W, ...), scaled to ``size`` by the nearest pixel, of which ``window`` is kept.

    >>> resample_label(np.array([[1, 2], [3, 4]]), (4, 4), Window(1, 1, 2, 3)).tolist()
    [[1, 2, 2], [3, 4, 4]]
    """
    rows = _nearest(label.shape[0], size[0], window.top, window.height)
    columns = _nearest(label.shape[1], size[1], window.left, window.width)
    return by_planes(label.take(rows, axis=0).take(columns, axis=1))


def _nearest(source: int, target: int, start: int, count: int) -> NDArray[np.intp]:
    return (2 * np.arange(start, start + count) + 1) * source // (2 * target)


def is_varied(label: NDArray[Any]) -> bool:
    """Does a class label show more than one class, and none on 75 % or more of what is labelled?

    >>> is_varied(np.array([0, 0, 0, 1])), is_varied(np.array([0, 0, 1, 1, 255]))
    (False, True)
    """
    counts = np.bincount(label.ravel(), minlength=IGNORE + 1)
    counts[IGNORE] = 0
    return bool(np.count_nonzero(counts) > 1 and counts.max() < MOST_OF_ONE_CLASS * counts.sum())


def random_window(size: Size, crop: Size, rng: Generator, classes: NDArray[Any] | None = None) -> Window:
    """A random window of at most ``crop`` in an image of ``size``.

    With ``classes``, a class label of any scale of the same picture, up to ten windows are tried until one is varied.
    """
    height, width = min(size[0], crop[0]), min(size[1], crop[1])
    for _ in range(CROP_TRIES):
        top = int(rng.integers(size[0] - height + 1))
        left = int(rng.integers(size[1] - width + 1))
        window = Window(top, left, height, width)
        if classes is None or is_varied(resample_label(classes, size, window)):
            break
    return window


def mirror(array: NDArray[Any]) -> NDArray[Any]:
    """(H, W, ...) with left and right exchanged."""
    return array[:, ::-1].copy(order="K")


def standardise(image: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W, 3) RGB 0..255, standardised by ImageNet's mean and deviation."""
    return image * (1 / (255 * STD)) - MEAN / STD


def pad(array: NDArray[Any], size: Size, value: float) -> NDArray[Any]:
    """(H, W, ...) centred in at least ``size`` and surrounded by ``value``; an odd remainder goes below and right.

    >>> pad(np.array([[7]]), (2, 3), 0).tolist()
    [[0, 7, 0], [0, 0, 0]]
    """
    height, width = array.shape[:2]
    down, across = max(size[0] - height, 0), max(size[1] - width, 0)
    if not down and not across:
        return array
    padded = by_planes(np.full((height + down, width + across, *array.shape[2:]), value, dtype=array.dtype))
    padded[down // 2 : down // 2 + height, across // 2 : across // 2 + width] = array
    return padded


@dataclass(frozen=True)
class EvalTransform:
    """Standardise, pad to at least ``size``, mark what is ignored, make tensors.

    Args:
        tasks: task name -> task.
        size: height and width that smaller images are padded to; larger ones stay whole.
    """

    tasks: Mapping[str, Task]
    size: Size

    def __call__(self, sample: Sample, draw: Draw) -> Sample:
        """One sample as in a batch: image float32 (3, H, W), labels as the tasks return them, id, tasks without one."""
        image = pad(standardise(by_planes(sample["image"], np.float32)), self.size, 0)
        ready: Sample = {"image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), "id": sample["id"]}
        ready["unlabelled"] = [name for name in self.tasks if sample[name] is None]
        for name, task in self.tasks.items():
            if sample[name] is None:
                ready[name] = task.no_label(image.shape[:2])
                continue
            label = pad(by_planes(sample[name]), self.size, task.pad_value)
            ready[name] = task.to_tensor(task.mark_ignore(label))
        return ready


@dataclass(frozen=True)
class TrainTransform:
    """Random scale, crop, mirroring and colours, then as :class:`EvalTransform`.

    A sample's randomness depends on ``seed``, its epoch and its index only, not on the process.

    Args:
        tasks: task name -> task.
        size: height and width of the crop.
        seed: of all randomness.
        classes_of: the class label of a sample that decides whether a crop is varied enough; None: the first is taken.
    """

    tasks: Mapping[str, Task]
    size: Size
    seed: int
    classes_of: ClassesOf = lambda sample: sample.get("semseg")

    def __call__(self, sample: Sample, draw: Draw) -> Sample:
        rng = np.random.default_rng([self.seed, draw.epoch, draw.index])
        factor = float(rng.uniform(*SCALES))
        size = scaled_size(sample["image"].shape[:2], factor)
        window = random_window(size, self.size, rng, self.classes_of(sample))
        flipped = rng.random() < 0.5

        image = resample_image(sample["image"], size, window)
        if flipped:
            image = mirror(image)
        changed: Sample = {"image": colour.jitter(image, rng), "id": sample["id"]}
        for name, task in self.tasks.items():
            if sample[name] is None:
                changed[name] = None
                continue
            label = task.scale(resample_label(sample[name], size, window), factor)
            changed[name] = task.flip(mirror(label)) if flipped else label
        return EvalTransform(self.tasks, self.size)(changed, draw)
