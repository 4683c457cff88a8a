"""Where nothing is planted there is nothing to agree on: what does a report say of searches of null worlds?

    python experiments/planted/null.py "four contexts" --worlds 40 --passes 30 --batch 2
    python experiments/planted/null.py "with none" --worlds 10 --passes 40 --batch 4
    python experiments/planted/null.py "with none and cost term" --worlds 10 --passes 40 --batch 4

A repetition is one null world, searched several times. Told is in how many repetitions the 95 % interval of Light's
kappa contains 0, with the exact interval of that share; then the same for the blocks of each four worlds together.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bootstrap import bootstrap_intervals
from recovery import search_all
from scipy.stats import binomtest
from searching import SHARP, Found, Plan

from nas_ctx.analysis import LIGHT, block_interval, chance_test, reliability, verdict
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.files import write_text
from search_spaces.planted import random_world

Runs = Sequence[Mapping[str, str]]

CASES: dict[str, dict[str, Any]] = {
    "four contexts": {"resource_weight": 0.0, "contexts": tuple(name for name in CONTEXT_NAMES if name != "none")},
    "with none": {"resource_weight": 0.0, "contexts": CONTEXT_NAMES},
    "with none and cost term": {"resource_weight": SHARP["resource_weight"], "contexts": CONTEXT_NAMES},
}


@dataclass(frozen=True)
class Told:
    """What a report tells of one repetition: Light's kappa, whether its interval and its BCa interval contain 0 (None
    without interval), and which verdict it gives."""

    kappa: float
    contains: bool | None
    bca_contains: bool | None
    verdict: str


def told(runs: Runs) -> Told:
    """The report of one repetition, without its files."""
    record = reliability(runs)
    result = record.result(LIGHT)
    second = verdict(record)[1]
    kind = next((words for words in ("no dominating choice", "more than chance") if words in second), "undefined")
    if result.interval is None:
        return Told(result.value, None, None, kind)
    _, (low, high) = bootstrap_intervals(record.table.common.codes, LIGHT)
    return Told(result.value, result.interval.contains(0), low <= 0 <= high, kind)


def summary(repetitions: Sequence[Runs]) -> dict[str, Any]:
    """What reports tell of all repetitions, as counts; shares have exact (Clopper-Pearson) intervals."""
    every = [told(runs) for runs in repetitions]
    kappas = [one.kappa for one in every]
    contains = [one.contains for one in every if one.contains is not None]
    exact = binomtest(sum(contains), len(contains)).proportion_ci(method="exact") if contains else None
    return {
        "repetitions": len(every),
        "blocks": len(repetitions[0][0]),
        "kappa_undefined": int(np.isnan(kappas).sum()),
        "mean_kappa": float(np.mean(known)) if (known := [k for k in kappas if not np.isnan(k)]) else None,
        "with_interval": len(contains),
        "contain_0": sum(contains),
        "share_interval": None if exact is None else [float(exact.low), float(exact.high)],
        "bca_contain_0": sum(bool(one.bca_contains) for one in every),
        "verdicts": dict(Counter(one.verdict for one in every)),
        "choices": dict(Counter(choice for runs in repetitions for run in runs for choice in run.values())),
    }


def together(repetitions: Sequence[Runs], worlds: int) -> list[Runs]:
    """Each ``worlds`` repetitions as one with all their blocks; what is left over is left out."""
    joined = []
    for start in range(0, len(repetitions) - worlds + 1, worlds):
        part = repetitions[start : start + worlds]
        runs = zip(*part, strict=True)
        joined.append([{f"{w}:{b}": c for w, of in enumerate(run) for b, c in of.items()} for run in runs])
    return joined


def recombined(repetitions: Sequence[Runs], worlds: int, draws: int = 400) -> dict[str, int]:
    """How often the intervals contain 0 in tables made of searches drawn from all of them, ``worlds`` worlds a table.

    Where nothing is planted all searches are alike, whatever their world: any of them can stand beside any others.
    """
    pool = [list(run.values()) for runs in repetitions for run in runs]
    runs, rng = len(repetitions[0]), np.random.default_rng(0)
    counts = {"tables": draws, "with_interval": 0, "contain_0": 0, "bca_contain_0": 0, "more_than_chance": 0}
    for _ in range(draws):
        drawn = rng.choice(len(pool), (runs, worlds), replace=False)
        table = [[choice for one in run for choice in pool[one]] for run in drawn]
        interval = block_interval(table, LIGHT)
        by_chance = chance_test(table, draws=500).p >= 0.05
        counts["more_than_chance"] += not by_chance and (interval is None or interval.low > 0)
        if interval is not None:
            _, (low, high) = bootstrap_intervals(table, LIGHT, draws=1000)
            counts["with_interval"] += 1
            counts["contain_0"] += interval.contains(0)
            counts["bca_contain_0"] += low <= 0 <= high
    return counts


HEAD = (
    "| blocks | repetitions | kappa undefined | mean kappa | interval contains 0 | BCa contains 0 | verdicts |\n"
    + "| --- " * 7
    + "|"
)


def line(of: Mapping[str, Any]) -> str:
    """A row of the table."""
    mean = "–" if of["mean_kappa"] is None else f"{of['mean_kappa']:.2f}"
    share = "no interval"
    if of["share_interval"] is not None:
        low, high = of["share_interval"]
        share = f"{of['contain_0']} of {of['with_interval']} [{low:.2f}, {high:.2f}]"
    verdicts = ", ".join(f"{name} {count}" for name, count in of["verdicts"].items())
    return (
        f"| {of['blocks']} | {of['repetitions']} | {of['kappa_undefined']} | {mean} | {share} | "
        f"{of['bca_contain_0']} of {of['with_interval']} | {verdicts} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=list(CASES))
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=2)
    parser.add_argument("--passes", type=int, default=40)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", type=Path, help="a JSON file for the choices of all runs")
    options = parser.parse_args()
    case = CASES[options.case]
    settings = {**SHARP, "warmup_steps": options.passes // 4, "resource_weight": case["resource_weight"]}
    plan = Plan(passes=options.passes, batch=options.batch, settings=settings, contexts=case["contexts"])
    worlds = [random_world(options.tasks, seed=seed, null=True) for seed in range(options.worlds)]
    pairs = [(world, plan, 1000 * s + run) for s, world in enumerate(worlds) for run in range(options.runs)]
    found: list[Found] = search_all(pairs, options.jobs)
    repetitions = [
        [one.choices for one in found[s * options.runs : (s + 1) * options.runs]] for s in range(options.worlds)
    ]
    if options.out is not None:
        write_text(options.out, json.dumps(repetitions, indent=1) + "\n")
    print(HEAD)
    print(line(summary(repetitions)))
    if options.worlds >= 4:
        print(line(summary(together(repetitions, 4))))
        for number in (1, 2, 4):
            print(f"\nsearches recombined, {number} world(s) a table: {recombined(repetitions, number)}")
    choices = summary(repetitions)["choices"]
    print("\nchosen: " + ", ".join(f"{name} {count}" for name, count in sorted(choices.items())))


if __name__ == "__main__":
    main()
