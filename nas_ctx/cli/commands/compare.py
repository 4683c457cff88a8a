"""Compare the reliability of two sets of searches: two strategies, or two settings, on the same blocks.

The paths before --with make the first set, those after it the second; each is read as by `nas-ctx report`. The
differences have intervals over runs and blocks, and a test that divides all runs into two such sets anew.

examples:
  nas-ctx compare gumbel/* --with darts/* --names Gumbel,DARTS --out comparison
  nas-ctx compare short.csv --with long.csv --out comparison
"""

from __future__ import annotations

import argparse

from nas_ctx.cli import terminal
from nas_ctx.cli.options import READING, add_analysis_options, analysis_settings, figure_formats, out_folder
from nas_ctx.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="where to find the runs of the first set")
    parser.add_argument("--with", dest="others", nargs="+", required=True, metavar="PATH", help="the second set")
    parser.add_argument("--names", default="A,B", metavar="A,B", help="names of the two sets (default: %(default)s)")
    add_analysis_options(parser)


def run(options: argparse.Namespace) -> None:
    from nas_ctx.analysis import compare, comparison_verdict, load_runs, write_comparison

    out = out_folder(options, "comparison.json", [*options.paths, *options.others])
    names = [word.strip() for word in options.names.split(",")]
    if len(names) != 2 or len({*names, ""}) != 3:
        raise InputError(f"--names must be two different words with a comma between them, got {options.names!r}")
    reading = {name: getattr(options, name) for name in READING}
    comparison = compare(
        load_runs(options.paths, **reading),
        load_runs(options.others, **reading),
        names=(names[0], names[1]),
        **analysis_settings(options, f"{names[0]} and {names[1]} compared"),
    )
    page = write_comparison(comparison, out, figures=figure_formats(options))
    terminal.say(*comparison_verdict(comparison), f"report: {page}")
