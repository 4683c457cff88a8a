"""Compare the reliability of two sets of searches: two strategies, or two settings, on the same blocks.

The paths before --with make the first set, those after it the second; each is read as `nas-ctx report` reads it. The
differences come with intervals from a paired jackknife over the blocks that all runs have.

examples:
  nas-ctx compare gumbel/* --with darts/* --names Gumbel,DARTS --out comparison
  nas-ctx compare short.csv --with long.csv --out comparison
"""

from __future__ import annotations

import argparse

from nas_ctx.cli.commands.report import add_shared_arguments, order_of
from nas_ctx.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="where the runs of the first set are")
    parser.add_argument("--with", dest="others", nargs="+", required=True, metavar="PATH", help="the second set")
    parser.add_argument("--names", default="A,B", metavar="A,B", help="what to call the sets (default: %(default)s)")
    add_shared_arguments(parser)


def run(options: argparse.Namespace) -> None:
    from nas_ctx.analysis import compare, comparison_verdict, load_runs, write_comparison
    from nas_ctx.files import check_folder

    check_folder(options.out, "comparison.json")
    first, comma, second = (word.strip() for word in options.names.partition(","))
    if not comma or not first or not second or first == second or "," in second:
        raise InputError(f"--names must be two different words with a comma between them, got {options.names!r}")
    reading = {"transposed": options.transposed, "nni_home": options.nni_home}
    comparison = compare(
        load_runs(options.paths, **reading),
        load_runs(options.others, **reading),
        names=(first, second),
        ties=options.ties,
        order=order_of(options),
        draws=options.draws,
        level=options.level,
        seed=options.seed,
        title=options.title or f"{first} and {second} compared",
    )
    page = write_comparison(comparison, options.out, figures=not options.no_figures)
    print(*comparison_verdict(comparison), sep="\n")
    print(f"report: {page}")
