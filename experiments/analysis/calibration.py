"""Do the verdicts and intervals of a report hold what they promise? Simulated searches of known truth, by design.

    python experiments/analysis/calibration.py --out work/calibration
    python experiments/analysis/calibration.py --out work/calibration --only grid-4x5 --tables 200

For each design runs are drawn that ignore the blocks ("nothing there") and runs that follow a hidden choice of each
block half of the time ("something there"). Told are: how often a report says "more than chance", how often the 95 %
intervals of percentage agreement and of the leading kappa contain their true values, which a table of very many such
blocks with these runs gives, and for two sets of one process how often they are told apart, and how often the interval
of their difference contains 0. Each row is written as soon as it is done; what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from designs import DESIGNS, Design

from nas_ctx.analysis import PERCENTAGE, chance_test, random_policy, set_difference
from nas_ctx.analysis.results import result_of
from nas_ctx.analysis.significance import standing_of
from nas_ctx.analysis.stats.catalogue import leading
from nas_ctx.files import write_text

DRAWS = 199  # of the permutation test, so that its p value can be below 0.05; a report takes 2000


def judged(design: Design, faithful: float, tables: int) -> dict[str, float | int | None]:
    """Verdicts and intervals of one set of runs, over many tables."""
    rng = np.random.default_rng(1)
    said, policies = 0, {}
    covered: dict[str, list[bool]] = {"percentage": [], "kappa": []}
    for number in range(tables):
        matrix, truth = design.draw(rng, faithful)
        test = chance_test(matrix, draws=DRAWS, seed=number)
        share, kappa = (result_of(s, matrix, 0.95, bool(design.nested)) for s in (PERCENTAGE, leading(matrix)))
        assert matrix.candidates is not None
        counts = tuple(matrix.candidates.counts.tolist())
        if (key := (counts, round(share.value, 9))) not in policies:
            policies[key] = random_policy(matrix.n_runs, counts, share.value, draws=20)
        said += standing_of(test, kappa, policies[key]).beyond_chance
        for name, result in (("percentage", share), ("kappa", kappa)):
            true = truth(result.statistic)
            if result.interval is not None and not np.isnan(true):
                covered[name].append(result.interval.contains(true))
    return {
        "tables": tables,
        "more_than_chance": said / tables,
        **{f"{name}_covered": float(np.mean(of)) if of else None for name, of in covered.items()},
        **{f"{name}_shown": len(of) / tables for name, of in covered.items()},
    }


def compared(design: Design, faithful: float, tables: int) -> dict[str, float | int | None]:
    """Verdicts and intervals of the difference between two sets of one process, over many pairs of tables."""
    rng = np.random.default_rng(2)
    apart, decided = 0, []
    for number in range(tables):
        both = design.draw_pair(rng, faithful)
        found = set_difference(both, design.runs, leading(both), draws=DRAWS, seed=number)
        if np.isnan(found.test.p):
            found = set_difference(both, design.runs, PERCENTAGE, draws=DRAWS, seed=number)
        apart += found.apart
        if found.interval is not None:
            decided.append(found.interval.contains(0))
    return {
        "apart": apart / tables,
        "difference_covered": float(np.mean(decided)) if decided else None,
        "difference_shown": len(decided) / tables,
    }


def table_of(rows: dict[str, dict[str, dict[str, float | None]]]) -> str:
    """The rows as the table of docs/statistics.md."""

    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f}"

    head = ["design", "nothing there: “more”", "something there: “more”"]
    head += [f"{kind} {what}" for kind in ("nothing:", "something:") for what in ("agreement", "kappa")]
    head += ["two of one process: apart", "interval"]
    lines = [head, ["---"] * len(head)]
    for name, row in rows.items():
        null, signal = row["nothing"], row["something"]
        cells = [null["more_than_chance"], signal["more_than_chance"]]
        cells += [of[f"{what}_covered"] for of in (null, signal) for what in ("percentage", "kappa")]
        cells += [signal.get("apart"), signal.get("difference_covered")]
        lines.append([name, *map(percent, cells)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results, a file per row")
    parser.add_argument("--only", nargs="*", choices=[design.name for design in DESIGNS])
    parser.add_argument("--kind", choices=["nothing", "something"], help="only these runs, and no table at the end")
    options = parser.parse_args()
    rows: dict[str, dict[str, dict[str, float | None]]] = {}
    for design in DESIGNS:
        if options.only and design.name not in options.only:
            continue
        row = rows.setdefault(design.says, {})
        for kind, faithful in (("nothing", 0.0), ("something", design.faithful)):
            if options.kind not in (None, kind):
                continue
            path = options.out / f"{design.name}-{kind}-{options.tables}.json"
            if not path.exists():
                found = judged(design, faithful, options.tables)
                if faithful:
                    found |= compared(design, faithful, options.tables)
                write_text(path, json.dumps(found, indent=1) + "\n")
            row[kind] = json.loads(path.read_text(encoding="utf-8"))
            print(design.name, kind, row[kind], flush=True)
    if options.kind is None:
        print(table_of(rows))


if __name__ == "__main__":
    main()
