"""Show a genotype as a grid in the terminal and, with --out, as a picture; or the learning curves of a run.

GENOTYPE is a genotype file (ours, the authors', or the architecture that NNI exports), the folder of a run, or the
folder of a report, whose consensus is shown. --curves draws the losses and the validation scores of a run folder over
the steps, while it runs, too; the run then needs no genotype. --page writes a page of the run instead: scores,
learning curves, decisions along the steps, predictions of a training, and IoU per class.

Colours are those of the reports; they are omitted when the output is not a terminal, or when the environment variable
NO_COLOR is set.

examples:
  nas-ctx show work/rooms/search/seed-0
  nas-ctx show work/rooms/report --out consensus.png
  nas-ctx show work/rooms/train/baseline --curves curves.png
  nas-ctx show work/rooms/train/baseline --page baseline.html
  nas-ctx show consensus.json --out consensus.svg
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from nas_ctx.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("genotype", metavar="GENOTYPE", type=Path, help="a genotype file, or the folder that holds it")
    parser.add_argument("--out", metavar="FILE", type=Path, help="also draw it into a .png, .svg or .pdf file")
    parser.add_argument("--curves", metavar="FILE", type=Path, help="draw the learning curves of a run, and no --out")
    parser.add_argument("--page", metavar="FILE", type=Path, help="write the page of a run, .html, and no --out")
    parser.add_argument("--trust", action="store_true", help="with --page: run the code that the run folder names")


def run(options: argparse.Namespace) -> None:
    other = [name for name in ("out", "curves", "page") if getattr(options, name) is not None]
    if len(other) > 1:
        raise InputError(f"--{' and --'.join(other)}: give one of them")
    if options.curves is not None or options.page is not None:
        _draw_curves(options) if options.page is None else _write_page(options)
        return
    from nas_ctx.analysis.report import write_genotype
    from nas_ctx.cli import genotype_text, terminal
    from nas_ctx.files import BEGINNINGS, check_file
    from nas_ctx.genotype import Genotype

    path = genotype_text.find(options.genotype)
    genotype = Genotype.load(path)
    facts = [f"{key} {genotype.meta[key]}" for key in ("seed", "steps") if isinstance(genotype.meta.get(key), int)]
    terminal.say(f"{path}: {', '.join([f'{len(genotype)} blocks', *facts])}\n")
    print(genotype_text.as_text(genotype, terminal.width(), colour=terminal.coloured(sys.stdout)))
    if options.out is not None:
        check_file(options.out, BEGINNINGS.get(options.out.suffix.lower(), b""))
        write_genotype(genotype, options.out, str(path))
        terminal.say(f"\nwrote {options.out}")


def _draw_curves(options: argparse.Namespace) -> None:
    from nas_ctx.analysis.report import write_learning_curves
    from nas_ctx.cli import terminal
    from nas_ctx.files import BEGINNINGS, check_file

    check_file(options.curves, BEGINNINGS.get(options.curves.suffix.lower(), b""))
    write_learning_curves(options.genotype, options.curves)
    terminal.say(f"wrote {options.curves}")


def _write_page(options: argparse.Namespace) -> None:
    from nas_ctx.analysis.report.run_page import write_run_page
    from nas_ctx.cli import terminal

    predictions, missing = _predictions(options.genotype, options.trust)
    write_run_page(options.genotype, options.page, predictions, missing)
    terminal.say(f"wrote {options.page}")


def _predictions(run: Path, trust: bool) -> tuple[bytes | None, str]:
    """A sheet of validation images and what the network of a run predicts, PNG; or why there is none."""
    if (run / "history.csv").exists():
        return None, "a search trains all candidates at once; its network is trained anew (nas-ctx train)"
    from nas_ctx.data.show import write_png
    from nas_ctx.evaluation import prediction_sheet
    from nas_ctx.runs import load_trained

    try:
        sheet = prediction_sheet(load_trained(run, trust=trust), 3)
    except InputError as error:
        return None, str(error)
    with tempfile.TemporaryDirectory() as folder:
        write_png(sheet, Path(folder) / "sheet.png")
        return (Path(folder) / "sheet.png").read_bytes(), ""
