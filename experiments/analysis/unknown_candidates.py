"""What does a report say of runs that draw at random, where it does not know what the blocks could choose from?

    python experiments/analysis/unknown_candidates.py --tables 400

Told is, per design and number of runs, in how many of the tables in 100 a report says "more than ..." by two tests:
permutation over all blocks alone, as if all had the same candidates, and as reports do, which ask for uniform draws
among the values that occur as well wherever these differ. Runs draw uniformly among each block's own candidates, or
("half": something is there) follow a hidden choice of each block half of the time.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from nas_ctx.analysis import chance_test, lights_kappa
from nas_ctx.analysis.stats.permutation import SIGNIFICANCE
from nas_ctx.analysis.stats.random_policy import occurring_p
from nas_ctx.analysis.stats.ratings import rating_matrix

DESIGNS: dict[str, Sequence[Sequence[object]]] = {
    "16 blocks of the same five": [range(5)] * 16,
    "16 blocks of the same two": [range(2)] * 16,
    "5 blocks of their own, 2 to 4 each": [[(b, v) for v in range(2 + b % 3)] for b in range(5)],
    "16 blocks of their own three": [[(b, v) for v in range(3)] for b in range(16)],
    "sizes that overlap": [(1, 2, 3), (3, 4, 6), (3, 5, 7), (0, 1), (16, 32)] * 2,
    "8 of seven operations, 8 of three inputs": [*[list("abcdefg")] * 8, *[range(3)] * 8],
}
RUNS = (2, 3, 5, 10, 20)


def shares(candidates: Sequence[Sequence[object]], runs: int, faithful: float, tables: int) -> tuple[float, float]:
    """Of ``tables`` tables, in how many the permutation test alone, and the report, say "more"."""
    rng = np.random.default_rng(runs)
    pooled, said = 0, 0
    for number in range(tables):
        hidden = [rng.integers(len(own)) for own in candidates]
        follows = rng.random((runs, len(candidates))) < faithful
        picks = [
            [h if f else rng.integers(len(own)) for own, h, f in zip(candidates, hidden, row, strict=True)]
            for row in follows
        ]
        matrix = rating_matrix([[own[pick] for own, pick in zip(candidates, row, strict=True)] for row in picks])
        more = (
            chance_test(matrix, draws=199, seed=number, exact_up_to=1000).p < SIGNIFICANCE
            and not lights_kappa(matrix) <= 0
        )
        occurring = occurring_p(matrix)
        pooled += more
        said += more and (occurring is None or occurring < SIGNIFICANCE)
    return pooled / tables, said / tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=400)
    parser.add_argument("--runs", type=int, nargs="+", default=RUNS)
    options = parser.parse_args()
    for name, faithful in (("nothing there", 0.0), ("half", 0.5)):
        print(f"\n| {name}: permutation alone / report | " + " | ".join(f"{n} runs" for n in options.runs) + " |")
        print("| --- |" + " --- |" * len(options.runs))
        for design, candidates in DESIGNS.items():
            found = [shares(candidates, runs, faithful, options.tables) for runs in options.runs]
            cells = " | ".join(f"{100 * alone:.1f} / {100 * said:.1f}" for alone, said in found)
            print(f"| {design} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
