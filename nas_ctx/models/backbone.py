"""A timm model as backbone: its feature maps resized to the finest and concatenated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_ctx.errors import InputError

FINEST_STRIDE = 4
"""Maps finer than this (the stems of residual networks) are left out unless ``out_indices`` asks for them."""


class Backbone(nn.Module):
    """Any timm model of the ``features_only`` kind.

    ``channels`` is the number of output channels, ``stride`` that of the output map. Input of any size: it is padded
    with zeros (the mean colour of a standardised image) to a multiple of the coarsest stride, and the padding is cut
    off again.

    Args:
        name: a timm model name; HRNets give the four resolutions of HRNetV2, as in the paper.
        pretrained: load timm's weights for the name (needs the network or a filled cache).
        options: further arguments of ``timm.create_model``, such as ``out_indices`` or, for transformers made for one
            size, ``img_size`` or ``dynamic_img_size``.

    Raises:
        InputError: for a model that timm does not know or that gives no feature maps.

    >>> backbone = Backbone("test_resnet")
    >>> backbone.channels, backbone.stride, backbone(torch.zeros(1, 3, 70, 90)).shape
    (368, 4, torch.Size([1, 368, 18, 23]))
    """

    def __init__(self, name: str, *, pretrained: bool = False, options: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        arguments = dict(options or {})
        if "hrnet" in name:  # the four maps of the last stage; timm's default ends in classification layers
            arguments = {"feature_location": "", "out_indices": (1, 2, 3, 4), **arguments}
        try:
            model = timm.create_model(name, features_only=True, pretrained=pretrained, **arguments)
        except (RuntimeError, TypeError, ValueError, OSError) as error:  # OSError: no network, no cache
            raise InputError(f"backbone {name!r} with options {arguments}: timm says: {error}") from error
        strides = list(model.feature_info.reduction())
        self.model = model
        self.coarsest_stride: int = max(strides)
        self.used = [
            index for index, stride in enumerate(strides) if "out_indices" in arguments or stride >= FINEST_STRIDE
        ]
        self.stride: int = min(strides[index] for index in self.used)
        self.map_channels: list[int] = [model.feature_info.channels()[index] for index in self.used]
        self.channels: int = sum(self.map_channels)
        self.channels_last_output = getattr(model, "output_fmt", "NCHW") == "NHWC"

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, channels, ceil(H / stride), ceil(W / stride))."""
        maps = self.maps(image)
        finest = max(maps, key=lambda x: x.shape[2]).shape[2:]
        resized = [x if x.shape[2:] == finest else _resized(x, finest) for x in maps]
        return self.cropped(torch.cat(resized, 1), image)

    def maps(self, image: Tensor) -> list[Tensor]:
        """The maps one by one, ``map_channels`` wide, of the padded image; :meth:`cropped` takes the padding off."""
        height, width = image.shape[2:]
        padded = F.pad(image, (0, -width % self.coarsest_stride, 0, -height % self.coarsest_stride))
        maps = self.model(padded)
        if self.channels_last_output:
            maps = [x.permute(0, 3, 1, 2) for x in maps]
        return [maps[index] for index in self.used]

    def cropped(self, features: Tensor, image: Tensor) -> Tensor:
        """A map of the finest resolution without what belongs to the padding."""
        height, width = image.shape[2:]
        return features[:, :, : -(-height // self.stride), : -(-width // self.stride)]


def _resized(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
