"""Where the time of a search step goes: by kind of operation, and how much of it no smaller image would save.

    python experiments/benchmarks/profile_step.py            # the step of a small search: 64 x 96 pixels, batch 4
    python experiments/benchmarks/profile_step.py --size 214 280 --batch 2 --backbone hrnet_w18_small_v2

fixed_ratio: a step on images of 32 x 32 pixels, batch 2, over this one: what its operations cost whatever their size.
events: operations a step, those within operations included, as PyTorch's profiler counts them.
kinds: for each kind of operation calls a step and share of the time in the operations themselves.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import measure
import search_step
import torch
from torch.profiler import ProfilerActivity, profile

from nas_ctx.config import DataConfig
from nas_ctx.data import DataModule
from nas_ctx.data.rooms import write_rooms
from nas_ctx.models import Backbone, MultiTaskNetwork
from nas_ctx.tasks import make_tasks
from nas_ctx.training.module import task_losses

KINDS = {
    "matrix products": ("bmm", "mm", "addmm", "baddbmm", "matmul", "linear"),
    "convolutions": ("conv",),
    "batch norms": ("batch_norm",),
    "copies": ("copy_", "clone", "contiguous", "cat", "stack"),
    "softmax": ("softmax",),
    "resizing": ("upsample",),
    "sums and products of maps": ("add", "sub", "mul", "div", "sum", "mean", "neg", "exp", "lerp", "sqrt", "linalg"),
    "activations": ("relu", "threshold", "softplus", "silu", "hardtanh"),
    "views": ("view", "as_strided", "slice", "permute", "transpose", "expand", "unfold", "flatten", "select", "detach"),
    "memory": ("empty", "zero", "fill", "full", "new_", "resize_", "ones"),
}
"""Kind -> parts of the names of its operations; the longest part that a name has decides. What is left is bookkeeping,
most of it autograd's."""
SMALLEST = (32, 32)
STEPS = 5


def kind_of(operation: str) -> str:
    """The kind of a profiler event.

    >>> kind_of("aten::_softmax_backward_data"), kind_of("aten::add_"), kind_of("AddBackward0")
    ('softmax', 'sums and products of maps', 'the rest')
    """
    if not operation.startswith("aten::"):
        return "the rest"
    found = [(len(part), kind) for kind, parts in KINDS.items() for part in parts if part in operation]
    return max(found)[1] if found else "the rest"


def training_step(size: tuple[int, int], batch_size: int, backbone: str) -> Callable[[], None]:
    """The forward and backward pass of a search on rooms, every candidate evaluated, with the losses of four tasks."""
    tasks = make_tasks({"semseg": {"classes": 14}, "depth": {}, "normals": {}, "edge": {"positive_weight": 0.8}})
    with tempfile.TemporaryDirectory() as folder:
        write_rooms(Path(folder) / "rooms", train=batch_size, val=1, size=size)
        of = {"name": "nyud", "root": str(Path(folder) / "rooms"), "image_size": size, "batch_size": batch_size}
        data = DataModule.from_config(DataConfig(**of), tasks)
        batch = next(iter(data.train_dataloader()))
    make = partial(MultiTaskNetwork, Backbone(backbone), tasks, dropout=0.0)
    network, choices = search_step.built(lambda blocks: make(make_block=blocks), derived=False)

    def step() -> None:
        choices.sample(0, 1.0)
        losses = task_losses(tasks, network(batch["image"]), batch)
        torch.stack(list(losses.values())).sum().backward()
        choices.forget()

    return step


def profiled(step: Callable[[], None]) -> dict[str, dict[str, float]]:
    """Kind -> calls a step and share of the time."""
    with profile(activities=[ProfilerActivity.CPU]) as record:
        for _ in range(STEPS):
            step()
    calls: Counter[str] = Counter()
    time: Counter[str] = Counter()
    for event in record.key_averages():
        kind = kind_of(event.key)
        calls[kind] += event.count
        time[kind] += event.self_cpu_time_total
    total = sum(time.values())
    return {kind: {"calls": calls[kind] / STEPS, "share": time[kind] / total} for kind, _ in time.most_common()}


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(64, 96), help="height and width of the images")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--backbone", default="test_efficientnet")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    step = training_step(tuple(options.size), options.batch, options.backbone)
    fixed = training_step(SMALLEST, 2, options.backbone)
    seconds = measure.in_turn({"step": step, "fixed": fixed}, "cpu", options.repeats)
    kinds = profiled(step)
    result = {
        "fixed_ratio": seconds["fixed"] / seconds["step"],
        "events": sum(kind["calls"] for kind in kinds.values()),
        "seconds": seconds,
        "kinds": kinds,
    }
    measure.show(result | measure.facts(options), options.json)


if __name__ == "__main__":
    main()
