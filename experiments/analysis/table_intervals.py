"""Coverage of the intervals of `nas-ctx table` where the truth is known, at 3, 5 and 10 seeds.

    python experiments/analysis/table_intervals.py --tables 4000

Five rows of normally distributed runs without any difference between them, four contrasts with the first row. Designs:
all deviations equal; deviations that vary from row to row as a log-normal variable (sigma 0.4); one row that varies
three times as much; the first row, with which all are compared, three times as much; one run fewer in every other row;
runs of one seed that correlate by 0.7, taken as pairs.
Last, delta_m of a row whose single-task runs vary as much as it does (2 % of the mean).
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the simulated table is part of the test suite, which is not installed

from nas_ctx.evaluation.contrasts import Contrast  # noqa: E402
from nas_ctx.evaluation.differences import estimate  # noqa: E402
from tests.evaluation.simulated import simulated_table  # noqa: E402

ROWS = 5
DESIGNS = {
    "equal deviations": lambda rng: np.ones(ROWS),
    "deviations vary (log-normal, 0.4)": lambda rng: np.exp(rng.normal(0, 0.4, ROWS)),
    "one row varies 3 times as much": lambda rng: np.array([1.0, 1, 1, 1, 3]),
    "the reference row varies 3 times as much": lambda rng: np.array([3.0, 1, 1, 1, 1]),
    "a run fewer in every other row": lambda rng: np.ones(ROWS),
    "pairs (`--paired`) that correlate by 0.7": lambda rng: np.ones(ROWS),
}
CORRELATION = 0.7
CONTRASTS = [Contrast(row=f"r{number}", against="r0", metric="m") for number in range(1, ROWS)]


def coverage(design: str, runs: int, tables: int) -> tuple[float, float]:
    """Share of tables whose simultaneous intervals all hold 0, and of single intervals that do."""
    rng = np.random.default_rng([runs, list(DESIGNS).index(design)])
    together = alone = 0
    for _ in range(tables):
        deviations = DESIGNS[design](rng)
        fewer = design == "a run fewer in every other row"
        counts = [runs - (fewer and row % 2) for row in range(ROWS)]
        drawn = [rng.normal(0, deviations[row], counts[row]) for row in range(ROWS)]
        if paired := "--paired" in design:
            shared = rng.normal(size=runs)
            drawn = [np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own for own in drawn]
        values = {f"r{row}": {"m": dict(enumerate(own))} for row, own in enumerate(drawn)}
        estimates = partial(estimate, CONTRASTS, values, {"m": True}, paired=paired)
        together += all(d.low <= 0 <= d.high for d in estimates())
        alone += sum(d.low <= 0 <= d.high for d in estimates(simultaneous=False))
    return together / tables, alone / (tables * len(CONTRASTS))


def delta_coverage(runs: int, tables: int) -> float:
    """Share of tables whose interval of delta_m holds the truth."""
    inside = 0
    for seed in range(tables):
        table, truth = simulated_table(runs, seed)
        low, high = table.cells["network"]["delta_m"].interval
        inside += low <= truth <= high
    return inside / tables


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=4000, help="tables of each design (default: %(default)s)")
    options = parser.parse_args()
    seeds = (3, 5, 10)
    print("| design | " + " | ".join(f"{runs} seeds" for runs in seeds) + " |\n| --- | ---: | ---: | ---: |")
    for design in DESIGNS:
        cells = [coverage(design, runs, options.tables) for runs in seeds]
        for kind, place in (("simultaneous", 0), ("by itself", 1)):
            print(
                f"| {design}, {kind} | " + " | ".join(f"{100 * cell[place]:.1f}" for cell in cells) + " |", flush=True
            )
    cells_of_delta = [delta_coverage(runs, options.tables) for runs in seeds]
    print("| Δm of a row | " + " | ".join(f"{100 * cell:.1f}" for cell in cells_of_delta) + " |")


if __name__ == "__main__":
    main()
