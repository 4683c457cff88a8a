"""Say how far repeated searches agree, what they vote for, and how far to trust it.

Each PATH is a genotype file (ours, the authors', or the architecture that NNI exports), a run folder, the folder or
id of an NNI experiment, a CSV or TSV with a row per block and a column per run, or - for standard input. They may be
mixed. The folder given by --out gets report.html (one page that needs nothing else), report.json, tables as CSV,
report.md, figures as SVG, PNG and PDF, and consensus.json, the voted genotype, unless a tie stands.

examples:
  nas-ctx report runs/seed-* --out report
  nas-ctx report w3kfq8zt --ties probability --out report
  nas-ctx report ratings.csv --order none,small,large --out report
  some-tool --csv | nas-ctx report - --transposed --out report
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas_ctx.analysis import Reliability


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="where runs are")
    add_shared_arguments(parser)
    parser.add_argument("--metric", help="number of each run's metrics.json to compare agreement with")
    parser.add_argument(
        "--random",
        nargs="+",
        metavar="PATH",
        default=[],
        help="runs whose genotypes were drawn uniformly, to put beside the searched ones",
    )


def add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that ``report`` and ``compare`` have in common."""
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument("--title", help="the heading of the page")
    parser.add_argument(
        "--ties",
        choices=["probability", "order", "refuse"],
        help="how ties are broken: by the mean final probability, by the order of choices, or not at all (exit 2); "
        "without a rule ties stand and no consensus.json is written",
    )
    parser.add_argument("--order", metavar="A,B,...", help="the order of the choices, for the legend and --ties order")
    parser.add_argument("--transposed", action="store_true", help="tables have a row per run and a column per block")
    parser.add_argument("--nni-home", type=Path, metavar="DIR", help="where ids are looked up (~/nni-experiments)")
    parser.add_argument("--draws", type=int, default=2000, help="Monte-Carlo draws (default: %(default)s)")
    parser.add_argument("--level", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of Monte Carlo (default: %(default)s)")
    parser.add_argument("--no-figures", action="store_true", help="leave the figure files out (the page has its own)")


def order_of(options: argparse.Namespace) -> list[str] | None:
    """The words of ``--order``, or None."""
    return [word.strip() for word in options.order.split(",")] if options.order else None


def run(options: argparse.Namespace) -> None:
    from nas_ctx.analysis import load_runs, reliability, write_report
    from nas_ctx.files import check_folder

    check_folder(options.out, "report.json")
    reading = {"transposed": options.transposed, "nni_home": options.nni_home}
    runs = load_runs(options.paths, **reading)
    record = reliability(
        runs,
        ties=options.ties,
        order=order_of(options),
        draws=options.draws,
        level=options.level,
        seed=options.seed,
        metric=options.metric,
        random_runs=load_runs(options.random, **reading) if options.random else None,
        title=options.title or "Reliability of repeated searches",
    )
    page = write_report(record, options.out, figures=not options.no_figures)
    _say(record, page)


def _say(record: Reliability, page: Path) -> None:
    from nas_ctx.analysis import verdict

    for note in record.notes:
        print(f"{note.kind}: {note.text}")
    print(*verdict(record), sep="\n")
    print(f"report: {page}")
