"""Predict pictures or whole validation sets, as files for other programs; or draw predictions beside the truth.

With pictures, folders of pictures or --val, each task's prediction of each picture is written to DIR/TASK/NAME.png at
the picture's size: a class as its number with a palette, depth as millimetres in 16 bits, a probability or a direction
in 8 bits; --format npy writes the values themselves. Pictures need no labels.

With run folders alone, validation images, predictions and ground truth are drawn on one sheet. Several runs on the same
validation images stand one above the other, such as regression and classification of depth (figure D-2).

RUN is the folder of a training run; its newest checkpoint is used, so an unfinished run works too.

examples:
  nas-ctx predict work/rooms/train/consensus photo.jpg holiday/ --out predicted
  nas-ctx predict work/rooms/train/consensus --val --format npy --out predicted
  nas-ctx predict work/rooms/train/baseline --images 8 --out baseline.png
  nas-ctx predict work/regression/seed-0 work/classes/seed-0 --out both.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nas_ctx.cli import terminal
from nas_ctx.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", metavar="RUN", help="folder of a training run")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="further runs; or pictures and folders of pictures")
    parser.add_argument(
        "--out", metavar="PATH", help="the sheet (default: sheet.png); the folder of predictions (default: predicted)"
    )
    parser.add_argument(
        "--images", type=int, default=4, metavar="N",
        help="images on a sheet, spread evenly over the validation set (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--val", action="store_true", help="predict all validation images of the run")
    parser.add_argument("--format", choices=["png", "npy"], default="png", help="of predictions (default: %(default)s)")
    parser.add_argument("--trust", action="store_true", help="run the code that the run folder names")


def run(options: argparse.Namespace) -> None:
    further = [path for path in options.paths if (Path(path) / "config.yaml").exists()]
    pictures = [path for path in options.paths if path not in further]
    if not pictures and not options.val:
        _draw([options.run_folder, *further], options)
    elif further or (pictures and options.val):
        raise InputError("predictions are of one RUN at a time, and of pictures or of --val")
    else:
        _predict(pictures, options)


def _draw(folders: list[str], options: argparse.Namespace) -> None:
    from nas_ctx.data.show import write_png
    from nas_ctx.evaluation import prediction_sheet
    from nas_ctx.files import BEGINNINGS, check_file
    from nas_ctx.runs import load_trained

    out = options.out or "sheet.png"
    check_file(out, BEGINNINGS[".png"])
    runs = {folder: load_trained(folder, trust=options.trust) for folder in folders}
    one, *others = runs.values()
    write_png(prediction_sheet(runs if others else one, options.images), out)
    for trained in runs.values():
        terminal.say(f"wrote {out}: image, {', '.join(trained.tasks)} as predicted by {trained.checkpoint}")


def _predict(paths: list[str], options: argparse.Namespace) -> None:
    from nas_ctx.evaluation.predictions import pictures_in, validation_pictures, write_predictions
    from nas_ctx.runs import load_network

    given = pictures_in(paths)
    network = load_network(options.run_folder, trust=options.trust)
    pictures = validation_pictures(network) if options.val else given
    out = options.out or "predicted"
    write_predictions(network, pictures, out, options.format, terminal.progress(" pictures"))
    terminal.say(
        f"wrote {out}: {', '.join(network.tasks)} of {len(pictures)} pictures, as predicted by {network.checkpoint}"
    )
