"""A timm model or a custom module as backbone: its maps resized to the finest and concatenated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.hrnet import HighResolutionNet
from torch import Tensor, nn

from nas_ctx.errors import InputError, suggestion
from nas_ctx.models.feature_cache import FeatureCache
from nas_ctx.models.measured_maps import listed_maps, measured_maps
from nas_ctx.models.timm_features import timm_features
from nas_ctx.models.weights import fetched_weights, fit_weights, is_loading, read_weights
from nas_ctx.plugins import Registry, called_with, is_path, signature_of
from nas_ctx.plugins.returned import check_shape

if TYPE_CHECKING:
    from typing import Self

BACKBONES: Registry[Callable[..., nn.Module]] = Registry(
    "backbone", group="nas_ctx.backbones", validator=called_with(base=nn.Module, options=True), base=nn.Module
)
"""Backbones that are not timm's: ``BACKBONES[name](**options)`` is a module from images to feature maps."""

register_backbone = BACKBONES.register


class Backbone(nn.Module):
    """Any timm model of the ``features_only`` kind, or any module that returns feature maps.

    ``channels`` is the number of output channels, ``stride`` that of the output map; ``map_channels`` and
    ``map_strides`` are those of the maps that it is made of. Input of any size: it is padded
    with zeros (the mean colour of a standardised image) to a multiple of the coarsest stride, and the padding is cut
    off again. Images come standardised by ImageNet's mean and deviation; where the weights were trained with others
    (``mean`` and ``std``, or a timm model's ``pretrained_cfg``), the model sees them standardised by those. An HRNet
    with the option ``fusion="bilinear"`` is the published one, and takes images as they are.

    Args:
        model: a timm model name; HRNets give the four resolutions of HRNetV2, as in the paper. Or a name in
            :data:`BACKBONES`, or ``"module:Name"``, or a module itself: it takes images (B, 3, H, W), H and W multiples
            of its coarsest stride, and returns a map (B, C, h, w) or several in a sequence or mapping. Its channels and
            strides are measured on one image.
        pretrained: load timm's weights for the name (needs the network or a filled cache). A custom backbone gets it
            if it has a keyword argument of that name.
        weights: load these instead: a file, or ``"package:NAME"``, an installed package with one in it; see
            ``nas_ctx.models.weights``. The attribute ``weights`` keeps what was read, or the name and SHA-256 of timm's
            file in the cache.
        options: further arguments of ``timm.create_model``, such as ``out_indices`` or, for transformers made for one
            size, ``img_size`` or ``dynamic_img_size``; or of a custom backbone. Of HRNets also ``fusion``: "nearest",
            as in timm, or "bilinear".
        mean, std: those of the images that the weights were trained on, by channel, for images from 0 to 1; by default
            the model's own, or ImageNet's.
        freeze: what does not learn: "all", "none", or names of the model's modules, such as ``["conv_stem",
            "blocks.0"]``. It has no gradient and stays in evaluation mode, so that batch norms use the running
            statistics of the weights, and do not move them.

    Raises:
        InputError: for a model that nobody knows or that gives no feature maps; for a module to freeze that it lacks;
            for a mean without a deviation.

    >>> backbone = Backbone("test_resnet")
    >>> backbone.channels, backbone.stride, backbone(torch.zeros(1, 3, 70, 90)).shape
    (368, 4, torch.Size([1, 368, 18, 23]))
    >>> own = Backbone(nn.Conv2d(3, 16, kernel_size=8, stride=8))
    >>> own.channels, own.stride, own(torch.zeros(1, 3, 70, 90)).shape
    (16, 8, torch.Size([1, 16, 9, 12]))
    """

    def __init__(
        self,
        model: str | nn.Module,
        *,
        pretrained: bool = False,
        weights: str | None = None,
        options: Mapping[str, Any] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        freeze: str | Sequence[str] = "none",
    ) -> None:
        super().__init__()
        options = dict(options or {})
        has_weights = pretrained or weights is not None
        self.weights = read_weights(weights) if weights is not None and is_loading() else None
        pretrained = pretrained and weights is None and is_loading()
        self.padded = True
        if isinstance(model, str) and not is_path(model) and model not in BACKBONES:
            self.padded = "hrnet" not in model or options.get("fusion") != "bilinear"
            self.model, strides, channels, self.used = timm_features(
                model, pretrained, self.weights, options, BACKBONES.known()
            )
            self.weights = fetched_weights(model) if pretrained else self.weights
        else:
            name = model if isinstance(model, str) else type(model).__name__
            self.model = _own(model, pretrained, options) if isinstance(model, str) else model
            if self.weights is not None:
                self.model.load_state_dict(fit_weights(self.weights, self.model.state_dict()))
            strides, channels = measured_maps(self.model, name)
            self.used = sorted(range(len(strides)), key=lambda index: strides[index])
        # An HRNet fuses all its stages, also where the maps of some are not used.
        self.coarsest_stride: int = 32 if isinstance(self.model, HighResolutionNet) else max(strides)
        self.map_strides: list[int] = [strides[index] for index in self.used]
        self.stride: int = min(self.map_strides)
        self.finest = self.map_strides.index(self.stride)
        self.map_channels: list[int] = [channels[index] for index in self.used]
        self.channels: int = sum(self.map_channels)
        self.channels_last_output = getattr(self.model, "output_fmt", "NCHW") == "NHWC"
        self.scale: Tensor | None
        self.shift: Tensor | None
        if (mean is None) != (std is None):
            raise InputError("model.image_mean and model.image_std: expected both or none")
        facts = getattr(self.model, "pretrained_cfg", {}) if has_weights else {}
        scale, shift = _restandardisation(facts if mean is None else {"mean": mean, "std": std})
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self.frozen = _to_freeze(self.model, freeze)
        for part in self.frozen:
            part.requires_grad_(False).eval()
        self._cache: FeatureCache | None = None

    def train(self, mode: bool = True) -> Self:
        """As of every module; what is frozen stays in evaluation mode."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def cache_features(self) -> None:
        """From now on compute the maps of an image once; for a backbone that is frozen as a whole."""
        if self.model not in self.frozen:
            raise ValueError("only the features of a backbone that is frozen as a whole can be kept")
        self._cache = self._cache or FeatureCache(self._maps)

    def check_size(self, height: int, width: int) -> None:
        """Refuse images of a size that the model does not take: one that is made for one size is tried."""
        if not self._made_for_one_size:
            return
        training = self.training
        with torch.no_grad():
            self.eval()._maps(torch.zeros(1, 3, height, width))
        self.train(training)

    @property
    def _made_for_one_size(self) -> bool:
        return bool(getattr(self.model, "pretrained_cfg", {}).get("fixed_input_size"))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, channels, ceil(H / stride), ceil(W / stride))."""
        maps = self.maps(image)
        finest = max(maps, key=lambda x: x.shape[2]).shape[2:]
        resized = [x if x.shape[2:] == finest else _resized(x, finest) for x in maps]
        return self.cropped(torch.cat(resized, 1), image)

    def maps(self, image: Tensor) -> list[Tensor]:
        """The maps one by one, ``map_channels`` wide, of the padded image; :meth:`cropped` takes the padding off."""
        return self._maps(image) if self._cache is None else self._cache(image)

    def _maps(self, image: Tensor) -> list[Tensor]:
        if self.scale is not None and self.shift is not None:
            image = image * self.scale + self.shift
        if self.padded:
            height, width = image.shape[2:]
            image = F.pad(image, (0, -width % self.coarsest_stride, 0, -height % self.coarsest_stride))
        try:
            maps = listed_maps(self.model(image))
        except (AssertionError, RuntimeError) as error:
            if not self._made_for_one_size:
                raise
            size = list(image.shape[2:])
            raise InputError(
                f"model.backbone: refuses images of {size} ({error}): set model.backbone_options.img_size to {size}, "
                "if it has that option, or to a size that it accepts, and data.image_size and "
                "data.eval_size too"
            ) from error
        if self.channels_last_output:
            maps = [x.permute(0, 3, 1, 2) for x in maps]
        used = [maps[index] for index in self.used]
        for x, channels in zip(used, self.map_channels, strict=True):
            expected = (len(image), channels, *getattr(x, "shape", ())[2:])
            check_shape(x, expected, f"model.backbone: {type(self.model).__name__}", "check_backbone")
        self._check_grid(used[self.finest].shape[2:], image.shape[2:])
        return used

    def _check_grid(self, found: torch.Size, image: torch.Size) -> None:
        """Refuse a map that is not of the whole image pixel by pixel: of convolutions without padding, or of an image
        that the model itself resized."""
        promised = [side // self.stride for side in image]
        if not all(least <= side <= least + 1 for least, side in zip(promised, found, strict=True)):
            got, size, expected = (f"{height} x {width}" for height, width in (found, image, promised))
            raise InputError(
                f"model.backbone: gives a map of {got} of an image of {size}, expected {expected} at stride "
                f"{self.stride}: its features are not aligned with the pixels, choose another backbone"
            )

    def cropped(self, features: Tensor, image: Tensor) -> Tensor:
        """A map of the finest resolution without what belongs to the padding."""
        height, width = image.shape[2:]
        return features[:, :, : -(-height // self.stride), : -(-width // self.stride)]


def _to_freeze(model: nn.Module, names: str | Sequence[str]) -> list[nn.Module]:
    """The modules of a backbone that do not learn."""
    if isinstance(names, str):
        if names not in ("all", "none"):
            raise InputError(f"model.freeze: {names!r}: expected all, none, or a list of the backbone's modules")
        return [model] if names == "all" else []
    known = dict(model.named_modules())
    for name in names:
        if not name or name not in known:
            first = ", ".join([child for child, _ in model.named_children()][:8])
            raise InputError(
                f"model.freeze: {name!r}: the backbone has no such module; its first ones are {first}"
                f"{suggestion(name, known)}"
            )
    return [known[name] for name in names]


def _resized(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _restandardisation(facts: Mapping[str, Any]) -> tuple[Tensor | None, Tensor | None]:
    """Scale and shift, (3, 1, 1) each, from ImageNet's mean and deviation to those of a ``pretrained_cfg``; None where
    they are ImageNet's."""
    target = tuple(facts.get("mean", IMAGENET_DEFAULT_MEAN)), tuple(facts.get("std", IMAGENET_DEFAULT_STD))
    if target == (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD):
        return None, None
    given_mean, given_std, mean, std = (
        torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, *target)
    )
    return given_std / std, (given_mean - mean) / std


def _own(name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    """A backbone of the registry, made with its options."""
    make = BACKBONES.resolve(name, "model.backbone")
    known = signature_of(make).parameters
    given = {"pretrained": pretrained, **options} if "pretrained" in known else options
    try:
        signature_of(make).bind(**given)
    except TypeError as error:
        raise InputError(
            f"model.backbone_options: {options}: {name} {error}; known: {', '.join(known) or 'none'}"
        ) from None
    model = make(**given)
    if not isinstance(model, nn.Module):
        raise InputError(f"model.backbone: {name!r}: expected to get a torch module, got a {type(model).__name__}")
    return model
