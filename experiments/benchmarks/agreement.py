"""How fast the agreement analysis is: all pairs of runs against a loop over scikit-learn, large tables, whole reports.

    python experiments/benchmarks/agreement.py            # everything, about a minute
    python experiments/benchmarks/agreement.py --small    # a few seconds, to see that it runs

Prints, and writes to the file of --out, one JSON object of figures; nothing is asserted. Times are the best of several
for what takes milliseconds, single ones for the rest; memory is the peak of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nas_ctx.files import write_text


def best_of(repeats: int, call: Callable[[], object]) -> float:
    """The shortest time in seconds of ``repeats`` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def against_scikit_learn(runs: int, blocks: int) -> dict[str, float]:
    """Cohen's kappa of all pairs: ours, and a loop over scikit-learn's function for two."""
    from sklearn.metrics import cohen_kappa_score

    from nas_ctx.analysis import cohens_kappa

    ratings = np.random.default_rng(0).integers(0, 5, (runs, blocks))
    pairs = [(r, s) for r in range(runs) for s in range(r)]

    def loop() -> list[float]:
        return [cohen_kappa_score(ratings[r], ratings[s]) for r, s in pairs]

    ours = cohens_kappa(ratings)
    apart = max(abs(ours[r, s] - value) for (r, s), value in zip(pairs, loop(), strict=True))
    fast, slow = best_of(30, lambda: cohens_kappa(ratings)), best_of(2, loop)
    return {"seconds": fast, "scikit_learn_loop_seconds": slow, "ratio": slow / fast, "largest_difference": apart}


def large_table(runs: int, blocks: int, choices: int) -> dict[str, float]:
    """Every statistic of one large table, in this process from a fresh start."""
    start_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    from nas_ctx import analysis

    ratings = np.random.default_rng(0).integers(0, choices, (runs, blocks), dtype=np.int8)
    start = time.perf_counter()
    analysis.cohens_kappa(ratings)
    pairs = time.perf_counter() - start
    for statistic in ("percentage_agreement", "lights_kappa", "fleiss_kappa", "congers_kappa", "gwets_ac1"):
        getattr(analysis, statistic)(ratings)
    analysis.krippendorff_alpha(ratings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "all_pairs_seconds": pairs,
        "all_statistics_seconds": time.perf_counter() - start,
        "peak_MiB": peak / 1024,
        "peak_MiB_before": start_kib / 1024,
    }


def report(runs: int, tasks: int, draws: int) -> dict[str, float]:
    """A report with and without figure files, imports included, in this process from a fresh start."""
    start = time.perf_counter()
    from nas_ctx.analysis import reliability, write_report

    imported = time.perf_counter()
    rng = np.random.default_rng(0)
    names = ["none", "global", "local", "t-label"]
    blocks = [f"task{t}/task{s}" for t in range(tasks) for s in range(tasks)]
    genotypes = [
        dict(zip(blocks, rng.choice(names, len(blocks), p=[0.4, 0.3, 0.2, 0.1]).tolist(), strict=True))
        for _ in range(runs)
    ]
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        record = reliability(genotypes, draws=draws)
        analysed = time.perf_counter()
        write_report(record, Path(folder) / "plain", figures=False)
        page = time.perf_counter()
        write_report(record, Path(folder) / "whole")
        whole = time.perf_counter()
    return {
        "import_seconds": imported - start,
        "analysis_seconds": analysed - begun,
        "page_and_tables_seconds": page - analysed,
        "page_tables_and_figures_seconds": whole - page,
        "total_seconds": (imported - start) + (analysed - begun) + (whole - page),
    }


def in_own_process(call: Callable[..., dict[str, float]], *arguments: int) -> dict[str, float]:
    """Run ``call`` in a new interpreter, so that imports and peak memory are its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small tables only")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    large = (100, 256, 8) if options.small else (1000, 4096, 8)
    crowds = ((5, 4),) if options.small else ((5, 4), (50, 9), (200, 9))
    pairs = (10, 64) if options.small else (50, 256)
    figures = {
        f"all pairs of {pairs[0]} runs x {pairs[1]} blocks": against_scikit_learn(*pairs),
        f"{large[0]} runs x {large[1]} blocks x {large[2]} choices": in_own_process(large_table, *large),
    }
    for runs, tasks in crowds:
        figures[f"report of {runs} runs x {tasks * tasks} blocks, 2000 draws"] = in_own_process(
            report, runs, tasks, 2000
        )
    text = json.dumps(figures, indent=1)
    print(text)
    if options.out is not None:
        write_text(options.out, text + "\n")


if __name__ == "__main__":
    main()
