"""timm's models as backbones: which maps they give, of which images, with which weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import timm
from torch import nn

from nas_ctx.compat.loggers import errors_only
from nas_ctx.errors import InputError, suggestion
from nas_ctx.models.hrnet import fuse_bilinearly
from nas_ctx.models.weights import WeightsFile, check_reachable, fit_weights

NOT_OF_WEIGHTS = ("out_indices", "feature_location", "feature_cls", "img_size", "dynamic_img_size")
"""Options that change no weights, or (``img_size``) those that timm resamples when it loads them."""

FINEST_STRIDE = 4
"""Maps finer than this (the stems of residual networks) are left out unless ``out_indices`` asks for them."""

MOST_MAPS = 1000
"""No model of timm has so many maps."""

SIZES = frozenset({"img_size", "dynamic_img_size", "strict_img_size"})
"""Options of timm's transformers for images of other sizes than they were trained on."""


def timm_features(
    name: str, pretrained: bool, weights: WeightsFile | None, arguments: dict[str, Any], others: Iterable[str]
) -> tuple[nn.Module, list[int], list[int], list[int]]:
    """A timm model, the strides and channels of its maps, and which of these to use.

    ``others`` are the names of backbones that are not timm's, for what a misspelt name may mean.
    """
    if arguments.get("in_chans", 3) != 3:
        raise InputError(f"model.backbone_options.in_chans: {arguments['in_chans']!r}: images have 3 channels")
    if "hrnet" in name:  # the four maps of the last stage; timm's default ends in classification layers
        arguments = {"feature_location": "", "out_indices": (1, 2, 3, 4), **arguments}
        fusion = arguments.pop("fusion", "nearest")
        if fusion not in ("nearest", "bilinear"):
            raise InputError(f"model.backbone_options.fusion: {fusion!r}: expected nearest or bilinear")
    elif "fusion" in arguments:
        remedy = "set model.backbone_options too, to {} for none"
        raise InputError(f"model.backbone_options.fusion: is for HRNets, and model.backbone is {name!r}: {remedy}")
    _check_indices(arguments.get("out_indices", (0,)))
    try:
        loading: dict[str, Any] = {"pretrained": pretrained}
        if weights is not None:
            loading = _loading(name, weights, arguments)
        elif pretrained:
            check_reachable(name)
        with errors_only("timm.models._builder"):  # it remarks on layers of whole models that no map needs
            model: Any = _created(name, loading, arguments)
        strides, channels = list(model.feature_info.reduction()), list(model.feature_info.channels())
    except InputError:
        raise
    except Exception as error:  # no network, no cache; or whatever a model raises for options that it was not made for
        meant = "" if timm.is_model(name) else suggestion(name, [*others, *timm.list_models()])
        says = f"{type(error).__name__}: {error}" if isinstance(error, (LookupError, AttributeError)) else error
        raise InputError(f"{_keys(name, arguments)}: timm says: {says}{meant}") from error
    if "hrnet" in name and fusion == "bilinear":
        fuse_bilinearly(model)
    used = [index for index, stride in enumerate(strides) if "out_indices" in arguments or stride >= FINEST_STRIDE]
    if not used:
        raise InputError(f"{_keys(name, arguments)}: gives no map of stride {FINEST_STRIDE} or more")
    return model, strides, channels, used


def _keys(name: str, arguments: Mapping[str, Any]) -> str:
    options = {key: value for key, value in arguments.items() if "hrnet" not in name or key != "feature_location"}
    return f"model.backbone: {name!r}" + (f" with model.backbone_options: {options}" if options else "")


def _check_indices(indices: Any) -> None:
    """Refuse what can be no ``out_indices`` of any model: timm allocates up to the largest, and names none twice."""
    listed = indices if isinstance(indices, (list, tuple)) else [indices]
    whole = all(type(index) is int and abs(index) < MOST_MAPS for index in listed)
    if not listed or not whole or len(set(listed)) < len(listed):
        raise InputError(
            f"model.backbone_options.out_indices: {indices!r}: expected the numbers of some of the model's maps"
        )


def _created(name: str, loading: Mapping[str, Any], arguments: Mapping[str, Any]) -> nn.Module:
    """timm's model; one that is made for one size of images takes any size where it can."""
    make = partial(timm.create_model, name, features_only=True, **loading, **arguments)
    facts = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if facts is None or not facts.fixed_input_size or SIZES & arguments.keys():
        return make()
    try:
        return make(dynamic_img_size=True)
    except TypeError as error:
        if "dynamic_img_size" not in str(error):
            raise
        return make()


def _loading(name: str, weights: WeightsFile, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What makes timm load ``weights``. Their names are those of the whole model, from which it then cuts features."""
    whole = timm.create_model(name, **{key: value for key, value in arguments.items() if key not in NOT_OF_WEIGHTS})
    layers = whole.pretrained_cfg.get("classifier") or ()
    state = fit_weights(weights, whole.state_dict(), [layers] if isinstance(layers, str) else list(layers))
    return {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": state, "custom_load": False}}
