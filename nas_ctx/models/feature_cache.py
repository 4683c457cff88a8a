"""The maps of a frozen backbone, computed once for every image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class FeatureCache:
    """Keeps the maps of a backbone by the content of the image: a frozen backbone always gives an image the same.

    An image is computed by itself, not in its batch. Its maps therefore depend on nothing else, such as the batch that
    a resumed run begins with. They stay in main memory for as long as the cache exists.

    Args:
        compute: images (B, 3, H, W) to a list of maps (B, C, h, w), each image for itself.

    >>> cache = FeatureCache(lambda images: [images.sum((2, 3), keepdim=True)])
    >>> images = torch.ones(3, 3, 4, 4)
    >>> cache(images)[0].shape, len(cache), cache.nbytes
    (torch.Size([3, 3, 1, 1]), 1, 12)
    """

    def __init__(self, compute: Callable[[Tensor], Sequence[Tensor]]) -> None:
        self.compute = compute
        self._kept: dict[bytes, list[Tensor]] = {}

    def __len__(self) -> int:
        """The number of images."""
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Size of the maps in bytes."""
        return sum(nbytes(maps) for maps in self._kept.values())

    def __call__(self, images: Tensor) -> list[Tensor]:
        """The maps of a batch, on its device, without gradients."""
        with torch.no_grad():
            maps = [self._maps(image, key) for image, key in zip(images, map(_key, images.cpu()), strict=True)]
            return [torch.cat(level).to(images.device) for level in zip(*maps, strict=True)]

    def _maps(self, image: Tensor, key: bytes) -> list[Tensor]:
        if key not in self._kept:
            self._kept[key] = [x.cpu() for x in self.compute(image[None])]
        return self._kept[key]


def nbytes(maps: Sequence[Tensor]) -> int:
    """Size of tensors in bytes.

    >>> nbytes([torch.zeros(2, 3), torch.zeros(1)])
    28
    """
    return sum(x.numel() * x.element_size() for x in maps)


def _key(image: Tensor) -> bytes:
    """What stands for the content of an image."""
    digest = hashlib.blake2b(str(tuple(image.shape)).encode(), digest_size=16)
    digest.update(image.contiguous().view(torch.uint8).numpy().data)
    return digest.digest()
