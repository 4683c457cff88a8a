"""A step of training with a backbone that learns, one that is frozen, and one whose features are kept.

    python experiments/benchmarks/frozen.py                                            # the setting of `make demo`
    python experiments/benchmarks/frozen.py --networks baseline search --repeats 1 --json

For each network ("search" is the supernet of all contexts): the time of forward pass, losses, backward pass and step of
SGD on one batch, and how many times faster the frozen and the cached form are. Weights are random; time does not
depend on them. The first round of the cached form, which computes the features, is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import measure
import torch
from torch import Tensor, nn

from nas_ctx.config import ModelConfig, TrainingConfig
from nas_ctx.models import Backbone
from nas_ctx.search import GumbelSearch
from nas_ctx.tasks import make_tasks
from nas_ctx.training.networks import build_network, make_search_space
from nas_ctx.training.optimizer import make_optimizer

FORMS = ("learning", "frozen", "cached")
TASKS: dict[str, dict[str, Any]] = {"semseg": {"classes": 14}, "depth": {}, "normals": {}, "edge": {}}


def step_of(name: str, form: str, options: Any) -> Callable[[], None]:
    """A step of the network ``name``, with its backbone in one of the :data:`FORMS`."""
    torch.manual_seed(0)
    model = ModelConfig(
        backbone=options.backbone,
        backbone_options={"out_indices": options.out_indices},
        pretrained=False,
        freeze="none" if form == "learning" else "all",
    )
    tasks = make_tasks(TASKS)
    strategy = GumbelSearch()
    network: nn.Module
    if name == "search":
        network = strategy.mutate_model(make_search_space(model, tasks))
    else:
        network = build_network(model.model_copy(update={"blocks": name}), tasks)
    network.to(options.device).train()
    if form == "cached":
        for part in network.modules():
            if isinstance(part, Backbone):
                part.cache_features()
    optimizer = make_optimizer(network, TrainingConfig())["optimizer"]
    image = torch.rand(options.batch, 3, *options.size, device=options.device)

    def step() -> None:
        if name == "search":
            strategy.choices.sample(0, 1.0, 0.0)
        found: list[Tensor] = [logits for group in network(image).values() for logits in group.values()]
        torch.stack([x.square().mean() for x in found]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128), help="height and width of the images")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--out-indices", type=int, nargs="+", default=[1, 2, 3], help="which of its maps")
    parser.add_argument("--networks", nargs="+", default=["baseline", "s-label", "search"], metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result: dict[str, Any] = {}
    for name in options.networks:
        steps = {form: step_of(name, form, options) for form in FORMS}
        seconds = measure.in_turn(steps, options.device, options.repeats)
        result[name] = {
            **{f"{form}_seconds": seconds[form] for form in FORMS},
            **{f"{form}_speedup": seconds["learning"] / seconds[form] for form in FORMS[1:]},
        }
    measure.show(result | measure.facts(options), options.json)


if __name__ == "__main__":
    main()
