"""Is a planted world sound? Trains each context type alone in a block whose answer is known; the planted one must win.

    python experiments/planted/soundness.py
    python experiments/planted/soundness.py --steps 300 --seeds 3 --json

A row per planted type: what each type leaves unexplained of the block's part of the label (0: everything explained, 1:
nothing), on images that were not trained on. Noise is left out of the figure: it is the same for all.
"""

from __future__ import annotations

import argparse
import json

import torch
from torch import nn

from nas_ctx.context_types import CONTEXT_NAMES
from search_spaces.planted import PlantedSpace, World

BLOCK = "a/b"


def world_of(planted: str, noise: float) -> World:
    """Two tasks, and one block that tells something."""
    return World({"a/a": "none", BLOCK: planted, "b/a": "none", "b/b": "none"}, noise=noise)


def unexplained(planted: str, fixed: str, *, noise: float, steps: int, batch: int, rate: float, seed: int) -> float:
    """Train ``fixed`` alone where ``planted`` holds; return the mean squared error without the part of the noise."""
    world = world_of(planted, noise)
    torch.manual_seed(seed)
    fixed_blocks = {block: [fixed if block == BLOCK else "none"] for block in world.planted}
    space = PlantedSpace(world, fixed_blocks)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(space.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        sample = world.sample(batch, generator)
        loss = nn.functional.mse_loss(space((sample.features, sample.regions))[:, 0], sample.labels[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    space.eval()
    with torch.no_grad():
        test = world.sample(256, generator)
        found = space((test.features, test.regions))[:, 0]
    return float((found - test.labels[:, 0]).square().mean()) - noise**2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.02, help="learning rate of Adam, with cosine decay")
    parser.add_argument("--seeds", type=int, default=1, help="trainings per figure; the mean is printed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = {
        planted: {
            fixed: sum(
                unexplained(
                    planted,
                    fixed,
                    noise=options.noise,
                    steps=options.steps,
                    batch=options.batch,
                    rate=options.rate,
                    seed=seed,
                )
                for seed in range(options.seeds)
            )
            / options.seeds
            for fixed in CONTEXT_NAMES
        }
        for planted in CONTEXT_NAMES
    }
    if options.json:
        print(json.dumps(table, indent=1))
        return
    print("| planted | " + " | ".join(CONTEXT_NAMES) + " |")
    print("| --- |" + " --- |" * len(CONTEXT_NAMES))
    for planted, row in table.items():
        best = min(row.values())
        cells = (
            f"**{value:.3f}**" if value == best and planted != "none" else f"{value:.3f}" for value in row.values()
        )
        print(f"| {planted} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
