"""Draw the predictions of a trained network: validation images, predictions and ground truth on one sheet.

RUN is the folder of a training run; its newest checkpoint is used, so an unfinished run works too. Several runs on the
same validation images stand one above the other, such as regression and classification of depth (figure D-2).

examples:
  nas-ctx predict work/rooms/train/consensus --out sheet.png
  nas-ctx predict work/rooms/train/baseline --images 8 --out baseline.png
  nas-ctx predict work/regression/seed-0 work/classes/seed-0 --out both.png
"""

from __future__ import annotations

import argparse

from nas_ctx.cli import terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", metavar="RUN", help="folders of training runs")
    parser.add_argument("--out", default="sheet.png", metavar="FILE", help="picture to write (default: %(default)s)")
    parser.add_argument("--images", type=int, default=4, metavar="N", help="validation images (default: %(default)s)")

    parser.add_argument("--trust", action="store_true", help="run the code that the run folder names")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.data.show import write_png
    from nas_ctx.evaluation import prediction_sheet
    from nas_ctx.files import BEGINNINGS, check_file
    from nas_ctx.runs import load_trained

    check_file(options.out, BEGINNINGS[".png"])
    runs = {folder: load_trained(folder, trust=options.trust) for folder in options.folders}
    one, *others = runs.values()
    write_png(prediction_sheet(runs if others else one, options.images), options.out)
    for trained in runs.values():
        terminal.say(f"wrote {options.out}: image, {', '.join(trained.tasks)} as predicted by {trained.checkpoint}")
