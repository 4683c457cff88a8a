"""Cost of a whole search: what a step costs as the search cools down and decides, averaged over the schedule.

    python experiments/benchmarks/whole_search.py                      # 107 x 140 features, the size of NYUD-v2
    python experiments/benchmarks/whole_search.py --size 27 35 --points 6 --json
    python experiments/benchmarks/whole_search.py --run work/rooms/search/seed-0     # the course of a search of yours

A step's cost depends on what is decided or eliminated, and on how many sampled weights are negligible. The course of
both is either that of a run folder, or that of the paper's schedules, rates and stop rule, followed by the real choices
and Adam over every step, with a stand-in for the network: each candidate has a loss, drawn once, and noise in it at
each step. From the course come moments at equal distances; at each of them one step of the real grid and of the real
network is measured, in turn with what it is compared with, and the mean over the moments is the cost of the search per
step.

time_ratio, partial_time_ratio: our grid over the straightforward formulation of the test suite, which differentiates
    every candidate at every step; with `evaluate` "all" and "partial".
every_candidate_ratio, partial_every_candidate_ratio: our grid over our grid when nothing is ever decided.
gumbel_darts_ratio, partial_gumbel_darts_ratio: our grid over one pass through the supernet that NNI's GumbelDARTS
    makes of the same space. Its step takes two passes, one for alpha and one for the weights: halve it for whole steps.
derived_ratio, partial_derived_ratio: the whole network (backbone, heads, grid at a fourth of the image's size) over
    training the network that the course ends in.
all_ratio: of the whole network, "partial" over "all".
evaluated, differentiated: share of all candidates that a step of "partial" evaluates, and differentiates, mean over the
    moments; "all" differentiates what it evaluates.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import measure
import search_step
import torch
from course import TASKS, Moment, put, recorded, simulated
from torch import Tensor, nn

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.contexts import CONTEXTS, candidates
from nas_ctx.contexts.attention import region_map
from nas_ctx.models import Backbone, ContextGrid, MultiTaskNetwork
from nas_ctx.models.grid import label
from nas_ctx.search import Choice, Choices, SearchSettings

import nas_ctx.search.nni  # noqa: F401 isort: skip  (before other parts of NNI's one-shot package)
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule  # isort: skip
from nni.nas.strategy import GumbelDARTS  # isort: skip

THRESHOLD = SearchSettings().partial_threshold


def final_blocks(last: Moment) -> Callable[[str, str, int, int], nn.Module]:
    """One context per block: what the course ends in."""

    def make(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
        name = label(target, source)
        alpha = last.alpha[name]
        best = last.decided.get(name, alpha.index(max(alpha)))
        return CONTEXTS[list(candidates(target, source, CONTEXT_NAMES))[best]](in_channels, channels)

    return make


class Subject(NamedTuple):
    """Something to be stepped forward and backward, and its choices, if it has any."""

    forward: Callable[[], Sequence[Tensor]]
    choices: Choices | None = None

    def step(self, moment: Moment | None = None, threshold: float = 0.0) -> None:
        """One forward and backward pass, in the state of a moment."""
        if self.choices is not None and moment is not None:
            put(self.choices, moment)
            self.choices.sample(0, moment.temperature, threshold)
        torch.stack([output.square().mean() for output in self.forward()]).sum().backward()
        if self.choices is not None:
            self.choices.forget()


def mean_over(moments: Sequence[Moment], ours: Subject, others: dict[str, Subject], repeats: int) -> dict[str, float]:
    """Mean seconds of a step of ours at the moments ("all", "partial"), and median seconds of the others, in turn."""
    times: dict[str, list[float]] = {name: [] for name in ("all", "partial", *others)}
    for moment in moments:
        steps = {
            "all": partial(ours.step, moment),
            "partial": partial(ours.step, moment, THRESHOLD),
            **{name: other.step for name, other in others.items()},
        }
        for name, step in steps.items():
            if name in others and len(times[name]) >= repeats:
                continue  # these cost the same at every moment
            step() if not times[name] else None  # the first step of all does not count
            times[name].append(measure.seconds(step, "cpu"))
    middle = {name: statistics.median(times[name]) for name in others}
    return {"all": statistics.mean(times["all"]), "partial": statistics.mean(times["partial"]), **middle}


def grids(moments: Sequence[Moment], size: tuple[int, int], batch: int, repeats: int) -> dict[str, float]:
    """Seconds of a step of the grid of contexts: ours along the course, straightforward, GumbelDARTS."""
    channels, regions = 67, 40
    make = partial(ContextGrid, TASKS, channels, dropout=0.0)
    features = {t: torch.rand(batch, channels, *size).requires_grad_() for t in TASKS}
    logits = {t: torch.randn(batch, regions, *size).requires_grad_() for t in TASKS}

    def forward(grid: nn.Module) -> list[Tensor]:
        return list(grid(features, {task: region_map(x) for task, x in logits.items()}).values())

    grid, choices = search_step.built(lambda blocks: make(make_block=blocks), derived=False)
    undecided = moments[0]._replace(decided={})

    def every_candidate() -> list[Tensor]:
        put(choices, undecided)
        choices.sample(0, 1.0)
        return forward(grid)

    def straightforward() -> list[Tensor]:
        put(choices, undecided)
        choices.sample(0, 1.0)
        modules = {name: {v: block[v] for v in block.names} for name, block in grid.blocks.items()}
        weights = {c.label: {c.values[index]: weight for index, weight in c.active()} for c in choices}
        maps = {task: region_map(x) for task, x in logits.items()}
        return list(search_step.straightforward.grid(grid, modules, weights, features, maps).values())

    space = search_step.Space(lambda blocks: make(make_block=blocks), window=9)
    theirs: Any = GumbelDARTS().mutate_model(space)
    supernet_modules = [module for module in theirs.modules() if isinstance(module, BaseSuperNetModule)]

    def gumbel_darts() -> list[Tensor]:
        memo: dict[str, Any] = {}
        for module in supernet_modules:
            memo.update(module.resample(memo))
        return forward(theirs.module)

    others = {
        "every candidate": Subject(every_candidate),
        "straightforward": Subject(straightforward),
        "GumbelDARTS": Subject(gumbel_darts),
    }
    return mean_over(moments, Subject(partial(forward, grid), choices), others, repeats)


def networks(
    moments: Sequence[Moment], last: Moment, size: tuple[int, int], batch: int, backbone: str, repeats: int
) -> dict[str, float]:
    """Seconds of a step of the whole network: along the course, and of the network that it ends in."""
    tasks = {name: SimpleNamespace(channels=40, regions=40) for name in TASKS}
    make = partial(MultiTaskNetwork, Backbone(backbone), tasks, dropout=0.0)
    image = torch.rand(batch, 3, 4 * size[0], 4 * size[1])

    def forward(network: nn.Module) -> list[Tensor]:
        output = network(image)
        return [*output["final"].values(), *output["auxiliary"].values()]

    network, choices = search_step.built(lambda blocks: make(make_block=blocks), derived=False)
    derived = make(make_block=final_blocks(last))
    return mean_over(
        moments,
        Subject(partial(forward, network), choices),
        {"derived": Subject(partial(forward, derived))},
        max(repeats, len(moments)),
    )


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(107, 140), help="height and width of the features")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--backbone", default="hrnet_w18_small_v2")
    parser.add_argument("--points", type=int, default=12, help="moments of the course (default: %(default)s)")
    parser.add_argument("--run", type=Path, help="run folder of a search whose course is followed")
    parser.add_argument("--schedule-steps", type=int, default=4000, help="steps of the simulated course (%(default)s)")
    parser.add_argument("--spread", type=float, default=0.01, help="of the simulated candidates' losses (%(default)s)")
    parser.add_argument(
        "--eliminate", type=float, metavar="MARGIN", help="eliminate candidates on the simulated course"
    )
    parser.add_argument("--noise", type=float, default=0.1, help="in them, from step to step (%(default)s)")
    options = parser.parse_args()
    if options.device != "cpu":
        parser.error("--device: this benchmark measures processor time, on the CPU only")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.run:
        *moments, last = recorded(options.points, options.run)
    else:
        course = options.points, options.schedule_steps, options.spread, options.noise
        *moments, last = simulated(*course, seed=0, eliminate_margin=options.eliminate)
    size = tuple(options.size)

    grid = grids(moments, size, options.batch, options.repeats)
    network = networks(moments, last, size, options.batch, options.backbone, options.repeats)
    result: dict[str, Any] = {}
    for prefix, mode in (("", "all"), ("partial_", "partial")):
        result[f"{prefix}time_ratio"] = grid[mode] / grid["straightforward"]
        result[f"{prefix}every_candidate_ratio"] = grid[mode] / grid["every candidate"]
        result[f"{prefix}gumbel_darts_ratio"] = grid[mode] / grid["GumbelDARTS"]
        result[f"{prefix}derived_ratio"] = network[mode] / network["derived"]
    evaluated, differentiated = shares(moments)
    result |= {
        "evaluated": evaluated,
        "differentiated": differentiated,
        "all_ratio": network["partial"] / network["all"],
        "decided": [len(moment.decided) for moment in [*moments, last]],
        "grid_seconds": grid,
        "network_seconds": network,
        "size": list(size),
        "batch": options.batch,
        "backbone": options.backbone,
        "course": str(options.run or f"simulated: spread {options.spread}, noise {options.noise}"),
        "measured_on": measure.device_name("cpu"),
    }
    measure.show(result, options.json)


def shares(moments: Sequence[Moment], draws: int = 50) -> tuple[float, float]:
    """Mean shares of candidates that steps of partial evaluation at the moments evaluate, and differentiate."""
    total = evaluated = differentiated = 0
    for moment in moments:
        choices = Choices({n: Choice(n, list(range(len(alpha)))) for n, alpha in moment.alpha.items()}, seed=0)
        for choice in choices:
            choice.follow()
        put(choices, moment)
        for draw in range(draws):
            choices.sample(draw, moment.temperature, THRESHOLD)
            scales = [choice.gradient_scale(index, 0) for choice in choices for index, _ in choice.active()]
            evaluated += len(scales)
            differentiated += sum(scale > 0.0 for scale in scales)
            total += sum(len(choice.values) for choice in choices)
    return evaluated / total, differentiated / total


if __name__ == "__main__":
    main()
