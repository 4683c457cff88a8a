"""Optimiser and schedule: SGD with momentum and a poly schedule as in the paper (supplement A), or Adam as transformers
take it, with warm-up, rates by part and by layer, and parameters that do not decay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from nas_ctx.config import TrainingConfig
from nas_ctx.models import Backbone

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
_LAYER = re.compile(r"(?:.*?\.)?\d+(?=\.)")
_EMBEDDING = re.compile(r"pos_embed|position_bias|attention_biases|_token")
"""In the names that timm's transformers give to parameters of more than one axis that do not decay."""


def poly(step: int, steps: int, power: float) -> float:
    """The factor of the learning rate after ``step`` of ``steps`` steps: (1 - step / steps) ** power.

    torch's ``PolynomialLR`` multiplies factors step by step: of 40 000 learning rates 39 855 have other last digits.

    >>> poly(0, 100, 0.9), poly(100, 100, 0.9), poly(50, 100, 1.0)
    (1.0, 0.0, 0.5)
    """
    return max(1.0 - step / steps, 0.0) ** power


def rate_factor(step: int, config: TrainingConfig) -> float:
    """The factor of the learning rate after ``step`` steps: :func:`poly`, and a line up to it within the warm-up.

    >>> config = TrainingConfig(steps=100, power=1.0, lr_warmup_steps=4)
    >>> [rate_factor(step, config) for step in (0, 1, 3, 50)]
    [0.25, 0.495, 0.97, 0.5]
    """
    rise = min(1.0, (step + 1) / config.lr_warmup_steps) if config.lr_warmup_steps else 1.0
    return rise * poly(step, config.steps, config.power)


def make_optimizer(model: nn.Module, config: TrainingConfig) -> dict[str, Any]:
    """Optimiser and schedule for ``model``, as Lightning's ``configure_optimizers`` returns them.

    Parameters of a :class:`~nas_ctx.models.Backbone` learn at ``config.lr``, those of its earlier layers at
    ``config.layer_decay`` times the rate of the next one, all others at ``head_lr_factor`` times ``config.lr``. Those
    that are frozen do not learn.
    """
    backbone = {p: f for m in model.modules() if isinstance(m, Backbone) for p, f in _by_layer(m, config.layer_decay)}
    heads = {p: config.head_lr_factor for p in model.parameters() if p not in backbone}
    decays = {p: _decays(name, p) for name, p in model.named_parameters()}
    groups: dict[tuple[bool, float, float], list[nn.Parameter]] = {}
    for part in (backbone, heads):
        for parameter, factor in part.items():
            if part is backbone and not parameter.requires_grad:
                continue
            spared = config.decay == "matrices" and not decays[parameter]
            key = (part is heads, config.lr * factor, 0.0 if spared else config.weight_decay)
            groups.setdefault(key, []).append(parameter)
    momentum = {"momentum": config.momentum} if config.optimizer == "sgd" else {"betas": (config.momentum, 0.999)}
    optimizer = OPTIMIZERS[config.optimizer](
        [{"params": members, "lr": lr, "weight_decay": decay} for (_, lr, decay), members in groups.items()],
        lr=config.lr,
        weight_decay=config.weight_decay,
        **momentum,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, config))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _by_layer(backbone: Backbone, decay: float) -> Iterator[tuple[nn.Parameter, float]]:
    """Each parameter with the factor of its rate: ``decay`` to the power of how many layers come after its own.

    A layer is what stands under the first number of a name, such as ``blocks.3`` or ``stages_1.blocks.0``. What has no
    number belongs to the layer before it, the stem to one of its own.
    """
    layers: dict[str, int] = {"": 0}
    places = []
    for name, parameter in backbone.model.named_parameters():
        found = _LAYER.match(name)
        number = layers.setdefault(found[0], len(layers)) if found else len(layers) - 1
        places.append((parameter, number))
    return ((parameter, decay ** (len(layers) - 1 - number)) for parameter, number in places)


def _decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is a matrix or filter that decays: no bias, scale of a norm or layer, or embedding.

    >>> [_decays(name, p) for name, p in nn.Linear(2, 3).named_parameters()]
    [True, False]
    """
    return parameter.squeeze().ndim > 1 and not _EMBEDDING.search(name)
