"""What makes a search right, and what an agreement means: one table per question, over several small worlds.

    python experiments/planted/study.py levers       # each setting with and without
    python experiments/planted/study.py noise        # rising noise; --figure draws it
    python experiments/planted/study.py strategies   # NNI's own, at an equal number of forward passes
    python experiments/planted/study.py evaluation   # partial evaluation and elimination, against evaluating all
    python experiments/planted/study.py estimators   # how a step samples, at an equal cost

A row searches each of several worlds of 2 tasks several times. The blocks of all worlds together are one table of
ratings, so that an agreement rests on more than four blocks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from calibration import draw
from judging import judge, over_blocks
from recovery import HEAD, line, search_all
from searching import PAPER, SHARP, STRATEGIES, Found, Plan

from nas_ctx.files import write_text
from search_spaces.planted import World, random_world

NOISES = (0.1, 2.0, 4.0, 8.0, 16.0, 32.0)


class Row(NamedTuple):
    """A row of a table: how its worlds are made, and how they are searched."""

    plan: Plan
    noise: float


def levers(plan: Plan, noise: float) -> dict[str, Row]:
    """The paper's settings, those found best here, and those with one of them changed."""
    changes: dict[str, dict[str, Any]] = {
        "sharp": {},
        "no warm-up": {"warmup_steps": 0},
        "no cost term": {"resource_weight": 0.0},
        "no entropy term": {"entropy_weight": (0.0, 0.0)},
        "temperature stays 1": {"temperature": (1.0, 1.0)},
        "temperature from 0.3": {"temperature": (0.3, 0.05)},
        "never decided": {"stop_margin": None},
        "decided on logits": {"stop_on": "logits"},
        "architecture rate 0.005": {"arch_lr": 0.005},
        "architecture rate 0.05": {"arch_lr": 0.05},
        "cost weight 0.03": {"resource_weight": 0.03},
        "cost weight 0.3": {"resource_weight": 0.3},
        "cost in parameters": {"resource": "parameters"},
        "partial evaluation": {"evaluate": "partial"},
    }
    sharp = {**SHARP, "warmup_steps": plan.passes // 4}
    rows = {
        "paper": Row(replace(plan, settings=PAPER), noise),
        "paper, architecture rate 0.02": Row(replace(plan, settings={**PAPER, "arch_lr": 0.02}), noise),
    }
    rows |= {name: Row(replace(plan, settings={**sharp, **change}), noise) for name, change in changes.items()}
    return {
        **rows,
        "alphas start from noise": Row(replace(plan, settings=sharp, alpha=0.1), noise),
        "affine last norms": Row(replace(plan, settings=sharp, affine=True), noise),
    }


def noises(plan: Plan, noise: float) -> dict[str, Row]:
    """Rising noise."""
    sharp = replace(plan, settings={**SHARP, "warmup_steps": plan.passes // 4})
    return {f"noise {level:g}": Row(sharp, level) for level in NOISES}


def strategies(plan: Plan, noise: float) -> dict[str, Row]:
    """Every strategy, with the same passes and, where it has one, the same architecture rate."""
    settings = {**SHARP, "warmup_steps": plan.passes // 4}
    return {name: Row(replace(plan, strategy=name, settings=settings), noise) for name in STRATEGIES}


def evaluations(plan: Plan, noise: float) -> dict[str, Row]:
    """What is evaluated and differentiated, and what falls on the way."""
    settings = {**SHARP, "warmup_steps": plan.passes // 4}
    changes: dict[str, dict[str, Any]] = {
        "all": {},
        "partial": {"evaluate": "partial"},
        "all, eliminating": {"eliminate_margin": 0.3},
        "partial, eliminating": {"evaluate": "partial", "eliminate_margin": 0.3},
    }
    return {name: Row(replace(plan, settings={**settings, **change}), noise) for name, change in changes.items()}


def estimators(plan: Plan, noise: float) -> dict[str, Row]:
    """What a step samples. A pass of GDAS takes 0.31 of the time of one with all candidates: it gets three for one."""

    def row(times: int = 1, **change: Any) -> Row:
        passes = plan.passes * times
        return Row(replace(plan, passes=passes, settings={**SHARP, "warmup_steps": passes // 4, **change}), noise)

    uncooled = (1.0, 1.0)
    return {
        "gumbel": row(),
        "gdas": row(estimator="gdas"),
        "gdas, 3 x the passes": row(3, estimator="gdas"),
        "gdas, 3 x the passes, temperature stays 1": row(3, estimator="gdas", temperature=uncooled),
        "gdas, 3 x the passes, no cost term": row(3, estimator="gdas", resource_weight=0.0),
        "reinmax": row(estimator="reinmax"),
        "reinmax, temperature stays 1": row(estimator="reinmax", temperature=uncooled),
        "gumbel, no cost term": row(resource_weight=0.0),
    }


QUESTIONS = {
    "levers": levers, "noise": noises, "strategies": strategies, "evaluation": evaluations, "estimators": estimators,
}  # fmt: skip


def searched(
    row: Row, worlds: Sequence[int], runs: int, tasks: int, jobs: int, folder: Path | None = None
) -> dict[str, Any]:
    """Search all worlds of a row and judge their blocks together; ``folder`` keeps what each search found."""
    made = {seed: random_world(tasks, seed=seed, noise=row.noise) for seed in worlds}
    found = search_all(
        [(world, row.plan, 1000 * s + r) for r in range(runs) for s, world in made.items()], jobs, folder
    )
    return judged(row, made, found, runs)


def judged(row: Row, made: Mapping[int, World], found: Sequence[Found], runs: int) -> dict[str, Any]:
    """What was found in all worlds of a row, run by run, as one table of blocks."""
    worlds = list(made)
    by_run = [found[r * len(worlds) : (r + 1) * len(worlds)] for r in range(runs)]

    def together(choices: Sequence[Mapping[str, str]]) -> dict[str, str]:
        of_worlds = zip(worlds, choices, strict=True)
        return {f"world{seed}:{block}": name for seed, world in of_worlds for block, name in world.items()}

    planted = together([world.planted for world in made.values()])
    choices = [together([one.choices for one in run]) for run in by_run]
    return {
        **judge(planted, choices),
        "choices": choices,
        "decided": sum(len(one.decided_at) for one in found) / (runs * len(planted)),
        **fallen([(of_run, world) for run in by_run for of_run, world in zip(run, made.values(), strict=True)]),
        "passes": row.plan.passes,
        "seconds_per_run": sum(one.seconds for one in found) / len(found),
        "processor_seconds_per_run": sum(one.processor_seconds for one in found) / len(found),
    }


def fallen(searches: Sequence[tuple[Found, World]]) -> dict[str, int]:
    """How many candidates were eliminated before their block was decided, and how many of them were planted there."""
    pairs = [
        (name, world.planted[block]) for one, world in searches for block, of in one.eliminated.items() for name in of
    ]
    return {"eliminated": len(pairs), "eliminated_planted": sum(name == planted for name, planted in pairs)}


def differences(table: Mapping[str, dict[str, Any]], base: str) -> str:
    """The recovery of each row minus that of ``base``, block by block: all rows have the same worlds and seeds."""
    lines = [f"| row | recovery of a run, minus that of {base} |", "| --- | --- |"]
    first = np.array(list(table[base]["recovery_of_each_block"].values()))
    for name, row in table.items():
        if name != base:
            apart = np.array(list(row["recovery_of_each_block"].values())) - first
            low, high = over_blocks(apart, -1.0, 1.0)
            lines.append(f"| {name} | {apart.mean():+.2f} [{low:+.2f}, {high:+.2f}] |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=list(QUESTIONS))
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="only these rows")
    parser.add_argument("--worlds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of the first world; the others follow")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=2)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--passes", type=int, default=80)
    parser.add_argument("--batch", type=int, default=Plan.batch)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep each search there, and take it from there again")
    parser.add_argument("--out", type=Path, help="a JSON file for all figures")
    parser.add_argument("--figure", type=Path, help="a PNG or SVG file for recovery against Light's kappa")
    options = parser.parse_args()
    rows = QUESTIONS[options.question](Plan(passes=options.passes, batch=options.batch), options.noise)
    for name in options.rows or []:
        if name not in rows:
            parser.error(f"--rows {name}: known rows are {', '.join(rows)}")
    table = {}
    worlds = range(options.seed, options.seed + options.worlds)
    print(HEAD.replace("strategy", "row"))
    for name, how in rows.items():
        if options.rows is None or name in options.rows:
            table[name] = searched(how, worlds, options.runs, options.tasks, options.jobs, options.keep)
            print(line(name, table[name]), flush=True)
    base = {"levers": "sharp", "evaluation": "all", "estimators": "gumbel"}.get(options.question)
    if base in table and len(table) > 1:
        print("\n" + differences(table, base))
    for name, row in table.items():
        if row["eliminated"]:
            print(f"\n{name}: {row['eliminated']} candidates eliminated, {row['eliminated_planted']} of them planted")
    if options.out is not None:
        write_text(options.out, json.dumps(table, indent=1) + "\n")
    if options.figure is not None:
        draw(table, options.figure)


if __name__ == "__main__":
    main()
