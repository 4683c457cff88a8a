"""Draw the predictions of a trained network: validation images, predictions and ground truth on one sheet.

RUN is the folder of a training run; its newest checkpoint is used, so an unfinished run works too.

examples:
  nas-ctx predict work/rooms/train/consensus --out sheet.png
  nas-ctx predict work/rooms/train/baseline --images 8 --out baseline.png
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="RUN", help="folder of a training run")
    parser.add_argument("--out", default="sheet.png", metavar="FILE", help="picture to write (default: %(default)s)")
    parser.add_argument("--images", type=int, default=4, metavar="N", help="validation images (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.data.show import write_png
    from nas_ctx.evaluation import prediction_sheet
    from nas_ctx.files import BEGINNINGS, check_file
    from nas_ctx.runs.trained import load_trained

    check_file(options.out, BEGINNINGS[".png"])
    trained = load_trained(options.folder)
    write_png(prediction_sheet(trained, options.images), options.out)
    print(f"wrote {options.out}: image, {', '.join(trained.tasks)} as predicted by {trained.checkpoint}")
