"""A timm model or a custom module as backbone: its maps resized to the finest and concatenated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import timm
import torch
import torch.nn.functional as F
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from nas_ctx.errors import InputError, suggestion
from nas_ctx.models.feature_cache import FeatureCache
from nas_ctx.models.hrnet import fuse_bilinearly
from nas_ctx.models.weights import WeightsFile, check_reachable, fit_weights, is_loading, read_weights
from nas_ctx.plugins import Registry, called_with, is_path, signature_of

if TYPE_CHECKING:
    from typing import Self

NOT_OF_WEIGHTS = ("out_indices", "feature_location", "feature_cls", "img_size", "dynamic_img_size")
"""Options that change no weights, or (``img_size``) those that timm resamples when it loads them."""

FINEST_STRIDE = 4
"""Maps finer than this (the stems of residual networks) are left out unless ``out_indices`` asks for them."""


MEASURED_ON = 128
"""Height and width in pixels of the image on which the strides of a custom backbone are measured."""

BACKBONES: Registry[Callable[..., nn.Module]] = Registry(
    "backbone", group="nas_ctx.backbones", validator=called_with(base=nn.Module, options=True), base=nn.Module
)
"""Backbones that are not timm's: ``BACKBONES[name](**options)`` is a module from images to feature maps."""

register_backbone = BACKBONES.register


class Backbone(nn.Module):
    """Any timm model of the ``features_only`` kind, or any module that returns feature maps.

    ``channels`` is the number of output channels, ``stride`` that of the output map. Input of any size: it is padded
    with zeros (the mean colour of a standardised image) to a multiple of the coarsest stride, and the padding is cut
    off again. Images come standardised by ImageNet's mean and deviation; where a timm model's weights were trained with
    others (its ``pretrained_cfg``), it sees them standardised by those. An HRNet with the option ``fusion="bilinear"``
    is the published one, and takes images as they are.

    Args:
        model: a timm model name; HRNets give the four resolutions of HRNetV2, as in the paper. Or a name in
            :data:`BACKBONES`, or ``"module:Name"``, or a module itself: it takes images (B, 3, H, W), H and W multiples
            of its coarsest stride, and returns a map (B, C, h, w) or several in a sequence or mapping. Its channels and
            strides are measured on one image.
        pretrained: load timm's weights for the name (needs the network or a filled cache). A custom backbone gets it
            if it has a keyword argument of that name.
        weights: load these instead: a file, or ``"package:NAME"``, an installed package with one in it; see
            ``nas_ctx.models.weights``. The attribute ``weights`` keeps what was read.
        options: further arguments of ``timm.create_model``, such as ``out_indices`` or, for transformers made for one
            size, ``img_size`` or ``dynamic_img_size``; or of a custom backbone. Of HRNets also ``fusion``: "nearest",
            as in timm, or "bilinear".
        freeze: what does not learn: "all", "none", or names of the model's modules, such as ``["conv_stem",
            "blocks.0"]``. It has no gradient and stays in evaluation mode, so that batch norms use the running
            statistics of the weights, and do not move them.

    Raises:
        InputError: for a model that nobody knows or that gives no feature maps; for a module to freeze that it lacks.

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
            self.model, strides, channels, self.used = _timm(model, pretrained, self.weights, options)
        else:
            name = model if isinstance(model, str) else type(model).__name__
            self.model = _own(model, pretrained, options) if isinstance(model, str) else model
            if self.weights is not None:
                self.model.load_state_dict(fit_weights(self.weights, self.model.state_dict()))
            strides, channels = _measured(self.model, name)
            self.used = sorted(range(len(strides)), key=lambda index: strides[index])
        self.coarsest_stride: int = max(strides)
        self.stride: int = min(strides[index] for index in self.used)
        self.map_channels: list[int] = [channels[index] for index in self.used]
        self.channels: int = sum(self.map_channels)
        self.channels_last_output = getattr(self.model, "output_fmt", "NCHW") == "NHWC"
        self.scale: Tensor | None
        self.shift: Tensor | None
        scale, shift = _restandardisation(getattr(self.model, "pretrained_cfg", {}) if has_weights else {})
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
        maps = _listed(self.model(image))
        if self.channels_last_output:
            maps = [x.permute(0, 3, 1, 2) for x in maps]
        return [maps[index] for index in self.used]

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


def _timm(
    name: str, pretrained: bool, weights: WeightsFile | None, arguments: dict[str, Any]
) -> tuple[nn.Module, list[int], list[int], list[int]]:
    """A timm model, the strides and channels of its maps, and which of these to use."""
    if "hrnet" in name:  # the four maps of the last stage; timm's default ends in classification layers
        arguments = {"feature_location": "", "out_indices": (1, 2, 3, 4), **arguments}
        fusion = arguments.pop("fusion", "nearest")
        if fusion not in ("nearest", "bilinear"):
            raise InputError(f"model.backbone_options.fusion: {fusion!r}: expected nearest or bilinear")
    elif "fusion" in arguments:
        remedy = "set model.backbone_options too, to {} for none"
        raise InputError(f"model.backbone_options.fusion: is for HRNets, and model.backbone is {name!r}: {remedy}")
    try:
        loading: dict[str, Any] = {"pretrained": pretrained}
        if weights is not None:
            loading = _loading(name, weights, arguments)
        elif pretrained:
            check_reachable(name)
        with _without_remarks():
            model = timm.create_model(name, features_only=True, **loading, **arguments)
    except InputError:
        raise
    except (RuntimeError, TypeError, ValueError, OSError) as error:  # OSError: no network, no cache
        meant = "" if timm.is_model(name) else suggestion(name, [*BACKBONES.known(), *timm.list_models()])
        raise InputError(f"backbone {name!r} with options {arguments}: timm says: {error}{meant}") from error
    if "hrnet" in name and fusion == "bilinear":
        fuse_bilinearly(model)
    strides = list(model.feature_info.reduction())
    used = [index for index, stride in enumerate(strides) if "out_indices" in arguments or stride >= FINEST_STRIDE]
    return model, strides, list(model.feature_info.channels()), used


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Within it timm does not remark that weights of a whole model have layers which the features do not need."""
    talkative = logging.getLogger("timm.models._builder")
    level = talkative.level
    talkative.setLevel(logging.ERROR)
    try:
        yield
    finally:
        talkative.setLevel(level)


def _loading(name: str, weights: WeightsFile, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What makes timm load ``weights``. Their names are those of the whole model, from which it then cuts features."""
    whole = timm.create_model(name, **{key: value for key, value in arguments.items() if key not in NOT_OF_WEIGHTS})
    layers = whole.pretrained_cfg.get("classifier") or ()
    state = fit_weights(weights, whole.state_dict(), [layers] if isinstance(layers, str) else list(layers))
    return {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": state, "custom_load": False}}


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


def _measured(model: nn.Module, name: str) -> tuple[list[int], list[int]]:
    """Strides and channels of a module's feature maps, from one image."""
    training = model.training
    image = torch.zeros(1, 3, MEASURED_ON, MEASURED_ON)
    try:
        with torch.no_grad():
            maps = _listed(model.eval()(image))
    except Exception as error:  # whatever a module of the user's does
        raise InputError(
            f"model.backbone: {name!r}: cannot be run on an image {tuple(image.shape)}: {type(error).__name__}: {error}"
        ) from error
    finally:
        model.train(training)
    for number, x in enumerate(maps):
        if not isinstance(x, Tensor) or x.ndim != 4 or MEASURED_ON % x.shape[2] or x.shape[2] != x.shape[3]:
            got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise InputError(
                f"model.backbone: {name!r}: map {number} of an image {tuple(image.shape)} is {got}: expected "
                "(1, C, h, w) with a whole stride"
            )
    if not maps:
        raise InputError(f"model.backbone: {name!r}: returns no feature map")
    return [MEASURED_ON // x.shape[2] for x in maps], [x.shape[1] for x in maps]


def _listed(maps: Any) -> list[Tensor]:
    """What a backbone returns as a list of maps."""
    if isinstance(maps, Tensor):
        return [maps]
    return list(maps.values()) if isinstance(maps, Mapping) else list(maps)
