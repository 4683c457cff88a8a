"""How alike are the contexts of a world of rooms? What of a relation the target's own features and other contexts tell.

    python experiments/planted/likeness.py
    python experiments/planted/likeness.py --overlap 0.5

A row per planted type, a mean over the blocks of some worlds: the share of the variance of what the type gathers that a
linear regression explains, by the target's features alone, and by these and what one context type gathers from the
same source. Only the planted type explains everything.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.contexts import candidates
from search_spaces.planted import gather
from search_spaces.planted_rooms import RoomsWorld, random_rooms

Floats = NDArray[np.float64]
TYPES = [name for name in CONTEXT_NAMES if name != "none"]
OWN = "own features"


def explained(wanted: Floats, given: Floats) -> float:
    """The share of the variance of ``wanted`` (n, c) that a linear function of ``given`` (n, d) explains."""
    given = given - given.mean(0)
    wanted = wanted - wanted.mean(0)
    left = wanted - given @ np.linalg.lstsq(given.T @ given, given.T @ wanted, rcond=None)[0]
    return float(1 - (left.var(0) / wanted.var(0)).mean())


def of_block(world: RoomsWorld, target: int, source: int) -> dict[tuple[str, str], float]:
    """(planted type, what is regressed on) -> share, for the block of the tasks of these numbers."""
    images = world.sample(world.rooms, torch.Generator().manual_seed(0))
    own = _rows(images.features[:, target])
    maps = images.features[:, target, world.content :].unflatten(1, (len(world.tasks), world.regions))
    content = images.features[:, source, : world.content]
    known = candidates(world.tasks[target], world.tasks[source], TYPES)
    seen = {name: _rows(gather(name, content, maps[:, target], maps[:, source])) for name in known}
    found = {(planted, OWN): explained(wanted, own) for planted, wanted in seen.items()}
    for planted, other in product(seen, seen):
        found[planted, other] = explained(seen[planted], np.concatenate([own, seen[other]], 1))
    return found


def likeness(worlds: Sequence[RoomsWorld]) -> dict[tuple[str, str], float]:
    """The mean of :func:`of_block` over all blocks of the worlds."""
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for world in worlds:
        for target, source in product(range(len(world.tasks)), repeat=2):
            for key, share in of_block(world, target, source).items():
                shares[key].append(share)
    return {key: float(np.mean(values)) for key, values in shares.items()}


def correlation(worlds: Sequence[RoomsWorld]) -> float:
    """The mean absolute correlation of the contents of two tasks at a pixel."""
    found = []
    for world in worlds:
        images = world.sample(world.rooms, torch.Generator().manual_seed(0))
        contents = [_rows(one[:, : world.content]) for one in images.features.unbind(1)]
        for first, second in product(range(len(contents)), repeat=2):
            if first < second:
                both = np.corrcoef(contents[first].T, contents[second].T)
                found.append(np.abs(both[: world.content, world.content :]).mean())
    return float(np.mean(found))


def _rows(maps: Tensor) -> Floats:
    """(R, c, h, w) to a row per pixel."""
    return maps.movedim(1, -1).flatten(0, 2).double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=3)
    parser.add_argument("--overlap", type=float, default=0.0)
    parser.add_argument("--worlds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=10, help="of the first world; the others follow")
    parser.add_argument("--rooms", type=int, default=RoomsWorld.rooms)
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.worlds)
    worlds = [random_rooms(options.tasks, seed=s, overlap=options.overlap, rooms=options.rooms) for s in seeds]
    shares, columns = likeness(worlds), [OWN, *TYPES]
    print(f"| planted | {' | '.join(columns)} |\n" + "| --- " * (1 + len(columns)) + "|")
    for planted in TYPES:
        print(f"| {planted} | {' | '.join(f'{shares[planted, other]:.2f}' for other in columns)} |")
    print(f"\ncontents of two tasks correlate by {correlation(worlds):.2f} on average (absolute values)")


if __name__ == "__main__":
    main()
