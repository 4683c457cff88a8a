"""Measure how much each block of a trained network matters: its output permuted between images, and left out.

RUN is the folder of a training run with blocks. The folder given by --out gets importance.png (N x N heat maps of the
drop of each target's metric, with intervals), importance.csv (every metric) and importance.json.

examples:
  nas-ctx importance work/rooms/train/consensus --out work/rooms/importance
  nas-ctx importance work/nyud/atrc/seed-0 --images 200 --out importance
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nas_ctx.cli import terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="RUN", help="folder of a training run")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument("--repetitions", type=int, default=10, metavar="N", help="permutations (default: %(default)s)")
    parser.add_argument("--images", type=int, metavar="N", help="use the first N validation images only")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the permutations (default: %(default)s)")

    parser.add_argument("--trust", action="store_true", help="run the code that the run folder names")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.errors import InputError
    from nas_ctx.evaluation import measure_importance, write_importance
    from nas_ctx.files import check_folder
    from nas_ctx.runs import load_trained

    check_folder(options.out, "importance.json")
    if options.images is not None and options.images < 2:
        raise InputError(f"--images {options.images}: expected at least 2")
    trained = load_trained(options.folder, trust=options.trust)
    trained.data.limit_val = options.images or trained.data.limit_val
    importance = measure_importance(trained, options.repetitions, options.seed, terminal.progress("batch"))
    terminal.say("change of the target's score without the block: + it gets worse, the block helps; - it gets better")
    for block in importance.permuted:
        permuted, left_out = importance.drop_permuted(block), importance.drop_left_out(block)
        interval = f"[{permuted.low:+.2f}, {permuted.high:+.2f}]" if options.repetitions > 1 else ""
        terminal.say(f"{block:24s} permuted {permuted.mean:+7.2f} %  {interval:18s}  left out {left_out.mean:+7.2f} %")
    for path in write_importance(importance, options.out):
        terminal.say(f"wrote {path}")
