"""Put the results of training runs into one table: mean and deviation per metric, delta_m, paired tests.

Each RUN is the folder of a finished training, or a folder with such folders below it. Runs that differ in nothing but
their seed make a row; single-task runs of all tasks make one row together, and delta_m is taken against it. Rows are
compared over the seeds that they share. Layouts are those of the supplement: B-1 (means), E-1 (means and delta_m),
G-1 (means, deviations and delta_m). CSV holds every metric, in full precision; --figure draws every run.

examples:
  nas-ctx table work/nyud
  nas-ctx table work/nyud --layout E-1 --format latex --out table.tex
  nas-ctx table work/nyud --against "multi-task baseline" --format csv
"""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="RUN", help="folders of training runs, or folders of such")
    parser.add_argument("--layout", default="G-1", metavar="NAME", help="B-1, E-1 or G-1 (default: %(default)s)")
    parser.add_argument(
        "--format", default="text", metavar="NAME", help="text, markdown, latex or csv (default: %(default)s)"
    )
    parser.add_argument("--against", metavar="ROW", help="the row to compare others with (the multi-task baseline)")
    parser.add_argument("--out", metavar="FILE", help="write there instead of printing")
    parser.add_argument("--figure", metavar="FILE", help="draw it there too (.png, .svg or .pdf)")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.errors import InputError
    from nas_ctx.evaluation.results import gather, read_results
    from nas_ctx.evaluation.table import make_table
    from nas_ctx.evaluation.table_text import FORMATS, LAYOUTS
    from nas_ctx.files import BEGINNINGS, check_file, write_text

    draw, layout = FORMATS[options.format], LAYOUTS[options.layout]
    if options.figure is not None and not options.figure.lower().endswith((".png", ".svg", ".pdf")):
        raise InputError(f"--figure {options.figure}: expected a file name that ends in .png, .svg or .pdf")
    results, notes = read_results(options.paths)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    table = make_table(gather(results), options.against)
    text = draw(table, layout)
    if options.figure is not None:
        from nas_ctx.evaluation.table_figure import draw_table

        check_file(options.figure, BEGINNINGS[options.figure.lower()[-4:]])
        draw_table(table, options.figure)
    if options.out is None:
        print(text.rstrip("\n"))
    else:
        check_file(options.out, text[:5].encode())  # a table of this format; what follows are tasks and widths
        write_text(options.out, text.rstrip("\n") + "\n")
        print(f"wrote {options.out}: {len(results)} runs")
