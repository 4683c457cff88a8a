"""How often does a 95 % interval of Light's kappa contain its true value? Simulated runs, three intervals, few blocks.

    python experiments/planted/intervals.py

Five runs make the planted choice of a block with some probability, and else draw one by the given shares. Tables whose
kappa is undefined, or depends on one block, have no interval; the last column counts them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from bootstrap import bootstrap_intervals

from nas_ctx.analysis import LIGHT, block_interval, lights_kappa

EVEN, UNEVEN = (0.2,) * 5, (0.7, 0.1, 0.1, 0.1)
CASES = [(blocks, shares, 0.0) for blocks in (4, 9, 16, 25) for shares in (EVEN, UNEVEN)]
CASES += [(blocks, EVEN, faithful) for faithful in (0.8, 0.95) for blocks in (4, 9, 16, 25)]


def ratings(rng: np.random.Generator, runs: int, blocks: int, shares: Sequence[float], faithful: float) -> np.ndarray:
    """Choices (runs, blocks) as numbers."""
    planted = rng.choice(len(shares), p=shares, size=blocks)
    drawn = rng.choice(len(shares), p=shares, size=(runs, blocks))
    return np.where(rng.random((runs, blocks)) < faithful, planted, drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=400)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    print("| blocks | choices | true kappa | jackknife | percentile | BCa | without interval |\n" + "| --- " * 7 + "|")
    for blocks, shares, faithful in CASES:
        true = lights_kappa(ratings(rng, options.runs, 40_000, shares, faithful)) if faithful else 0.0
        tables = [ratings(rng, options.runs, blocks, shares, faithful) for _ in range(options.tables)]
        jackknife = {
            number: interval for number, table in enumerate(tables) if (interval := block_interval(table, LIGHT))
        }
        bootstrap = [bootstrap_intervals(tables[number], LIGHT, draws=1000) for number in jackknife]
        kinds = [[interval.ends for interval in jackknife.values()], *zip(*bootstrap, strict=True)]
        shown = [np.mean([low - 1e-9 <= true <= high + 1e-9 for low, high in kind]) for kind in kinds]
        how = ", ".join(f"{share:g}" for share in shares)
        print(
            f"| {blocks} | {how} | {true:.2f} | " + " | ".join(f"{100 * share:.0f} %" for share in shown)
            + f" | {len(tables) - len(jackknife)} |",
            flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
