"""Cost of a search step: forward and backward pass with every candidate evaluated, as in the first step of a search.

    python experiments/benchmarks/search_step.py                       # 107 x 140 features, the size of NYUD-v2
    python experiments/benchmarks/search_step.py --size 27 35 --json

time_ratio, memory_ratio: the grid of contexts over the straightforward formulation of the test suite, which evaluates
    each candidate by itself in plain PyTorch, local attention by unfold; same parameters, same result.
recompute_time_ratio, recompute_memory_ratio: the same with rows computed again in the backward pass.
floor_ratio: over the time that the multiply-adds of the straightforward step (of its products and convolutions, forward
    and backward: multiply_adds_per_pixel) take at the speed of a product of two 1024 x 1024 matrices.
grid_derived_ratio: over a grid with one context per block (the five types in turn).
derived_ratio: the whole network at four times the size (backbone, heads, grid), search over derived.
cold_ratio: the whole network once every weight but one is negligible (temperature 0.05, partial evaluation), over
    derived.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the reference formulation is part of the test suite, which is not installed

import measure  # noqa: E402
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from nas_ctx.context_types import CONTEXT_NAMES  # noqa: E402
from nas_ctx.contexts import CONTEXTS, candidates  # noqa: E402
from nas_ctx.contexts.attention import region_map  # noqa: E402
from nas_ctx.models import Backbone, ContextGrid, MultiTaskNetwork  # noqa: E402
from nas_ctx.models.grid import MakeBlock  # noqa: E402
from nas_ctx.search import Choice, Choices, GumbelSearch  # noqa: E402
from tests.reference import straightforward  # noqa: E402

from nni.mutable import label_scope  # noqa: E402 isort: skip
from nni.nas.nn.pytorch import LayerChoice, ModelSpace  # noqa: E402 isort: skip

TASKS = ["semseg", "depth", "normals", "edge"]


class Space(ModelSpace):
    """A grid or network whose blocks are layer choices."""

    def __init__(self, make: Callable[[MakeBlock], nn.Module], window: int) -> None:
        super().__init__()

        def make_block(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
            options = {"local": {"window": window}}
            modules = {
                name: CONTEXTS[name](in_channels, channels, affine=False, **options.get(name, {}))
                for name in candidates(target, source, CONTEXT_NAMES)
            }
            with label_scope(target):
                return LayerChoice(modules, label=source)

        self.module = make(make_block)


def built(make: Callable[[MakeBlock], nn.Module], derived: bool, window: int = 9) -> tuple[Any, Choices]:
    """What ``make`` makes of derived blocks, or of the strategy's supernet layers; and the choices that weigh them."""
    if derived:
        return make(derived_blocks()), Choices({"": Choice("", [""])}, seed=0)
    strategy = GumbelSearch(seed=0)
    supernet = strategy.mutate_model(Space(make, window))
    return supernet.module, strategy.choices


def derived_blocks() -> MakeBlock:
    """Blocks of one context each, the types in turn."""
    types = {True: cycle(["none", "global", "local", "t-label"]), False: cycle(CONTEXT_NAMES)}
    return lambda target, source, i, o: CONTEXTS[next(types[target == source])](i, o)


def grid_step(
    form: str,
    size: tuple[int, int],
    batch: int,
    tasks: Sequence[str],
    device: str,
    channels: int = 67,
    regions: int = 40,
    window: int = 9,
) -> Callable[[], None]:
    """A forward and backward pass of the grid: "plain", "ours", "recompute" or "derived"."""
    torch.manual_seed(0)
    make = partial(ContextGrid, tasks, channels, dropout=0.0, recompute=form == "recompute")
    grid, choices = built(lambda blocks: make(make_block=blocks), form == "derived", window)
    grid.to(device)
    features = {t: torch.rand(batch, channels, *size, device=device).requires_grad_() for t in tasks}
    logits = {t: torch.randn(batch, regions, *size, device=device).requires_grad_() for t in tasks}

    def step() -> None:
        choices.sample(0, 1.0)
        maps = {task: region_map(x) for task, x in logits.items()}
        if form == "plain":
            modules = {name: {v: block[v] for v in block.names} for name, block in grid.blocks.items()}
            weights = {
                choice.label: {choice.values[index]: weight for index, weight in choice.active()} for choice in choices
            }
            output = straightforward.grid(grid, modules, weights, features, maps)
        else:
            output = grid(features, maps)
        _backward(output.values())
        choices.forget()

    return step


def network_step(form: str, size: tuple[int, int], batch: int, backbone: str, device: str) -> Callable[[], None]:
    """A forward and backward pass of the network: "search", "derived", or "cold", a search near its end."""
    torch.manual_seed(0)
    tasks = {name: SimpleNamespace(channels=40, regions=40) for name in TASKS}
    make = partial(MultiTaskNetwork, Backbone(backbone), tasks, dropout=0.0)
    network, choices = built(lambda blocks: make(make_block=blocks), form == "derived")
    network.to(device)
    if form == "cold":  # a margin just short of a decision, on the types of the derived network
        names = cycle(CONTEXT_NAMES)
        for choice in choices:
            name = next(names)
            favourite = choice.values.index(name if name in choice.values else "t-label")
            with torch.no_grad():
                choice.alpha[favourite] = 0.7
    image = torch.rand(batch, 3, *size, device=device)

    def step() -> None:
        if form == "cold":
            choices.sample(0, 0.05, threshold=0.05)
        else:
            choices.sample(0, 1.0)
        output = network(image)
        _backward([*output["final"].values(), *output["auxiliary"].values()])
        choices.forget()

    return step


def useful_multiply_adds(tasks: Sequence[str]) -> float:
    """Of a step of the straightforward grid, forward and backward, per pixel of the features."""
    height, width = 27, 35  # maps at which borders count little
    with FlopCounterMode(display=False) as counted:
        grid_step("plain", (height, width), 1, tasks, "cpu")()
    return float(counted.get_total_flops() / 2 / height / width)


def _backward(outputs: Sequence[Tensor]) -> None:
    torch.stack([output.square().mean() for output in outputs]).sum().backward()


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(107, 140), help="height and width of the features")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--backbone", default="hrnet_w18_small_v2")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    size, device = tuple(options.size), options.device
    arguments = (size, options.batch, TASKS, device)
    tiny = ((9, 9), options.batch, TASKS, device)

    forms = ["plain", "ours", "recompute", "derived"]
    megabytes = {form: measure.peak_megabytes(grid_step, device, (form, *tiny), (form, *arguments)) for form in forms}
    square = torch.randn(1024, 1024, device=device)
    steps: dict[str, Callable[[], object]] = {form: grid_step(form, *arguments) for form in forms}
    grid = measure.in_turn({**steps, "products": lambda: [square @ square for _ in range(10)]}, device, options.repeats)
    per_pixel = useful_multiply_adds(TASKS)
    floor = per_pixel * options.batch * size[0] * size[1] / (10 * 1024**3) * grid.pop("products")
    image_size = (4 * size[0], 4 * size[1])
    make = partial(network_step, size=image_size, batch=options.batch, backbone=options.backbone, device=device)
    network = measure.in_turn({form: make(form) for form in ("search", "derived", "cold")}, device, options.repeats)
    result = {
        "time_ratio": grid["ours"] / grid["plain"],
        "memory_ratio": megabytes["ours"] / megabytes["plain"],
        "recompute_time_ratio": grid["recompute"] / grid["plain"],
        "recompute_memory_ratio": megabytes["recompute"] / megabytes["plain"],
        "floor_ratio": grid["ours"] / floor,
        "multiply_adds_per_pixel": per_pixel,
        "grid_derived_ratio": grid["ours"] / grid["derived"],
        "derived_ratio": network["search"] / network["derived"],
        "cold_ratio": network["cold"] / network["derived"],
        "grid_seconds": grid,
        "grid_megabytes": megabytes,
        "network_seconds": network,
    }
    measure.show(result | measure.facts(options), options.json)


if __name__ == "__main__":
    main()
