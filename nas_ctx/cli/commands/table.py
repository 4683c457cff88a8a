"""Summarise training runs in a table: mean and deviation per metric, delta_m, differences with intervals.

Each RUN is the folder of a finished training, or a folder that contains such folders. Runs that differ only in their
seed make a row; the single-task runs of all tasks make one row together, against which delta_m is taken. RUN may also
be a CSV file of scores from elsewhere (columns run, row, metric, value). The layouts are those of the supplement: B-1
(means), E-1 (means and delta_m), G-1 (means, deviations and delta_m). CSV holds every metric in full precision;
--figure draws every run and the primary contrasts.

examples:
  nas-ctx table work/nyud
  nas-ctx table work/nyud --contrasts contrasts.yaml
  nas-ctx table work/nyud --layout E-1 --format latex --out table.tex
  nas-ctx table work/nyud --against "multi-task baseline" --format csv
  nas-ctx table work/nyud/single --layout B-1 --quote published.csv
  nas-ctx table scores.csv
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from nas_ctx.cli import terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="RUN", help="folders of training runs, or a CSV file of scores")
    parser.add_argument("--layout", default="G-1", metavar="NAME", help="B-1, E-1 or G-1 (default: %(default)s)")
    parser.add_argument(
        "--format", default="text", metavar="NAME", help="text, markdown, latex or csv (default: %(default)s)"
    )
    parser.add_argument("--against", metavar="ROW", help="row to compare with (default: the multi-task baseline)")
    parser.add_argument(
        "--quote", metavar="FILE", help="CSV of rows measured elsewhere: network, and any of the tasks and delta_m"
    )
    parser.add_argument(
        "--contrasts", metavar="FILE", help="YAML list of the primary contrasts (default: each row's delta_m)"
    )
    parser.add_argument(
        "--paired", action="store_true", help="runs of one seed are pairs: they saw one order of images"
    )
    parser.add_argument("--no-tests", action="store_true", help="leave out the differences")
    parser.add_argument("--no-runs", action="store_true", help="leave out the number of runs")
    parser.add_argument("--out", metavar="FILE", help="write the table to a file instead of printing it")
    parser.add_argument("--figure", metavar="FILE", help="also draw it (.png, .svg or .pdf)")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.errors import InputError
    from nas_ctx.evaluation import FORMATS, LAYOUTS, draw_table, make_table, read_chosen_on, read_contrasts, read_quoted
    from nas_ctx.evaluation.weights import weights_of
    from nas_ctx.files import BEGINNINGS, check_file, write_text

    as_text, layout = FORMATS[options.format], LAYOUTS[options.layout]
    if options.figure is not None and not options.figure.lower().endswith((".png", ".svg", ".pdf")):
        raise InputError(f"--figure {options.figure}: expected a file name that ends in .png, .svg or .pdf")
    contrasts = None if options.contrasts is None else read_contrasts(Path(options.contrasts))
    table = make_table(
        _rows(options.paths), options.against, contrasts, place=f"{options.contrasts}: contrasts", paired=options.paired
    )
    names = [row.name for row in table.rows]
    chosen = [] if options.contrasts is None else read_chosen_on(Path(options.contrasts), names)
    if options.no_tests:
        table = dataclasses.replace(table, primary=[], exploratory=[])
    table = dataclasses.replace(
        table,
        quoted=[] if options.quote is None else read_quoted(options.quote, table.tasks),
        notes=[*chosen, *weights_of(table.rows)],
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
        terminal.say(f"wrote {options.out}: {len(table.rows)} rows")


def _rows(paths: list[str]) -> list[Any]:
    """The rows in folders of runs, and in CSV files of scores."""
    from nas_ctx.evaluation import gather, read_results, read_scores

    files = [path for path in paths if Path(path).is_file()]
    folders = [path for path in paths if path not in files]
    results, notes = read_results(folders)
    for note in notes:
        terminal.say(f"note: {note}", error=True)
    return [*gather(results), *(row for path in files for row in read_scores(path))]
