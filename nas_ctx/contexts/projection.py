"""Convolution, batch norm, activation: the building block of contexts and heads."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

from torch import nn

Activation = nn.Module


def conv_norm(
    in_channels: int, out_channels: int, *, kernel: int = 1, affine: bool = True, activation: type[Activation] | None
) -> nn.Sequential:
    """A convolution that keeps height and width, batch norm and an activation (None: none).

    >>> list(dict(conv_norm(8, 4, kernel=3, activation=nn.ReLU).named_children()))
    ['conv', 'norm', 'activation']
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["conv"] = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    parts["norm"] = nn.BatchNorm2d(out_channels, affine=affine)
    if activation is not None:
        parts["activation"] = activation()
    return nn.Sequential(parts)


class Projection(nn.Sequential):
    """A stack of 1x1 layers of :func:`conv_norm`."""


def projection(
    in_channels: int, channels: int, *, layers: int, affine: bool = True, activation: type[Activation] = nn.ReLU
) -> Projection:
    """A stack of 1x1 Conv-BN-ReLU layers; ``affine`` and ``activation`` concern the last of them.

    >>> [layer.conv.in_channels for layer in projection(8, 4, layers=3)]
    [8, 4, 4]
    """
    widths = [in_channels] + [channels] * layers
    stack = [conv_norm(i, o, activation=nn.ReLU) for i, o in pairwise(widths[:-1])]
    return Projection(*stack, conv_norm(*widths[-2:], affine=affine, activation=activation))
