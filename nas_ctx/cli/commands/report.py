"""Measure how well repeated searches agree, take their vote, and say how far to trust it.

Each PATH is a genotype file (ours, the authors', or the architecture that NNI exports), a run folder, the folder or
id of an NNI experiment, a table, a file of another search tool (--formats lists them), a folder of such files, or - for
standard input. They can be mixed. The folder given by --out gets report.html (one self-contained page), report.json,
tables as CSV, report.md, figures as SVG, PDF or PNG, and consensus.json, the genotype voted for, unless a tie remains.

examples:
  nas-ctx report runs/seed-* --out report
  nas-ctx report w3kfq8zt --ties probability --out report
  nas-ctx report runs/seed-* --figures pdf --figures png --out report
  nas-ctx report ratings.csv --order none,small,large --out report
  nas-ctx report ratings.csv --candidates candidates.json --out report
  nas-ctx report genotypes/*.txt search.log --export csv --out report
  nas-ctx report study-*.csv --best max --out report
  some-tool --csv | nas-ctx report - --transposed --out report
"""

from __future__ import annotations

import argparse

from nas_ctx.cli import terminal
from nas_ctx.cli.options import READING, add_analysis_options, analysis_settings, figure_formats, out_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="where to find the runs")
    add_analysis_options(parser)
    parser.add_argument(
        "--export",
        action="append",
        choices=["csv", "json", "long"],
        default=[],
        help="write the rating table for R, pandas and others too: ratings.csv, ratings.json, ratings-long.csv",
    )
    parser.add_argument("--metric", help="entry of each run's metrics.json to relate to its agreement")
    parser.add_argument(
        "--random",
        nargs="+",
        metavar="PATH",
        default=[],
        help="runs with uniformly drawn genotypes, to compare with the searches",
    )


def run(options: argparse.Namespace) -> None:
    from nas_ctx.analysis import load_runs, reliability, verdict, write_report
    from nas_ctx.analysis.report.export import consensus_as_given
    from nas_ctx.errors import InputError

    out = out_folder(options, "report.json", [*options.paths, *options.random])
    reading = {name: getattr(options, name) for name in READING}
    record = reliability(
        load_runs(options.paths, **reading),
        metric=options.metric,
        random_runs=load_runs(options.random, **reading) if options.random else None,
        **analysis_settings(options, "Reliability of repeated searches"),
    )
    page = write_report(record, out, figures=figure_formats(options), export=options.export)
    for note in record.notes:
        terminal.say(f"{note.kind}: {note.text}")
    try:
        consensus_as_given(record)
    except InputError as error:
        terminal.say(f"consensus: {error}")
    terminal.say(*verdict(record), f"report: {page}")
