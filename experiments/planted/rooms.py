"""Is the right context found on real features, and from which size of an effect on? Searches worlds of rooms.

    python experiments/planted/rooms.py                   # everything that is not there yet, then the tables
    python experiments/planted/rooms.py --only curve --worlds 1    # one of the questions, in one world
    python experiments/planted/rooms.py --tables --figure power.png

Every search is kept as a file, so that the command can be stopped, goes on where it was, and can be told to end after
some minutes. Questions: the power curve, the same without the cost term, sources that are alike, more tasks, partial
evaluation.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import torch
from power import draw
from rooms_tables import same_choices, tables
from searching import SHARP, Plan, search

from nas_ctx.files import write_text
from search_spaces.planted_rooms import RoomsWorld, random_rooms

WORLDS, NOISE = 3, 0.5


@dataclass(frozen=True)
class Case:
    """One row of a table: worlds of some kind, all searched alike."""

    question: str
    effect: float
    tasks: int = 3
    overlap: float = 0.0
    cost: float = SHARP["resource_weight"]
    worlds: int = WORLDS
    evaluate: str = "all"

    @property
    def name(self) -> str:
        """Of its folder."""
        name = f"effect-{self.effect:g}-tasks-{self.tasks}-overlap-{self.overlap:g}-cost-{self.cost:g}"
        return name if self.evaluate == "all" else f"{name}-{self.evaluate}"

    @lru_cache(maxsize=4)  # noqa: B019 (a few of them, all of the study's)
    def world(self, seed: int, rooms: int, scenes: int) -> RoomsWorld:
        """A world of this kind, its rooms ready, so that a search's time is its own."""
        world = random_rooms(
            self.tasks, seed=seed, effect=self.effect, noise=NOISE, overlap=self.overlap, rooms=rooms, scenes=scenes
        )
        _ = world.made
        return world


CASES = (
    Case("curve", 1.0),
    Case("curve", 0.25),
    Case("curve", 0.06),
    Case("curve", 0.5),
    Case("curve", 0.12),
    Case("no cost term", 0.25, cost=0.0),
    Case("no cost term", 1.0, cost=0.0),
    Case("alike", 0.5, overlap=0.5),
    Case("tasks", 0.5, tasks=5, worlds=1),
    Case("partial", 1.0, evaluate="partial"),
    Case("partial", 0.5, evaluate="partial"),
    Case("partial", 0.25, evaluate="partial"),
    Case("no cost term", 0.06, cost=0.0),
    Case("tasks", 0.5, tasks=7, worlds=1),
    Case("tasks", 0.5, tasks=9, worlds=1),
)
"""In the order in which they are searched: what matters most comes first."""


def plan_of(case: Case, passes: int, batch: int) -> Plan:
    """The settings of the other short studies, with the architecture rate of ``experiments/rooms/search.yaml``."""
    own = {"warmup_steps": passes // 4, "arch_lr": 0.04, "resource_weight": case.cost, "evaluate": case.evaluate}
    return Plan(passes=passes, batch=batch, settings=SHARP | own)


def searches(cases: Sequence[Case], options: argparse.Namespace) -> Iterator[tuple[Path, Case, int, int]]:
    """(file, case, seed of the world, seed of the search) of all searches, question by question.

    Of a question every world is searched in all its cases before the next, so that what is there can be compared.
    """
    for question in dict.fromkeys(case.question for case in cases):
        asked = [case for case in cases if case.question == question]
        for number, case, run in product(range(options.worlds), asked, range(options.runs)):
            if number < case.worlds:
                seed = options.seed + number
                yield options.out / case.name / f"world-{seed}-run-{run}.json", case, seed, 1000 * seed + run


def search_missing(cases: Sequence[Case], options: argparse.Namespace) -> None:
    """Search what has no file yet, until it is time to end."""
    end = time.monotonic() + 60 * options.minutes
    for file, case, seed, run in searches(cases, options):
        if time.monotonic() > end:
            return
        if not file.exists():
            world = case.world(seed, options.rooms, options.scenes)
            found = search(world, plan_of(case, options.passes, options.batch), run)
            kept = {"case": asdict(case), "world": seed, "planted": dict(world.planted), **asdict(found)}
            write_text(file, json.dumps(kept, indent=1) + "\n")
            right = sum(found.choices[block] == name for block, name in world.planted.items())
            print(f"{file}: {right} of {len(world.planted)}, {found.processor_seconds:.0f} s", flush=True)


def read(cases: Sequence[Case], options: argparse.Namespace) -> dict[Case, list[dict[str, Any]]]:
    """What is there: case -> its searches, strong effects first; a world counts once all its runs are there."""
    found: dict[Case, list[dict[str, Any]]] = {}
    for file, case, _, _ in searches(cases, options):
        if file.exists():
            found.setdefault(case, []).append(json.loads(file.read_text()))
    whole = {}
    for case, kept in sorted(found.items(), key=lambda one: -one[0].effect):
        worlds = [one["world"] for one in kept]
        complete = [one for one in kept if worlds.count(one["world"]) == options.runs]
        if complete:
            whole[case] = complete
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(dict.fromkeys(case.question for case in CASES)))
    parser.add_argument("--worlds", type=int, default=WORLDS, help="no more than so many of each case")
    parser.add_argument("--runs", type=int, default=5, help="searches of each world")
    parser.add_argument("--seed", type=int, default=10, help="of the first world; the others follow")
    parser.add_argument("--scenes", type=int, default=0, help="seed of the rooms")
    parser.add_argument("--rooms", type=int, default=200)
    parser.add_argument("--passes", type=int, default=80)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no search after so many")
    parser.add_argument("--out", type=Path, default=Path("work/planted-rooms"), help="folder of the searches")
    parser.add_argument("--tables", action="store_true", help="search nothing; show what is there")
    parser.add_argument("--figure", type=Path, help="a PNG or SVG file for the power curve")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = [case for case in CASES if options.only is None or case.question in options.only]
    if not options.tables:
        search_missing(cases, options)
    found = read(cases, options)
    print(tables(found))
    for case, kept in found.items():
        if (other := replace(case, question="curve", evaluate="all")) in found and case.evaluate != "all":
            print(f"\neffect {case.effect:g}, {case.evaluate} and all: {same_choices(kept, found[other])}")
    if options.figure is not None:
        draw({case: kept for case, kept in found.items() if case.question == "curve"}, options.figure)


if __name__ == "__main__":
    main()
