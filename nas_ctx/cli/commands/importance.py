"""Say how much each block of a trained network matters: its output permuted across images, and the block left out.

RUN is the folder of a training run with blocks. The folder given by --out gets importance.png (N x N heat maps of the
drop of each target's metric, with intervals), importance.csv (every metric) and importance.json.

examples:
  nas-ctx importance work/rooms/train/consensus --out work/rooms/importance
  nas-ctx importance work/nyud/atrc/seed-0 --images 200 --out importance
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="RUN", help="folder of a training run")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument("--repetitions", type=int, default=10, metavar="N", help="permutations (default: %(default)s)")
    parser.add_argument("--images", type=int, metavar="N", help="use the first so many validation images only")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the permutations (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from nas_ctx.errors import InputError
    from nas_ctx.evaluation.heat_map import write_importance
    from nas_ctx.evaluation.importance import measure_importance
    from nas_ctx.files import check_folder
    from nas_ctx.runs.trained import load_trained

    def bar(batches: Iterable[Any]) -> Iterable[Any]:
        return tqdm(batches, unit="batch", leave=False, disable=not sys.stderr.isatty())

    check_folder(options.out, "importance.json")
    trained = load_trained(options.folder)
    if options.images is not None:
        if options.images < 2:
            raise InputError(f"--images {options.images}: expected at least 2")
        trained.data.limit_val = options.images
    importance = measure_importance(trained, options.repetitions, options.seed, bar)
    for block in importance.permuted:
        permuted, left_out = importance.drop_permuted(block), importance.drop_left_out(block)
        interval = f"[{permuted.low:+.2f}, {permuted.high:+.2f}]" if options.repetitions > 1 else ""
        print(f"{block:24s} permuted {permuted.mean:+7.2f} %  {interval:18s}  left out {left_out.mean:+7.2f} %")
    for path in write_importance(importance, options.out):
        print(f"wrote {path}")
