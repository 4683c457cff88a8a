"""Size and cost of the networks that `nas-ctx train` knows, over those of the multi-task baseline.

    python experiments/benchmarks/networks.py                                   # 425 x 560 pixels, HRNetV2-W18-small
    python experiments/benchmarks/networks.py --size 96 128 --networks mti-net psd --json

A row per network: parameters, multiply-adds of a forward pass per image, and the time of a forward and backward pass in
training mode over the baseline's, taken in turn. A context's name stands for that context in every block, that of a
distillation module for the baseline with it between heads and logits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import measure
import torch
from torch import nn

from nas_ctx.config import ModelConfig
from nas_ctx.models import DISTILLATIONS
from nas_ctx.runs.preview.measure import multiply_adds, parameters
from nas_ctx.tasks import make_tasks
from nas_ctx.training.networks import build_network

BASELINE = "baseline"
CONTEXTS = ["global", "local", "t-label", "s-label"]
NETWORKS = [*CONTEXTS, "cross-stitch", "nddr", "pad-net", "attentive", "pattern-affinity", "mti-net", "psd"]
TASKS: dict[str, dict[str, Any]] = {"semseg": {"classes": 40}, "depth": {}, "normals": {}, "edge": {}}


def built(blocks: str, backbone: str) -> nn.Module:
    """A network of that name, of the four tasks of NYUD-v2."""
    torch.manual_seed(0)
    named = {"distillation": blocks} if blocks in DISTILLATIONS else {"blocks": blocks}
    return build_network(ModelConfig(backbone=backbone, pretrained=False, **named), make_tasks(TASKS))


def step_of(network: nn.Module, image: torch.Tensor) -> Callable[[], None]:
    """A forward and backward pass in training mode."""

    def step() -> None:
        output = network(image)
        found = [logits for group in output.values() for logits in group.values()]
        flat = [x for entry in found for x in (entry if isinstance(entry, (list, tuple)) else [entry])]
        torch.stack([x.square().mean() for x in flat]).sum().backward()
        network.zero_grad()

    return step


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(425, 560), help="height and width of the images")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--backbone", default="hrnet_w18_small_v2")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME", help="which (default: all)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    image = torch.rand(options.batch, 3, *options.size, device=options.device)

    networks = {name: built(name, options.backbone).to(options.device) for name in [BASELINE, *options.networks]}
    sizes = {name: parameters(network) for name, network in networks.items()}
    with torch.no_grad():
        work = {name: multiply_adds(partial(network.eval(), image[:1])) for name, network in networks.items()}
    for network in networks.values():
        network.train()
    steps = {name: step_of(network, image) for name, network in networks.items()}
    seconds = measure.in_turn(steps, options.device, options.repeats)
    result: dict[str, Any] = {
        name: {
            "million_parameters": sizes[name] / 1e6,
            "billion_multiply_adds": work[name] / 1e9,
            "time_ratio": seconds[name] / seconds[BASELINE],
        }
        for name in networks
    }
    measure.show(result | measure.facts(options), options.json)


if __name__ == "__main__":
    main()
