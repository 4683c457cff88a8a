"""Where do searches, their votes and NNI's strategies land among the trained networks of the table?

    for seed in $(seq 0 24); do nas-ctx search experiments/tabular/settings.yaml --set seed=$seed \
        --out work/tabular/search/seed-$seed; done
    python experiments/tabular/compare.py --table experiments/tabular/table.csv.gz work/tabular/search/seed-*

Strategies see the first training of a network (seed 0), as they would when they train it. What they choose is judged by
what the trainings of all *other* networks predict for it: effects of single blocks and, where they predict better, of
pairs of blocks. The regret is what it lacks to the network with the best prediction, in points of delta_m.
"""

from __future__ import annotations

import argparse
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from unittest import mock

import numpy as np
from scipy.stats import spearmanr
from scipy.stats import t as student

from nas_ctx.analysis import Run, lights_kappa_within, load_runs, percentage_agreement, vote
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.genotype import Genotype as Saved
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
    "TPE": lambda seed: TPE(optimize_mode="maximize", seed=seed),
}


@cache
def effects_of(genotype: Genotype, pairs: bool) -> np.ndarray:
    """The row of the design matrix: 1, each block's candidate, each pair's; the first candidates are the reference."""
    blocks = [
        [float(name == other) for other in offered(block)[1:]] for block, name in zip(BLOCKS, genotype, strict=True)
    ]
    both = [np.outer(a, b).ravel() for a, b in itertools.combinations(blocks, 2)] if pairs else []
    return np.concatenate([[1.0], *blocks, *both])


class Judged:
    """Every network by what the trainings of all others predict for it, in points of delta_m.

    Args:
        pairs: effects of pairs of blocks, too, not only of single blocks.
    """

    def __init__(self, table: Table, pairs: bool) -> None:
        self.pairs = pairs
        self.seen = {g: table.delta(g, SEEN) for g in table.scores}
        rows = {g: np.array([effects_of(g, pairs)] * len(seeds)) for g, seeds in table.scores.items()}
        values = {g: np.array([table.delta(g, seed) for seed in seeds]) for g, seeds in table.scores.items()}
        products = sum(x.T @ x for x in rows.values())
        moments = sum(x.T @ values[g] for g, x in rows.items())
        self.true = {
            g: float(effects_of(g, pairs) @ np.linalg.lstsq(products - x.T @ x, moments - x.T @ values[g])[0])
            for g, x in rows.items()
        }
        self.error = float(np.sqrt(fmean(float(v - self.true[g]) ** 2 for g, own in values.items() for v in own)))
        self.best = max(self.true.values())

    def regret(self, genotype: Genotype) -> float:
        return self.best - self.true[genotype]

    def place(self, genotype: Genotype) -> float:
        """The share of networks that are better."""
        return fmean(value > self.true[genotype] for value in self.true.values())


def judge(table: Table) -> Judged:
    """With the effects of pairs only where they predict better."""
    return min((Judged(table, pairs) for pairs in (False, True)), key=lambda judged: judged.error)


def variances(table: Table) -> tuple[float, float]:
    """Deviation between networks and deviation of a retraining, in delta_m.

    The first is what a retraining leaves of the spread of one training of every network: those that were trained again
    may have been chosen for their scores.
    """
    repeated = [[table.delta(g, seed) for seed in seeds] for g, seeds in table.scores.items() if len(seeds) > 1]
    within = fmean(np.var(own, ddof=1) for own in repeated) if repeated else np.nan
    between = np.var([table.delta(g, SEEN) for g in table.scores], ddof=1) - within
    return float(np.sqrt(np.maximum(between, 0))), float(np.sqrt(within))


def chosen_by(search: Mapping[str, object]) -> Genotype:
    """The choices of a search, a genotype file or a vote."""
    return tuple(str(search[block]) for block in BLOCKS)


def voted(searches: Sequence[Run]) -> Genotype:
    """The plurality of every block; a tie goes to the higher mean probability, as `--ties probability` has it."""
    found = [chosen_by(search.genotype) for search in searches]
    shares = [
        {
            name: fmean((run.final_probabilities(block) or {}).get(name, 0.0) for run in searches)
            for name in offered(block)
        }
        for block in BLOCKS
    ]
    votes = vote(
        [list(row) for row in found], ties="probability", order=CONTEXT_NAMES, probabilities=shares, names=BLOCKS
    )
    return tuple(str(block.choice) for block in votes)


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
    with mock.patch("nni.nas.strategy.hpo.time.sleep"):  # it waits a second after each network, for trials elsewhere
        make(seed)(RawFormatModelSpace(TabularSpace(), FunctionalEvaluator(evaluate)), engine)
    return max(tried, key=judged.seen.__getitem__)


def line(name: str, regrets: Sequence[float], places: Sequence[float]) -> None:
    """A row of the table."""
    spread = f"{np.std(regrets, ddof=1):.2f}" if len(regrets) > 1 else "–"
    print(f"| {name} | {len(regrets)} | {fmean(regrets):.2f} | {spread} | {100 * fmean(places):.0f} % |")


def row(name: str, judged: Judged, chosen: Sequence[Genotype]) -> None:
    line(name, [judged.regret(g) for g in chosen], [judged.place(g) for g in chosen])


def compare(judged: Judged, searches: Sequence[Run], perturbed: Sequence[Genotype], repeats: int) -> None:
    """Print regret and place of everything."""
    print("| chosen by | times | regret | std. | better networks |\n| --- | ---: | ---: | ---: | ---: |")
    generator = np.random.default_rng(0)
    line("nothing: a drawn network", [judged.regret(g) for g in judged.true], [judged.place(g) for g in judged.true])
    for trained in [n for n in (5, 10, 20, 50, 100) if n < len(judged.true)]:
        row(
            f"random search, {trained} trained",
            judged,
            [random_search(judged, trained, generator) for _ in range(1000)],
        )
    if len(judged.true) == 400:
        for (name, make), trained in itertools.product(STRATEGIES.items(), (20, 50)):
            row(f"NNI's {name}, {trained} trained", judged, [by_nni(make, judged, trained, s) for s in range(repeats)])
    fives = [searches[start : start + 5] for start in range(0, len(searches) - 4, 5)]
    for name, chosen in {
        "one search": [chosen_by(search.genotype) for search in searches],
        "the vote of five searches": list(map(voted, fives)),
        "the vote of all searches": [voted(searches)] if searches else [],
        "perturbation, five searches": perturbed,
    }.items():
        if known := [genotype for genotype in chosen if genotype in judged.true]:
            row(name, judged, known)


def reliability_and_regret(judged: Judged, searches: Sequence[Run], draws: int = 500) -> None:
    """Does the agreement of five searches tell how good their vote is?"""
    generator = np.random.default_rng(0)
    agreement, kappa, regret = [], [], []
    for _ in range(draws):
        five = [searches[index] for index in generator.choice(len(searches), 5, replace=False)]
        if (decided := voted(five)) in judged.true:
            found = [chosen_by(search.genotype) for search in five]
            agreement.append(percentage_agreement(found))
            kappa.append(lights_kappa_within(found, [offered(block) for block in BLOCKS]))
            regret.append(judged.regret(decided))
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


def half_width(values: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean, by Student's t; not a number for one value."""
    if len(values) < 2:
        return float("nan")
    return float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def describe(table: Table, judged: Judged) -> None:
    """Print noise, the best network and the effects of blocks."""
    between, within = variances(table)
    trainings = sum(map(len, table.scores.values()))
    repeated = sum(len(seeds) > 1 for seeds in table.scores.values())
    print(f"{len(table.scores)} networks, {trainings} trainings; {repeated} with more than one")
    print(f"deviation between networks {between:.2f}, of a retraining {within:.2f} points of delta_m")
    effects = "single blocks and pairs" if judged.pairs else "single blocks"
    print(f"a training differs by {judged.error:.2f} (root mean square) from what the others predict by {effects}")
    print("the best predictions, and the mean of the networks' own trainings, by which they were not chosen (95 %):\n")
    print(
        "| "
        + " | ".join(BLOCKS)
        + " | predicted | own trainings | their mean |\n"
        + "| --- " * 4
        + "| ---: | ---: | ---: |"
    )
    for best in sorted(judged.true, key=judged.true.__getitem__, reverse=True)[:3]:
        own = [table.delta(best, seed) for seed in table.scores[best]]
        mean = f"{fmean(own):+.2f} ± {half_width(own):.2f}"
        print(f"| {' | '.join(best)} | {judged.true[best]:+.2f} | {len(own)} | {mean} |")
    print()
    print("| block | candidate: additive effect in points of delta_m |\n| --- | --- |")
    for block, effects_there in additive_effects(judged).items():
        print(f"| {block} | " + ", ".join(f"{name} {value:+.2f}" for name, value in effects_there.items()) + " |")
    print()


def main() -> None:
    """Print what the table says, and where choices land in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("searches", nargs="*", help="run folders of searches")
    parser.add_argument("--table", type=Path, required=True, help="CSV of trainings, of train.py")
    parser.add_argument("--perturbation", nargs="+", default=[], metavar="FILE",
                        help="genotypes decided by perturbation, of nas-ctx validity")  # fmt: skip
    parser.add_argument("--repeats", type=int, default=20, help="runs of NNI's strategies (default: %(default)s)")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    table = Table(options.table)
    judged = judge(table)
    describe(table, judged)
    searches = load_runs(options.searches).runs if options.searches else []
    compare(judged, searches, [chosen_by(Saved.load(path)) for path in options.perturbation], options.repeats)
    if len(searches) > 5:
        reliability_and_regret(judged, searches)


if __name__ == "__main__":
    main()
