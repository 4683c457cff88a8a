"""What every backbone, head, distillation module and network must do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas_ctx.errors import InputError
from nas_ctx.models import DISTILLATIONS, HEADS, NETWORKS, Backbone, TaskShape
from nas_ctx.testing.saying import close, doing, expect, name_of

SMALL = "test_efficientnet"
"""A backbone of timm's that is made for tests."""
SIZE = (37, 50)
"""No multiple of any stride."""


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

    Raises:
        AssertionError: says what is wrong and how to mend it.

    >>> check_backbone(nn.Conv2d(3, 16, kernel_size=4, stride=4))
    """
    own = backbone if isinstance(backbone, str) else name_of(backbone)
    try:
        if isinstance(backbone, str | nn.Module):
            model = Backbone(backbone, options=options)
        else:
            model = Backbone(backbone(**(options or {})))
    except InputError as error:
        raise AssertionError(
            f"{error}. A backbone takes images (B, 3, H, W) and returns a feature map (B, C, h, w) or a list of several"
        ) from error
    wanted = (2, model.channels, -(-SIZE[0] // model.stride), -(-SIZE[1] // model.stride))
    image = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with doing(f"{own} on an image {tuple(image.shape)}, padded to a multiple of {model.coarsest_stride}"):
        features = model.train()(image)
    expect(
        tuple(features.shape) == wanted,
        f"{own}: expected features {wanted}, got {tuple(features.shape)}: channels and strides must not depend on the "
        "size of the image",
    )
    _all_learn(model, features, own)
    _apart_in_evaluation(lambda x: {"features": model(x)}, model, image, own)


def check_head(head: Callable[[int, int], nn.Module] | str) -> None:
    """Check what makes a task's features from the backbone's: called with ``(in_channels, channels)``, a module from
    (B, in_channels, h, w) to (B, channels, h, w).

    >>> check_head("conv")
    """
    make = HEADS[head] if isinstance(head, str) else head
    own = name_of(make)
    with doing(f"{own}(8, 4)", "A head is made with (in_channels, channels)"):
        made = make(8, 4)
    features = torch.randn(2, 8, 5, 7, generator=torch.Generator().manual_seed(0))
    with doing(f"{own} on features {tuple(features.shape)}"):
        output = made.train()(features)
    expect(tuple(output.shape) == (2, 4, 5, 7), f"{own}: expected features (2, 4, 5, 7), got {tuple(output.shape)}")
    _all_learn(made, output, own)
    _apart_in_evaluation(lambda x: {"features": made(x)}, made, features, own)


def check_distillation(distillation: Callable[..., nn.Module] | str) -> None:
    """Check what refines the features of tasks: called with ``(tasks, channels)``, a module from
    {task: (B, channels, h, w)} to the same.

    >>> check_distillation("attentive")
    """
    make = DISTILLATIONS[distillation] if isinstance(distillation, str) else distillation
    own = name_of(make)
    with doing(f"{own}(['semseg', 'depth'], 4)", "It is made with (names of the tasks, channels)"):
        made = make(list(TASKS), 4)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 2, 4, 5, 7, generator=generator)

    def run(x: Tensor) -> dict[str, Tensor]:
        return made(dict(zip(TASKS, x.unbind(1), strict=True)))

    with doing(f"{own} on features of two tasks, (2, 4, 5, 7) each"):
        output = run(features)
    shapes = {task: tuple(x.shape) for task, x in output.items()}
    wanted = dict.fromkeys(TASKS, (2, 4, 5, 7))
    expect(shapes == wanted, f"{own}: expected refined features {wanted}, got {shapes}")
    _wake(made)
    _all_learn(made, torch.cat(list(run(features).values())), own)
    _apart_in_evaluation(run, made, features, own)


def check_network(network: Callable[..., nn.Module] | str) -> None:
    """Check a network: called with ``(backbone, tasks, dropout=...)``, a module from images to
    ``{"final": {task: logits}, "auxiliary": {task: logits}}`` at the resolution of the image.

    >>> check_network("baseline")
    """
    make = NETWORKS[network] if isinstance(network, str) else network
    own = name_of(make)
    torch.manual_seed(0)
    with doing(f"{own}(backbone, tasks, dropout=0.0)"):
        made: nn.Module = make(Backbone(SMALL), TASKS, dropout=0.0)
    image = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with doing(f"{own} on an image {tuple(image.shape)}", "The backbone's features are (B, backbone.channels, h, w)"):
        check_outputs(made(image), own)
    _wake(made)
    outputs = made(image)
    _all_learn(made, torch.stack([x.square().mean() for kind in outputs.values() for x in kind.values()]), own)
    _apart_in_evaluation(lambda x: made(x)["final"], made, image, own)


def check_outputs(outputs: Any, own: str) -> None:
    """Expect what a network or space gives for two images of :data:`SIZE`, of the tasks :data:`TASKS`."""
    keys = isinstance(outputs, Mapping) and {"final", "auxiliary"} <= set(outputs)
    expect(
        keys,
        f"{own}: forward(image) gave {sorted(outputs) if isinstance(outputs, Mapping) else name_of(outputs)}: expected "
        '{"final": {task: logits}, "auxiliary": {task: logits}}, "auxiliary" empty where there are no auxiliary heads',
    )
    wanted = {task: (2, shape.channels, *SIZE) for task, shape in TASKS.items()}
    shapes = {task: tuple(x.shape) for task, x in outputs["final"].items()}
    expect(
        shapes == wanted,
        f"{own}: the final logits are {shapes}: expected {wanted}, task.channels at the resolution of the image "
        "(`nas_ctx.models.network.upsampled(logits, image)` resizes them)",
    )
    wanted = {task: (2, TASKS[task].regions, *SIZE) for task in outputs["auxiliary"] if task in TASKS}
    shapes = {task: tuple(x.shape) for task, x in outputs["auxiliary"].items()}
    expect(shapes == wanted, f"{own}: the auxiliary logits are {shapes}: expected {wanted}, task.regions channels")


def _wake(module: nn.Module) -> None:
    """What starts at zero on purpose would hide what lies before it."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.affine:
            nn.init.ones_(norm.weight)


def _all_learn(module: nn.Module, output: Tensor, own: str) -> None:
    if not any(p.requires_grad for p in module.parameters()):
        return
    module.zero_grad(set_to_none=True)
    with doing(f"{own}: the backward pass"):
        output.square().mean().backward()
    idle = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
    expect(
        not idle,
        f"{own}: {', '.join(idle[:3])}{' and more' if len(idle) > 3 else ''} had no part in the output. A parameter "
        "that is never used stops distributed training: remove it",
    )


def _apart_in_evaluation(
    run: Callable[[Tensor], Mapping[str, Tensor]], module: nn.Module, images: Tensor, own: str
) -> None:
    module.eval()
    with torch.no_grad():
        together, alone = run(images), run(images[1:])
    for name, x in alone.items():
        close(
            together[name][1:],
            x,
            f"{own}: in evaluation the {name} of an image change with the other images of its batch",
            tolerance=1e-4,
        )
