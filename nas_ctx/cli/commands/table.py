"""Summarise training runs in a table: mean and deviation per metric, delta_m, paired tests.

Each RUN is the folder of a finished training, or a folder that contains such folders. Runs that differ only in their
seed make a row; the single-task runs of all tasks make one row together, against which delta_m is taken. Rows are
compared over the seeds that they share. The layouts are those of the supplement: B-1 (means), E-1 (means and delta_m),
G-1 (means, deviations and delta_m). CSV holds every metric in full precision; --figure draws every run.

examples:
  nas-ctx table work/nyud
  nas-ctx table work/nyud --layout E-1 --format latex --out table.tex
  nas-ctx table work/nyud --against "multi-task baseline" --format csv
  nas-ctx table work/nyud/single --layout B-1 --quote published.csv
"""

from __future__ import annotations

import argparse
import dataclasses

from nas_ctx.cli import terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="RUN", help="folders of training runs, or folders of such folders")
    parser.add_argument("--layout", default="G-1", metavar="NAME", help="B-1, E-1 or G-1 (default: %(default)s)")
    parser.add_argument(
        "--format", default="text", metavar="NAME", help="text, markdown, latex or csv (default: %(default)s)"
    )
    parser.add_argument("--against", metavar="ROW", help="row to compare with (default: the multi-task baseline)")
    parser.add_argument(
        "--quote", metavar="FILE", help="CSV of rows measured elsewhere: network, and any of the tasks and delta_m"
    )
    parser.add_argument("--no-tests", action="store_true", help="leave out the paired tests")
    parser.add_argument("--no-runs", action="store_true", help="leave out the number of runs")
    parser.add_argument("--out", metavar="FILE", help="write the table to a file instead of printing it")
    parser.add_argument("--figure", metavar="FILE", help="also draw it (.png, .svg or .pdf)")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.errors import InputError
    from nas_ctx.evaluation import FORMATS, LAYOUTS, draw_table, gather, make_table, read_quoted, read_results
    from nas_ctx.files import BEGINNINGS, check_file, write_text

    as_text, layout = FORMATS[options.format], LAYOUTS[options.layout]
    if options.figure is not None and not options.figure.lower().endswith((".png", ".svg", ".pdf")):
        raise InputError(f"--figure {options.figure}: expected a file name that ends in .png, .svg or .pdf")
    results, notes = read_results(options.paths)
    for note in notes:
        terminal.say(f"note: {note}", error=True)
    table = make_table(gather(results), options.against)
    table = dataclasses.replace(
        table,
        comparisons=[] if options.no_tests else table.comparisons,
        quoted=[] if options.quote is None else read_quoted(options.quote, table.tasks),
    )
    text = as_text(table, dataclasses.replace(layout, runs=not options.no_runs)).rstrip("\n")
    if options.figure is not None:
        check_file(options.figure, BEGINNINGS[options.figure.lower()[-4:]])
        draw_table(table, options.figure)
    if options.out is None:
        terminal.say(text)
    else:
        check_file(options.out, text[:5].encode())  # a table in this format; the rest depends on tasks and widths
        write_text(options.out, text + "\n")
        terminal.say(f"wrote {options.out}: {len(results)} runs")
