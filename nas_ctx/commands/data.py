"""Write data sets.

nas-ctx data rooms work/rooms                          400 training and 100 validation scenes of 96 x 128 pixels
nas-ctx data rooms work/rooms --train 60 --size 64 96  fewer and smaller ones
"""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``nas-ctx data``'s own subcommands."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    rooms = kinds.add_parser("rooms", help="render furnished rooms with exact labels, in the NYUD-v2 layout")
    rooms.add_argument("folder", metavar="DIR", help="folder to make; the same data set in it is reused")
    rooms.add_argument("--train", type=int, default=400, metavar="N", help="training scenes (default 400)")
    rooms.add_argument("--val", type=int, default=100, metavar="N", help="validation scenes (default 100)")
    rooms.add_argument(
        "--size", type=int, nargs=2, default=(96, 128), metavar=("H", "W"), help="pixels (default 96 128)"
    )
    rooms.add_argument("--seed", type=int, default=0, metavar="S", help="other rooms for another seed (default 0)")
    rooms.set_defaults(run_kind=_rooms)


def run(options: argparse.Namespace) -> None:
    """Do what the subcommand says."""
    options.run_kind(options)


def _rooms(options: argparse.Namespace) -> None:
    from nas_ctx.data.rooms import write_rooms

    size = (options.size[0], options.size[1])
    written = write_rooms(options.folder, options.train, options.val, size, options.seed, progress=sys.stderr.isatty())
    scenes = f"{options.train} training and {options.val} validation scenes of {size[0]} x {size[1]} pixels"
    print(f"{'wrote' if written else 'reusing'} {scenes} in {options.folder}")
