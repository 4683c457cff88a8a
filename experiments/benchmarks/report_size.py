"""Processor time and memory of a report without figures, of reading, or of a comparison; tables of random choices.

python experiments/benchmarks/report_size.py --blocks 1000 --runs 500
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import tempfile
import time
from pathlib import Path

from nas_ctx.analysis import load_runs
from nas_ctx.cli import main

CHOICES = ("none", "global", "local", "t-label", "s-label")


def write_table(path: Path, blocks: int, runs: int) -> None:
    """Half of the choices of a block are one and the same, the others are drawn uniformly."""
    draw = random.Random(0)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["block", *(f"run {run}" for run in range(runs))])
        for block in range(blocks):
            usual = draw.choice(CHOICES)
            row = [usual if draw.random() < 0.5 else draw.choice(CHOICES) for _ in range(runs)]
            table.writerow([f"b{block}", *row])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--read", action="store_true", help="read the table only")
    parser.add_argument("--compare", action="store_true", help="compare two such sets")
    sizes = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "t.csv", sizes.blocks, sizes.runs)
        start = time.process_time()
        if sizes.read:
            load_runs(f"{folder}/t.csv")
        else:
            table, other = f"{folder}/t.csv", ["--with", f"{folder}/t.csv"] if sizes.compare else []
            command = "compare" if sizes.compare else "report"
            main([command, table, *other, "--out", f"{folder}/report", "--no-figures"])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{sizes.blocks} x {sizes.runs}: {time.process_time() - start:.1f} s, {peak} MB")
