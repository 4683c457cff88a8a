"""What it saves to stop searching when the vote is stable, and how often that vote differs from the one of all runs.

    python experiments/planted/enough.py                     # simulated runs
    python experiments/planted/enough.py --recorded FILE...  # runs that null.py or study.py wrote with --out

Simulated runs choose independently, with the same probabilities in every block, the right or preferred choice first.
Recorded runs are put into random orders; their whole vote is the same in each. A block differs where its early vote had
a leader that is not that of all runs, or where no choice was to dominate and more than half of all runs chose the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from nas_ctx.analysis.early_vote import EarlyVote, Rule
from nas_ctx.analysis.stats.votes import vote
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.errors import InputError
from nas_ctx.files import read_json
from nas_ctx.genotype import Genotype

WORLDS = {
    "planted, right in 98 % of the choices": (0.98, 0.005, 0.005, 0.005, 0.005),
    "planted, right in 90 %": (0.90, 0.04, 0.03, 0.02, 0.01),
    "planted, right in 75 %": (0.75, 0.15, 0.05, 0.03, 0.02),
    "a preference for one, 56 %": (0.56, 0.11, 0.11, 0.11, 0.11),
    "two alike": (0.50, 0.50),
    "null: five alike": (0.2, 0.2, 0.2, 0.2, 0.2),
}
HEAD = (
    "| runs | blocks | searches, mean | 10 to 90 % | saved | blocks that differ | votes that differ |\n"
    + "| --- " * 7
    + "|"
)

Table = Sequence[Sequence[str]]
"""The choices of all runs, a row a run."""


def stopped(table: Table, candidates: Sequence[Collection[str]], rule: Rule) -> tuple[int, int]:
    """After how many runs the rule stops, and in how many blocks the vote then differs from that of all runs."""
    names = [str(block) for block in range(len(table[0]))]
    listed = {"candidates": {name: list(values) for name, values in zip(names, candidates, strict=True)}}
    runs = [Genotype(dict(zip(names, choices, strict=True)), listed) for choices in table]
    early = EarlyVote(runs[: rule.least], rule)
    while not early.stable:
        early = EarlyVote(runs[: len(early.runs) + 1], rule)
    final = vote(table)
    differing = 0
    for block, whole in zip(early.blocks.values(), final, strict=True):
        if block.lead >= rule.level:
            differing += block.leader != whole.choice
        elif block.divided >= rule.level:
            differing += whole.majority()
    return len(early.runs), differing


def simulated(shares: Sequence[float], blocks: int, runs: int, draws: int, seed: int) -> Iterator[Table]:
    """Tables of ``runs`` runs whose choices are drawn with the same probabilities in every block."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        drawn = rng.choice(len(shares), (runs, blocks), p=shares)
        yield [[CONTEXT_NAMES[choice] for choice in run] for run in drawn]


def recorded(path: Path, most: int) -> dict[str, list[list[Mapping[str, str]]]]:
    """The runs of each world, by rows of worlds, in a file of null.py or study.py; as many of each as ``most``."""
    content = read_json(path)
    if isinstance(content, dict):
        rows = {name: _by_world(row["choices"]) for name, row in content.items()}
    else:
        rows = {"null": content}
    if {len(runs) for worlds in rows.values() for runs in worlds} != {most}:
        raise InputError(f"{path}: expected {most} runs of each world, as null.py and study.py write with --out")
    return rows


def _by_world(runs: Sequence[Mapping[str, str]]) -> list[list[Mapping[str, str]]]:
    worlds = dict.fromkeys(block.partition(":")[0] for block in runs[0])
    return [[{b: c for b, c in run.items() if b.partition(":")[0] == world} for run in runs] for world in worlds]


def reordered(worlds: Sequence[Sequence[Mapping[str, str]]], draws: int, seed: int) -> Iterator[Table]:
    """The runs of each world in ``draws`` random orders."""
    rng = np.random.default_rng(seed)
    for runs in worlds:
        for _ in range(draws):
            yield [list(runs[r].values()) for r in rng.permutation(len(runs))]


def line(name: str, tables: Iterator[Table], candidates: Callable[[int], Sequence[Collection[str]]], rule: Rule) -> str:
    """A row of the table."""
    found, blocks = [], 0
    for table in tables:
        blocks = len(table[0])
        found.append(stopped(table, candidates(blocks), rule))
    numbers, differing = np.array(found).T
    low, high = np.quantile(numbers, [0.1, 0.9], method="nearest")
    return (
        f"| {name} | {blocks} | {numbers.mean():.1f} | {low} to {high} | {1 - numbers.mean() / rule.most:.0%} | "
        f"{differing.mean() / blocks:.1%} | {(differing > 0).mean():.1%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recorded", nargs="+", metavar="FILE", type=Path, help="runs of null.py or study.py")
    parser.add_argument("--draws", type=int, default=400, help="tables, or orders of each world")
    parser.add_argument("--least", type=int, default=Rule.least)
    parser.add_argument("--most", type=int, default=Rule.most)
    parser.add_argument("--level", type=float, default=Rule.level)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rule = Rule(options.least, options.most, options.level)
    print(HEAD)
    for name, shares in WORLDS.items() if options.recorded is None else ():
        known = CONTEXT_NAMES[: len(shares)]
        for blocks in (1, 16):
            tables = simulated(shares, blocks, rule.most, options.draws, options.seed)
            print(line(name, tables, lambda n, known=known: [known] * n, rule), flush=True)
    for path in options.recorded or ():
        for name, worlds in recorded(path, rule.most).items():
            used = {choice for runs in worlds for run in runs for choice in run.values()}
            listed = [used - {"s-label"} if _on_diagonal(block) else used for block in worlds[0][0]]
            tables = reordered(worlds, options.draws, options.seed)
            print(line(f"{path.stem}: {name}", tables, lambda n, listed=listed: listed, rule), flush=True)


def _on_diagonal(block: str) -> bool:
    target, _, source = block.rpartition(":")[2].partition("/")
    return target == source


if __name__ == "__main__":
    main()
