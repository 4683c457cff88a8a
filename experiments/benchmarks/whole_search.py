"""Cost of a whole search: what a step costs as the search cools down and decides, averaged over the schedule.

    python experiments/benchmarks/whole_search.py                      # 107 x 140 features, the size of NYUD-v2
    python experiments/benchmarks/whole_search.py --size 27 35 --points 6 --json
    python experiments/benchmarks/whole_search.py --run work/rooms/search/seed-0     # the course of a search of yours

A step's cost depends on what is decided, and on how many sampled weights are negligible. The course of both is either
that of a run folder, or that of the paper's schedules, rates and stop rule, followed by the real choices and Adam over
every step, with a stand-in for the network: each candidate has a loss, drawn once, and noise in it at each step. From
the course come moments at equal distances; at each of them one step of the real grid and of the real network is
measured, in turn with what it is compared with, and the mean over the moments is the cost of the search per step.

time_ratio, sparse_time_ratio: our grid over the straightforward formulation of the test suite, which evaluates every
    candidate at every step; with `evaluate` "all" and "sparse".
every_candidate_ratio, sparse_every_candidate_ratio: our grid over our grid when nothing is ever decided.
gumbel_darts_ratio, sparse_gumbel_darts_ratio: our grid over one pass through the supernet that NNI's GumbelDARTS makes
    of the same space. Its step takes two passes, one for alpha and one for the weights: for whole steps, halve it.
derived_ratio, sparse_derived_ratio: the whole network (backbone, heads, grid at a fourth of the image's size) over
    training the network that the course ends in.
evaluated, sparse_evaluated: share of all candidates that a step evaluates, mean over the moments.
"""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import measure
import search_step
import torch
from torch import Tensor, nn

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.contexts import CONTEXTS, candidates
from nas_ctx.contexts.attention import region_map
from nas_ctx.models import Backbone, ContextGrid, MultiTaskNetwork
from nas_ctx.models.grid import label
from nas_ctx.search import Choice, Choices, SearchSettings
from nas_ctx.search.schedule import LinearSchedule

import nas_ctx.search.nni  # noqa: F401 isort: skip  (before other parts of NNI's one-shot package)
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule  # isort: skip
from nni.nas.strategy import GumbelDARTS  # isort: skip

TASKS = search_step.TASKS
THRESHOLD = SearchSettings().sparse_threshold


class Moment(NamedTuple):
    """The state of the choices at a moment: temperature, and per label alpha and the index of what is decided."""

    temperature: float
    alpha: dict[str, list[float]]
    decided: dict[str, int]


def simulated(points: int, steps: int, spread: float, noise: float, seed: int) -> list[Moment]:
    """``points`` moments of the paper's search and its last one, gone through in ``steps`` steps.

    Fewer steps than the paper's 40 000 take a rate that is larger in proportion. ``spread`` is the standard deviation
    of the candidates' losses, ``noise`` that of what is added to them anew at each step.
    """
    settings = SearchSettings()
    generator = torch.Generator().manual_seed(seed)
    names = {label(t, s): list(candidates(t, s, CONTEXT_NAMES)) for t in TASKS for s in TASKS}
    choices = Choices({name: Choice(name, values) for name, values in names.items()}, seed=seed)
    losses = {c.label: spread * torch.randn(len(c.values), generator=generator) for c in choices}
    adam = torch.optim.Adam([c.alpha for c in choices], lr=settings.arch_lr * 40_000 / steps)
    temperature, entropy_weight = LinearSchedule(*settings.temperature), LinearSchedule(*settings.entropy_weight)
    found = []
    moments = {steps * (2 * point + 1) // (2 * points) for point in range(points)}
    for step in range(steps):
        if step in moments:
            found.append(_moment(choices, temperature.at(step, steps)))
        choices.sample(step, temperature.at(step, steps))
        seen = {name: mean + noise * torch.randn(len(mean), generator=generator) for name, mean in losses.items()}
        terms = [seen[c.label][index] * weight for c in choices for index, weight in c.active() if weight is not None]
        adam.zero_grad()
        (sum(terms, torch.zeros(())) + entropy_weight.at(step, steps) * choices.mean_entropy()).backward()
        adam.step()
        choices.forget()
        choices.decide(settings.stop_margin, step + 1)
        if all(c.decided for c in choices):
            break
    found += [_moment(choices, 0.05)] * (points + 1 - len(found))
    return found


def _moment(choices: Choices, temperature: float) -> Moment:
    return Moment(
        temperature, {c.label: c.alpha.tolist() for c in choices}, {c.label: c.best_index for c in choices if c.decided}
    )


def recorded(points: int, run: Path) -> list[Moment]:
    """``points`` moments of a search's run folder, and its last one."""
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    genotype = json.loads((run / "genotype.json").read_text())
    columns: dict[str, list[str]] = {}
    for column in rows[0]:
        if "=" in column:
            columns.setdefault(column.split("=")[0], []).append(column)

    def moment(row: dict[str, str]) -> Moment:
        alpha = {name: torch.tensor([float(row[c]) for c in of]).log().tolist() for name, of in columns.items()}
        decided = {
            name: columns[name].index(f"{name}={genotype['choices'][name]}")
            for name, step in genotype["meta"]["decided_at"].items()
            if step < int(row["step"])
        }
        return Moment(float(row["temperature"]), alpha, decided)

    return [moment(rows[len(rows) * (2 * point + 1) // (2 * points)]) for point in range(points)] + [moment(rows[-1])]


def put(choices: Choices, moment: Moment) -> None:
    """Bring the choices into the state of a moment."""
    for choice in choices:
        index = moment.decided.get(choice.label, -1)
        choice.load_state_dict({"alpha": torch.tensor(moment.alpha[choice.label]), "state": torch.tensor([index, 0])})


def evaluated(choices: Choices) -> float:
    """Share of all candidates that are active now."""
    return sum(len(c.active()) for c in choices) / sum(len(c.values) for c in choices)


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
    """Mean seconds of a step of ours at the moments ("all", "sparse"), and median seconds of the others, in turn."""
    times: dict[str, list[float]] = {name: [] for name in ("all", "sparse", *others)}
    for moment in moments:
        steps = {
            "all": partial(ours.step, moment),
            "sparse": partial(ours.step, moment, THRESHOLD),
            **{name: other.step for name, other in others.items()},
        }
        for name, step in steps.items():
            if name in others and len(times[name]) >= repeats:
                continue  # these cost the same at every moment
            step() if not times[name] else None  # the first step of all does not count
            times[name].append(measure.seconds(step, "cpu"))
    middle = {name: statistics.median(times[name]) for name in others}
    return {"all": statistics.mean(times["all"]), "sparse": statistics.mean(times["sparse"]), **middle}


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
    parser.add_argument("--noise", type=float, default=0.1, help="in them, from step to step (%(default)s)")
    options = parser.parse_args()
    if options.device != "cpu":
        parser.error("--device: this benchmark measures processor time, on the CPU only")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.run:
        *moments, last = recorded(options.points, options.run)
    else:
        *moments, last = simulated(options.points, options.schedule_steps, options.spread, options.noise, seed=0)
    size = tuple(options.size)

    grid = grids(moments, size, options.batch, options.repeats)
    network = networks(moments, last, size, options.batch, options.backbone, options.repeats)
    result: dict[str, Any] = {}
    for prefix, mode in (("", "all"), ("sparse_", "sparse")):
        result[f"{prefix}time_ratio"] = grid[mode] / grid["straightforward"]
        result[f"{prefix}every_candidate_ratio"] = grid[mode] / grid["every candidate"]
        result[f"{prefix}gumbel_darts_ratio"] = grid[mode] / grid["GumbelDARTS"]
        result[f"{prefix}derived_ratio"] = network[mode] / network["derived"]
        result[f"{prefix}evaluated"] = share_evaluated(moments, THRESHOLD if mode == "sparse" else 0.0)
    result |= {
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


def share_evaluated(moments: Sequence[Moment], threshold: float, draws: int = 50) -> float:
    """Mean share of candidates that steps at the moments evaluate."""
    shares = []
    for moment in moments:
        choices = Choices({n: Choice(n, list(range(len(alpha)))) for n, alpha in moment.alpha.items()}, seed=0)
        put(choices, moment)
        for draw in range(draws):
            choices.sample(draw, moment.temperature, threshold)
            shares.append(evaluated(choices))
    return statistics.mean(shares)


if __name__ == "__main__":
    main()
