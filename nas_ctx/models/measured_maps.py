"""Strides and channels of the feature maps of a module that does not state them, measured on images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nas_ctx.errors import InputError

MEASURED_ON = (128, 224, 240)
"""Heights and widths in pixels of the images."""


def measured_maps(model: nn.Module, name: str) -> tuple[list[int], list[int]]:
    """Strides and channels of a module's feature maps, from images of several sizes.

    A stride is whole on one of them, such as 14 on 224, and no other size is against it: 128 pixels are 4 steps of 32
    as well as of 28 with a rest, 224 are not. What refuses some of the sizes is measured on the others.
    """
    training = model.training
    measured, refused = {}, []
    for size in MEASURED_ON:
        try:
            measured[size] = _map_sizes(model.eval(), name, size)
        except InputError as error:
            refused.append(error)
        finally:
            model.train(training)
    if not measured:
        raise refused[0]

    def fits(size: int, number: int, other: int) -> bool:
        stride = size // measured[size][number][0]
        return measured[other][number][0] in (other // stride, -(-other // stride))

    for size, maps in measured.items():
        numbers = range(len(maps))
        if all(size % edge == 0 for edge, _ in maps) and all(fits(size, n, o) for n in numbers for o in measured):
            return [size // edge for edge, _ in maps], [channels for _, channels in maps]
    size, maps = next(iter(measured.items()))
    number = next((n for n, (edge, _) in enumerate(maps) if size % edge), 0)
    raise _no_stride(name, number, size, f"{maps[number][0]} x {maps[number][0]}")


def _no_stride(name: str, number: int, size: int, got: object) -> InputError:
    return InputError(
        f"model.backbone: {name!r}: map {number} of an image {(1, 3, size, size)} is {got}: expected (1, C, h, w) "
        "with a whole stride"
    )


def _map_sizes(model: nn.Module, name: str, size: int) -> list[tuple[int, int]]:
    """Height, which is the width, and channels of every map of an image."""
    image = torch.zeros(1, 3, size, size)
    try:
        with torch.no_grad():
            maps = listed_maps(model(image))
    except Exception as error:  # whatever a module of the user's does
        raise InputError(
            f"model.backbone: {name!r}: cannot be run on an image {tuple(image.shape)}: {type(error).__name__}: {error}"
        ) from error
    for number, x in enumerate(maps):
        if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[2] != x.shape[3] or not x.shape[2]:
            raise _no_stride(name, number, size, tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__)
    if not maps:
        raise InputError(f"model.backbone: {name!r}: returns no feature map")
    return [(x.shape[2], x.shape[1]) for x in maps]


def listed_maps(maps: Any) -> list[Tensor]:
    """What a backbone returns as a list of maps."""
    if isinstance(maps, Tensor):
        return [maps]
    return list(maps.values()) if isinstance(maps, Mapping) else list(maps)
