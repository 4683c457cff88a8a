"""Does a search find the planted answer? Searches one world several times, by one strategy or several.

    python experiments/planted/recovery.py --tasks 4 --runs 5 --noise 0.1
    python experiments/planted/recovery.py --tasks 2 --null --json
    python experiments/planted/recovery.py --strategy GumbelSearch DARTS GumbelDARTS RandomOneShot
    python experiments/planted/recovery.py --set arch_lr=0.005 warmup_steps=0

All strategies spend the same number of forward passes. In a null world nothing is planted and labels are noise.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judging import judge
from searching import PAPER, SHARP, STRATEGIES, Found, Plan, search_once

from nas_ctx.config.nested import parse_override
from nas_ctx.errors import InputError
from search_spaces.planted import World, random_world


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def search_all(worlds: Sequence[tuple[World, Plan, int]], jobs: int, folder: Path | None = None) -> list[Found]:
    """``search(world, plan, seed)`` of all, ``jobs`` processes of one thread each at a time.

    ``folder`` keeps what each search found: a study that was interrupted goes on where it was.
    """
    asked = [(*arguments, folder) for arguments in worlds]
    if jobs == 1:
        _one_thread()
        return [search_once(*arguments) for arguments in asked]
    # Numerical libraries read this when they are loaded: more threads than cores slow each other down.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(jobs, _one_thread) as pool:
        return pool.starmap(search_once, asked, chunksize=1)


def recover(world: World, plans: Sequence[Plan], runs: int, seed: int, jobs: int = 1) -> dict[str, dict[str, Any]]:
    """Search ``world`` ``runs`` times by each plan; strategy -> what :func:`judging.judge` says, and the cost."""
    seeds = range(1000 * seed, 1000 * seed + runs)
    found = search_all([(world, plan, run) for plan in plans for run in seeds], jobs)
    judged = {}
    for number, plan in enumerate(plans):
        mine = found[number * runs : (number + 1) * runs]
        judged[plan.strategy] = {
            **judge(world.planted, [run.choices for run in mine]),
            "decided": sum(len(run.decided_at) for run in mine) / (runs * len(world.planted)),
            "passes": plan.passes,
            "seconds_per_run": sum(run.seconds for run in mine) / runs,
            "processor_seconds_per_run": sum(run.processor_seconds for run in mine) / runs,
            "choices": [run.choices for run in mine],
        }
    return judged


def settings_of(pairs: Sequence[str]) -> dict[str, Any]:
    """``SHARP`` with ``key=value`` changes; "paper" as the first one starts from the paper's settings instead.

    >>> settings_of(["paper", "arch_lr=0.01"])
    {'evaluate': 'all', 'arch_lr': 0.01}
    """
    settings = dict(SHARP)
    for pair in pairs:
        if pair == "paper":
            settings = dict(PAPER)
        elif "=" not in pair:
            raise InputError(f"--set {pair}: expected key=value, or paper")
        else:
            key, settings[key] = parse_override(pair)
    return settings


def line(name: str, judged: dict[str, Any]) -> str:
    """A row of the table of strategies."""

    def figure(key: str) -> str:
        value, interval = judged[key], judged[f"{key}_interval"]
        low_high = "" if interval is None or value is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]"
        return "undefined" if value is None else f"{value:.2f}{low_high}"

    figures = [figure(k) for k in ("recovery_vote", "recovery_runs", "lights_kappa", "percentage_agreement")]
    cost = f"{judged['passes']} | {judged['processor_seconds_per_run']:.0f}"
    return f"| {name} | {' | '.join(figures)} | {judged['decided']:.2f} | {cost} |"


HEAD = (
    "| strategy | recovery of the vote | recovery of a run | Light's kappa | percentage agreement "
    "| decided | passes | processor s per run |\n" + "| --- " * 8 + "|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=4, help="N tasks make N x N blocks")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--noise", type=float, default=0.1, help="deviation; a planted block has variance 1")
    parser.add_argument("--seed", type=int, default=0, help="of the world and, with the number of the run, of the runs")
    parser.add_argument("--null", action="store_true", help="plant nothing")
    parser.add_argument("--strategy", nargs="+", default=["GumbelSearch"], choices=list(STRATEGIES))
    parser.add_argument("--passes", type=int, default=Plan.passes, help="forward passes of a search")
    parser.add_argument("--batch", type=int, default=Plan.batch)
    parser.add_argument("--affine", action="store_true", help="let the last norms of candidates scale and shift")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of GumbelSearch, or paper")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        settings = settings_of(options.set)
    except InputError as error:
        sys.exit(f"{error}")
    world = random_world(options.tasks, seed=options.seed, noise=options.noise, null=options.null)
    plans = [
        Plan(name, options.passes, options.batch, settings=settings, affine=options.affine) for name in options.strategy
    ]
    start = time.perf_counter()
    by_strategy = recover(world, plans, options.runs, options.seed, options.jobs)
    seconds = time.perf_counter() - start
    if not options.json:
        print(HEAD)
        for name, judged in by_strategy.items():
            print(line(name, judged))
        print("\n| planted \\ chosen, GumbelSearch first | " + " | ".join(by_strategy) + " |")
        print("| --- " * (1 + len(by_strategy)) + "|")
        for planted in next(iter(by_strategy.values()))["confusion"]:
            cells = (
                ", ".join(f"{chosen} {count}" for chosen, count in judged["confusion"][planted].items())
                for judged in by_strategy.values()
            )
            print(f"| {planted} | " + " | ".join(cells) + " |")
        print(f"\n{seconds:.0f} s of wall clock")
        return
    first = by_strategy[options.strategy[0]]
    keys = ("recovery_vote", "recovery_runs", "lights_kappa", "percentage_agreement")
    print(
        json.dumps(
            {
                **{key: first[key] for key in keys},
                "by_strategy": by_strategy,
                "planted": dict(world.planted),
                "settings": settings,
                "seconds": seconds,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
