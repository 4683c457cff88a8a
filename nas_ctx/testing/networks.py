"""Requirements on every backbone, head, distillation module and network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas_ctx.models import DISTILLATIONS, HEADS, NETWORKS, Backbone, TaskShape
from nas_ctx.testing.messages import about, doing, expect, name_of
from nas_ctx.testing.modules import Shapes, every_parameter_learns, images_are_independent, shapes_of, wake

SMALL = "test_efficientnet"
"""A timm backbone for tests."""
SIZE = (37, 50)
"""Height and width of images: not a multiple of any stride."""


@dataclass
class Shape:
    """A task as networks see it."""

    channels: int
    regions: int


TASKS: Mapping[str, TaskShape] = {"semseg": Shape(channels=5, regions=5), "depth": Shape(channels=1, regions=7)}


def check_backbone(
    backbone: str | nn.Module | Callable[..., nn.Module], options: Mapping[str, Any] | None = None
) -> None:
    """Check a backbone: a name or path as in ``model.backbone``, a module, or a function that makes one.

    Args:
        options: for the function, or as in ``model.backbone_options``.

    >>> check_backbone(nn.Conv2d(3, 16, kernel_size=4, stride=4))
    """
    with about(f"{backbone if isinstance(backbone, str) else name_of(backbone)}: "):
        returns = "A backbone takes images (B, 3, H, W) and returns a feature map (B, C, h, w) or a list of several"
        with doing("making it", returns):
            if isinstance(backbone, str | nn.Module):
                model = Backbone(backbone, options=options)
            else:
                model = Backbone(backbone(**(options or {})))
        wanted = (2, model.channels, -(-SIZE[0] // model.stride), -(-SIZE[1] // model.stride))
        hint = "channels and strides must not depend on the size of the image"
        what = f"on an image (2, 3, {SIZE[0]}, {SIZE[1]}), padded to a multiple of {model.coarsest_stride}"
        _check_features(model, model, noise(3, *SIZE), wanted, what, hint)


def check_head(head: Callable[[int, int], nn.Module] | str) -> None:
    """Check what makes a task's features from the backbone's: called with ``(in_channels, channels)``, a module from
    (B, in_channels, h, w) to (B, channels, h, w).

    >>> check_head("conv")
    """
    make = HEADS[head] if isinstance(head, str) else head
    with about(f"{name_of(make)}: "):
        with doing("called with (8, 4)", "A head is made with (in_channels, channels)"):
            module = make(8, 4)
        _check_features(module, module, noise(8, 5, 7), (2, 4, 5, 7), "on features (2, 8, 5, 7)")


def check_distillation(distillation: Callable[..., nn.Module] | str) -> None:
    """Check what refines the features of tasks: called with ``(tasks, channels)``, a module from
    {task: (B, channels, h, w)} to the same.

    >>> check_distillation("attentive")
    """
    make = DISTILLATIONS[distillation] if isinstance(distillation, str) else distillation
    with about(f"{name_of(make)}: "):
        with doing("called with (['semseg', 'depth'], 4)", "It is made with (names of the tasks, channels)"):
            module = make(list(TASKS), 4)

        def run(features: Tensor) -> Mapping[str, Tensor]:
            return module(dict(zip(TASKS, features.split(4, dim=1), strict=True)))

        wanted = dict.fromkeys(TASKS, (2, 4, 5, 7))
        _check_features(module, run, noise(8, 5, 7), wanted, "on features of two tasks, (2, 4, 5, 7) each")


def check_network(network: Callable[..., nn.Module] | str) -> None:
    """Check a network: called with ``(backbone, tasks, dropout=...)``, a module from images to
    ``{"final": {task: logits}, "auxiliary": {task: logits}}`` at the resolution of the image.

    >>> check_network("baseline")
    """
    make = NETWORKS[network] if isinstance(network, str) else network
    torch.manual_seed(0)
    with about(f"{name_of(make)}: "):
        with doing("called with (backbone, tasks, dropout=0.0)"):
            module: nn.Module = make(Backbone(SMALL), TASKS, dropout=0.0)
        image = noise(3, *SIZE)
        with doing(f"on an image {tuple(image.shape)}", "The backbone's features are (B, backbone.channels, h, w)"):
            check_outputs(module(image))
        wake(module)
        every_parameter_learns(module, [x for outputs in module(image).values() for x in outputs.values()])
        module.eval()
        images_are_independent(lambda x: module(x)["final"], [image])


def check_outputs(outputs: Any) -> None:
    """Expect what a network or space gives for two images of :data:`SIZE`, of the tasks :data:`TASKS`."""
    is_mapping = isinstance(outputs, Mapping)
    expect(
        is_mapping and {"final", "auxiliary"} <= set(outputs),
        f"forward(image) gave {sorted(outputs) if is_mapping else name_of(outputs)}: expected "
        '{"final": {task: logits}, "auxiliary": {task: logits}}, "auxiliary" empty where there are no auxiliary heads',
    )
    final, auxiliary = shapes_of(outputs["final"]), shapes_of(outputs["auxiliary"])
    wanted = {task: (2, shape.channels, *SIZE) for task, shape in TASKS.items()}
    expect(
        final == wanted,
        f"the final logits are {final}: expected {wanted}, task.channels at the resolution of the image "
        "(`nas_ctx.models.network.upsampled(logits, image)` resizes them)",
    )
    wanted = {task: (2, TASKS[task].regions, *SIZE) for task in outputs["auxiliary"] if task in TASKS}
    expect(auxiliary == wanted, f"the auxiliary logits are {auxiliary}: expected {wanted}, task.regions channels")


def noise(*size: int) -> Tensor:
    """Two random images or feature maps of ``size``; the same ones every time."""
    return torch.randn(2, *size, generator=torch.Generator().manual_seed(0))


def _check_features(
    module: nn.Module,
    run: Callable[[Tensor], Any],
    inputs: Tensor,
    wanted: Shapes,
    what: str,
    hint: str = "",
) -> None:
    """Check a module from feature maps (or images) to feature maps, of one task or of several."""

    def features(x: Tensor) -> Mapping[str, Tensor]:
        output = run(x)
        return {"features": output} if isinstance(output, Tensor) else output

    module.train()
    with doing(what):
        shapes = shapes_of(run(inputs))
    kind = "refined features" if isinstance(wanted, Mapping) else "features"
    expect(shapes == wanted, f"expected {kind} {wanted}, got {shapes}" + (f": {hint}" if hint else ""))
    wake(module)
    every_parameter_learns(module, list(features(inputs).values()))
    module.eval()
    images_are_independent(features, [inputs])
