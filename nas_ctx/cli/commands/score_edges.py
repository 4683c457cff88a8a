"""Score boundaries that any program has predicted: odsF, oisF, and the curve of precision and recall.

PREDICTIONS and TRUTH are folders; a prediction is scored against the truth of its name, and every truth, or every id of
a list, needs one. Predictions are 8-bit grey PNG
files, 255 where a boundary is certain, or .npy arrays of 0 to 1; the truth is 0 and 1, where 255 is ignored, or 0 and
255. Predictions are thinned at each threshold, and pixels matched one to one, as in MATLAB's benchmark.

examples:
  nas-ctx score-edges predictions NYUD_MT/edge --list NYUD_MT/gt_sets/val.txt
  nas-ctx score-edges predicted true --csv curve.csv --figure curve.png
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("predictions", metavar="PREDICTIONS", help="folder of probabilities, .png or .npy")
    parser.add_argument("truth", metavar="TRUTH", help="folder of boundaries of the same names, .png or .npy")
    parser.add_argument(
        "--max-dist",
        type=float,
        default=0.011,
        metavar="R",
        help="matching radius over the diagonal: 0.011 for NYUD-v2 (default), 0.0075 for PASCAL-Context and BSDS500",
    )
    parser.add_argument("--list", type=Path, metavar="FILE", help="ids to score, one a line (default: all of TRUTH)")
    parser.add_argument("--thresholds", type=int, default=99, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: all)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the curve as a table")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the curve, into a .png, .svg or .pdf file")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.cli import terminal
    from nas_ctx.errors import InputError, counted
    from nas_ctx.evaluation.edges import score_edges
    from nas_ctx.evaluation.edges_figure import draw_edge_curve
    from nas_ctx.files import BEGINNINGS, check_file

    for name, value, most in (("thresholds", options.thresholds, 9999), ("jobs", options.jobs, 1024)):
        if not 1 <= value <= most:
            raise InputError(f"--{name} {value}: expected 1 to {most}")
    if not 0 < options.max_dist < 1:
        raise InputError(f"--max-dist {options.max_dist:g}: expected a share of the diagonal, above 0 and below 1")
    if options.csv is not None:
        check_file(options.csv, b"threshold,")
    if options.figure is not None:
        suffix = options.figure.suffix.lower()
        if suffix not in (".png", ".svg", ".pdf"):
            raise InputError(f"--figure {options.figure}: expected a .png, .svg or .pdf file")
        check_file(options.figure, b"<?xml" if suffix == ".svg" else BEGINNINGS[suffix])
    scores = score_edges(
        options.predictions, options.truth, options.max_dist, options.thresholds, options.jobs,
        terminal.progress("image"), options.list,
    )  # fmt: skip
    best = int(scores.f.argmax())
    at = f"precision {scores.precision[best]:.4f}, recall {scores.recall[best]:.4f}"
    terminal.say(f"odsF {scores.ods_f:.4f}   at threshold {scores.thresholds[best]:.4g}: {at}")
    terminal.say(f"oisF {scores.ois_f:.4f}   of {counted(scores.images, 'image')}")
    if options.csv is not None:
        scores.write_csv(options.csv)
        terminal.say(f"wrote {options.csv}")
    if options.figure is not None:
        draw_edge_curve(scores, options.figure)
        terminal.say(f"wrote {options.figure}")
