"""What the cached features of a frozen backbone take of the main memory, told before a run begins."""

from __future__ import annotations

import psutil
import torch
from torch import Tensor, nn

from nas_ctx.config import Config
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.models import Backbone
from nas_ctx.models.feature_cache import nbytes


def check_memory(config: Config, network: nn.Module, data: DataModule) -> str | None:
    """What ``training.cache_features`` will take, in words; None where it is not asked for.

    Raises:
        InputError: more than is free.
    """
    if not config.training.cache_features:
        return None
    train = data.train_set()
    each = bytes_of_an_image(network, train[0]["image"])
    return in_words(each, len(train) + len(data.val_set()), config.training.devices)


def bytes_of_an_image(network: nn.Module, image: Tensor) -> int:
    """Size of the features of ``image``, (3, H, W), that the backbone of a network gives."""
    backbone = next(module for module in network.modules() if isinstance(module, Backbone))
    with torch.no_grad():
        return nbytes(backbone.maps(image[None]))


def in_words(each: int, images: int, processes: int = 1) -> str:
    """The size of the features of all images, if they are as large as ``each``, the first.

    Every process keeps all of them, since over the epochs it sees all images.

    Raises:
        InputError: more than is free.

    >>> in_words(each=126_000, images=440)
    'the features of 440 images, about 55 MB of main memory'
    """
    needed, free = each * images * processes, psutil.virtual_memory().available
    copies = f" in each of {processes} processes" if processes > 1 else ""
    words = f"the features of {images} images{copies}, about {_megabytes(needed)} of main memory"
    if needed > free:
        raise InputError(f"training.cache_features: true: {words}; {_megabytes(free)} are free: set it to false")
    return words


def _megabytes(number: int) -> str:
    return f"{number / 1e6:.0f} MB" if number < 1e10 else f"{number / 1e9:.0f} GB"
