"""Requirements on every component that is a torch module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from nas_ctx.testing.messages import close, doing, expect

Outputs = Mapping[str, Tensor]


def every_parameter_learns(module: nn.Module, outputs: Sequence[Tensor]) -> None:
    """Expect a gradient of every parameter that asks for one, from all ``outputs`` together."""
    learning = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not learning:
        return
    module.zero_grad(set_to_none=True)
    with doing("the backward pass"):
        torch.stack([x.square().mean() for x in outputs]).sum().backward()
    unused = [name for name, p in learning.items() if p.grad is None]
    more = " and more" if len(unused) > 3 else ""
    expect(
        not unused,
        f"{', '.join(unused[:3])}{more} had no part in the output. A parameter that is never used stops distributed "
        "training, and counts as cost in a search: remove it",
    )


def images_are_independent(run: Callable[..., Outputs], inputs: Sequence[Tensor], tolerance: float = 1e-4) -> None:
    """Expect that, in evaluation, an image's outputs do not depend on the other images of its batch."""
    with torch.no_grad():
        batch, alone = run(*inputs), run(*(x[1:] for x in inputs))
    for name, x in alone.items():
        close(
            batch[name][1:],
            x,
            f"in evaluation the {name} of an image change with the other images of its batch. Sums and means go over "
            "pixels, (2, 3), not over the batch; and norms use their running statistics",
            tolerance=tolerance,
        )


Shapes = tuple[int, ...] | Mapping[str, tuple[int, ...]]


def shapes_of(outputs: Tensor | Outputs) -> Shapes:
    """The shape of a tensor, or those of the tensors of a mapping."""
    return tuple(outputs.shape) if isinstance(outputs, Tensor) else {key: tuple(x.shape) for key, x in outputs.items()}


def wake(module: nn.Module) -> None:
    """Randomise parameters that are zero initially: they would block the gradients of earlier layers."""
    for name, parameter in module.named_parameters():
        if not name.endswith("alpha") and not bool(parameter.any()):
            nn.init.normal_(parameter, std=0.1)
