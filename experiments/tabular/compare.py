"""Where do searches, their votes and NNI's strategies land among the trained networks of the table?

    for seed in $(seq 0 24); do nas-ctx search experiments/tabular/settings.yaml --set seed=$seed \
        --out work/tabular/search/seed-$seed; done
    python experiments/tabular/compare.py --table work/tabular/table.csv work/tabular/search/seed-*

Strategies see the first training of a network (seed 0), as they would when they train it; what they choose is
then judged by its other trainings, which nothing was chosen by. The regret is what it lacks to the best network by
these trainings, in points of delta_m.
"""

from __future__ import annotations

import argparse
import itertools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy.stats import spearmanr

from nas_ctx.analysis import lights_kappa_within, load_runs, percentage_agreement
from search_spaces.tabular import BLOCKS, Genotype, Table, TabularSpace, offered  # before any part of NNI's

import nni  # isort: skip
from nni.nas.evaluator import FunctionalEvaluator  # isort: skip
from nni.nas.execution import SequentialExecutionEngine  # isort: skip
from nni.nas.space import RawFormatModelSpace  # isort: skip
from nni.nas.strategy import TPE, RegularizedEvolution, Strategy  # isort: skip

SEEN = 0
"""The seed of the trainings that strategies see."""
STRATEGIES: dict[str, Callable[[int], Strategy]] = {
    "RegularizedEvolution": lambda seed: RegularizedEvolution(population_size=10, sample_size=3, seed=seed),
    "TPE": lambda seed: TPE(seed=seed),
}


class Judged:
    """The networks of a table by the trainings that no strategy sees."""

    def __init__(self, table: Table) -> None:
        self.seen = {g: table.delta(g, SEEN) for g in table.scores}
        self.true = {
            g: fmean(table.delta(g, seed) for seed in seeds if seed != SEEN)
            for g, seeds in table.scores.items()
            if set(seeds) != {SEEN}
        }
        self.best = max(self.true.values())

    def regret(self, genotype: Genotype) -> float:
        return self.best - self.true[genotype]

    def place(self, genotype: Genotype) -> float:
        """The share of networks that are better."""
        return fmean(value > self.true[genotype] for value in self.true.values())


def variances(table: Table) -> tuple[float, float]:
    """Deviation between genotypes and deviation of a retraining, by one-way analysis of variance, in delta_m."""
    groups = [[table.delta(g, seed) for seed in seeds] for g, seeds in table.scores.items() if len(seeds) > 1]
    size = fmean(map(len, groups))
    within = fmean(np.var(group, ddof=1) for group in groups)
    between = np.var([fmean(group) for group in groups], ddof=1) - within / size
    return float(np.sqrt(max(between, 0))), float(np.sqrt(within))


def voted(searches: Sequence[Genotype]) -> Genotype:
    """The plurality of every block; ties go to the candidate that is listed first."""
    return tuple(
        max(offered(block), key=lambda name, place=place: sum(s[place] == name for s in searches))
        for place, block in enumerate(BLOCKS)
    )


def random_search(judged: Judged, trained: int, generator: np.random.Generator) -> Genotype:
    """The best of some drawn networks, as each was seen once."""
    known = list(judged.true)
    drawn = [known[index] for index in generator.choice(len(known), trained, replace=False)]
    return max(drawn, key=judged.seen.__getitem__)


def by_nni(make: Callable[[int], Strategy], judged: Judged, trained: int, seed: int) -> Genotype:
    """The best network that one of NNI's strategies has seen."""
    tried: list[Genotype] = []

    def evaluate(network: TabularSpace) -> None:
        tried.append(tuple(network.choices[block] for block in BLOCKS))
        nni.report_final_result(judged.seen[tried[-1]])

    engine = SequentialExecutionEngine(max_model_count=trained)
    make(seed)(RawFormatModelSpace(TabularSpace(), FunctionalEvaluator(evaluate)), engine)
    return max(tried, key=judged.seen.__getitem__)


def line(name: str, regrets: Sequence[float], places: Sequence[float]) -> None:
    """A row of the table."""
    spread = f"{np.std(regrets, ddof=1):.2f}" if len(regrets) > 1 else "–"
    print(f"| {name} | {len(regrets)} | {fmean(regrets):.2f} | {spread} | {100 * fmean(places):.0f} % |")


def row(name: str, judged: Judged, chosen: Sequence[Genotype]) -> None:
    line(name, [judged.regret(g) for g in chosen], [judged.place(g) for g in chosen])


def compare(judged: Judged, searches: Sequence[Genotype], repeats: int) -> None:
    """Print regret and place of everything."""
    print("| chosen by | times | regret | std. | better networks |\n| --- | ---: | ---: | ---: | ---: |")
    generator = np.random.default_rng(0)
    line("nothing: a drawn network", [judged.regret(g) for g in judged.true], [judged.place(g) for g in judged.true])
    for trained in (5, 10, 20, 50, 100):
        row(
            f"random search, {trained} trained",
            judged,
            [random_search(judged, trained, generator) for _ in range(1000)],
        )
    if len(judged.true) == len(judged.seen) == 400:
        for (name, make), trained in itertools.product(STRATEGIES.items(), (20, 50)):
            row(f"NNI's {name}, {trained} trained", judged, [by_nni(make, judged, trained, s) for s in range(repeats)])
    if not searches:
        return
    row("one search", judged, [g for g in searches if g in judged.true])
    fives = [searches[start : start + 5] for start in range(0, len(searches) - 4, 5)]
    row("the vote of five searches", judged, [g for g in map(voted, fives) if g in judged.true])
    row("the vote of all searches", judged, [g for g in [voted(searches)] if g in judged.true])


def reliability_and_regret(judged: Judged, searches: Sequence[Genotype], draws: int = 500) -> None:
    """Does the agreement of five searches tell how good their vote is?"""
    generator = np.random.default_rng(0)
    agreement, kappa, regret = [], [], []
    for _ in range(draws):
        five = [searches[index] for index in generator.choice(len(searches), 5, replace=False)]
        if voted(five) in judged.true:
            agreement.append(percentage_agreement(five))
            kappa.append(lights_kappa_within(five, [offered(block) for block in BLOCKS]))
            regret.append(judged.regret(voted(five)))
    for name, values in (("percentage agreement", agreement), ("Light's kappa", kappa)):
        known = [(v, r) for v, r in zip(values, regret, strict=True) if np.isfinite(v)]
        print(f"{name} and regret of the vote: Spearman's rho {spearmanr(*zip(*known, strict=True)).statistic:+.2f}")
    print(f"({len(regret)} draws of five of the {len(searches)} searches: no independent samples, so no interval)")


def additive_effects(judged: Judged) -> dict[str, dict[str, float]]:
    """Block -> candidate -> mean delta_m of the networks that have it, less that of all networks."""
    mean = fmean(judged.true.values())
    return {
        block: {
            name: fmean(value for g, value in judged.true.items() if g[place] == name) - mean for name in offered(block)
        }
        for place, block in enumerate(BLOCKS)
    }


def main() -> None:
    """Print what the table says, and where choices land in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("searches", nargs="*", help="run folders of searches")
    parser.add_argument("--table", type=Path, required=True, help="CSV of trainings, of train.py")
    parser.add_argument("--repeats", type=int, default=20, help="runs of NNI's strategies (default: %(default)s)")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    table = Table(options.table)
    judged = Judged(table)
    between, within = variances(table)
    trainings = sum(map(len, table.scores.values()))
    best = max(judged.true, key=judged.true.__getitem__)
    print(f"{len(table.scores)} networks, {trainings} trainings; {len(judged.true)} with more than one")
    print(f"deviation between networks {between:.2f}, of a retraining {within:.2f} points of delta_m")
    print(f"best: {dict(zip(BLOCKS, best, strict=True))}, {judged.best:+.2f}\n")
    print("| block | " + " | ".join(["candidate: additive effect in points of delta_m"]) + " |\n| --- | --- |")
    for block, effects in additive_effects(judged).items():
        print(f"| {block} | " + ", ".join(f"{name} {value:+.2f}" for name, value in effects.items()) + " |")
    print()
    searches = (
        [tuple(str(run.choices[block]) for block in BLOCKS) for run in load_runs(options.searches)]
        if options.searches
        else []
    )
    compare(judged, searches, options.repeats)
    if len(searches) > 5:
        reliability_and_regret(judged, searches)


if __name__ == "__main__":
    main()
