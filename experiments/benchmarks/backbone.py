"""A backbone's step in other forms: channels-last memory, bfloat16 autocast, and, if asked for, torch.compile.

    python experiments/benchmarks/backbone.py
    python experiments/benchmarks/backbone.py --backbone resnet18 --compile      # the first step takes minutes on a CPU

A key per form: the time of its forward and backward pass over that of the plain one, in turn, after a first step that
does not count. first_compiled_step: processor seconds of that one, compilation included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import measure
import torch
from torch import Tensor, nn

from nas_ctx.models import Backbone


def step_of(network: nn.Module, image: Tensor, half: bool = False) -> Callable[[], None]:
    """A forward and backward pass."""

    def step() -> None:
        with torch.autocast(image.device.type, torch.bfloat16) if half else nullcontext():
            output = network(image)
        output.float().square().mean().backward()

    return step


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(214, 280), help="height and width of the images")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--backbone", default="hrnet_w18_small_v2")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    image = torch.rand(options.batch, 3, *options.size, device=options.device)

    def made() -> Backbone:
        torch.manual_seed(0)
        return Backbone(options.backbone).to(options.device)

    last = torch.channels_last
    steps = {
        "plain": step_of(made(), image),
        "channels_last": step_of(made().to(memory_format=last), image.contiguous(memory_format=last)),
        "bfloat16": step_of(made(), image, half=True),
    }
    result: dict[str, Any] = {}
    if options.compile:
        compiled = made()
        compiled.model.compile()  # as `training.compile` does
        steps["compiled"] = step_of(compiled, image)
        before = time.process_time()
        steps["compiled"]()
        result["first_compiled_step"] = time.process_time() - before
    seconds = measure.in_turn(steps, options.device, options.repeats)
    result = {name: value / seconds["plain"] for name, value in seconds.items() if name != "plain"} | result
    result["plain_seconds"] = seconds["plain"]
    measure.show(result | measure.facts(options), options.json)


if __name__ == "__main__":
    main()
