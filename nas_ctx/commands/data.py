"""Write, check and show data sets.

nas-ctx data rooms work/rooms                           400 training and 100 validation scenes of 96 x 128 pixels
nas-ctx data rooms work/people --layout pascal          with people, saliency and human parts
nas-ctx data check NYUD_MT                              read every file; list what is missing, damaged or odd
nas-ctx data show NYUD_MT --out sheet.png               a contact sheet of images and labels
nas-ctx data codebook NYUD_MT --out codebook.npy        directions that partition surface normals, by k-means
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``nas-ctx data``'s own subcommands."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)

    rooms = kinds.add_parser("rooms", help="render furnished rooms with exact labels", allow_abbrev=False)
    rooms.add_argument("folder", metavar="DIR", help="folder to make; the same data set in it is reused")
    rooms.add_argument("--train", type=int, default=400, metavar="N", help="training scenes (default 400)")
    rooms.add_argument("--val", type=int, default=100, metavar="N", help="validation scenes (default 100)")
    rooms.add_argument(
        "--size", type=int, nargs=2, default=(96, 128), metavar=("H", "W"), help="pixels (default 96 128)"
    )
    rooms.add_argument("--seed", type=int, default=0, metavar="S", help="other rooms for another seed (default 0)")
    rooms.add_argument("--layout", default="nyud", metavar="NAME", help="nyud (default) or pascal")
    rooms.set_defaults(run_kind=_rooms)

    check = kinds.add_parser("check", help="read every file of a data set and list what is wrong", allow_abbrev=False)
    check.add_argument("folder", metavar="DIR", help="a data set in the NYUD-v2 or PASCAL-Context layout")
    check.set_defaults(run_kind=_check)

    show = kinds.add_parser("show", help="draw a contact sheet of a data set", allow_abbrev=False)
    show.add_argument("folder", metavar="DIR", help="a data set in the NYUD-v2 or PASCAL-Context layout")
    show.add_argument("--out", default="sheet.png", metavar="FILE", help="picture to write (default sheet.png)")
    show.add_argument("--split", default="train", metavar="NAME", help="train (default) or val")
    show.add_argument("--rows", type=int, default=6, metavar="N", help="samples (default 6)")
    show.set_defaults(run_kind=_show)

    codebook = kinds.add_parser("codebook", help="learn directions that partition surface normals", allow_abbrev=False)
    codebook.add_argument("folder", metavar="DIR", help="a data set with normals; its training split is used")
    codebook.add_argument(
        "--out", required=True, metavar="FILE", help="file to write, for tasks: {normals: {codebook: FILE}}"
    )
    codebook.add_argument("--codewords", type=int, default=40, metavar="K", help="directions (default: %(default)s)")
    codebook.add_argument(
        "--pixels", type=int, default=200_000, metavar="N", help="normals to learn from (default: %(default)s)"
    )
    codebook.add_argument("--seed", type=int, default=0, metavar="S", help="of the draws (default: %(default)s)")
    codebook.set_defaults(run_kind=_codebook)


def run(options: argparse.Namespace) -> None:
    """Do what the subcommand says."""
    options.run_kind(options)


def _rooms(options: argparse.Namespace) -> None:
    from nas_ctx.data.rooms import write_rooms

    size = (options.size[0], options.size[1])
    written = write_rooms(
        options.folder,
        options.train,
        options.val,
        size,
        options.seed,
        layout=options.layout,
        progress=sys.stderr.isatty(),
    )
    scenes = f"{options.train} training and {options.val} validation scenes of {size[0]} x {size[1]} pixels"
    print(f"{'wrote' if written else 'reusing'} {scenes} in {options.folder}")


def _check(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from nas_ctx.data.check import check
    from nas_ctx.errors import InputError

    def bar(ids: Iterable[str]) -> Iterable[str]:
        return tqdm(ids, unit="sample", leave=False, disable=not sys.stderr.isatty())

    report = check(options.folder, bar)
    for line in report.lines():
        print(line)
    if report.problems:
        raise InputError(f"{options.folder}: {len(report.problems)} problem(s), listed above")
    print("no problems")


def _show(options: argparse.Namespace) -> None:
    from nas_ctx.data.check import detect
    from nas_ctx.data.show import write_sheet
    from nas_ctx.errors import InputError
    from nas_ctx.tasks import TASKS, make_tasks

    kind = detect(options.folder)
    probe = kind(options.folder, options.split, {})
    names = []
    for name in probe.readers():
        try:
            probe.check_task(name)
        except InputError:
            continue
        names.append(name)
    known = {name: kind.task_options.get(name, {}) for name in names if name in TASKS}
    tasks = make_tasks(known)
    write_sheet(kind(options.folder, options.split, tasks), tasks, options.rows, options.out)
    print(f"wrote {options.out}: image, {', '.join(tasks)}")


def _codebook(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from nas_ctx.data.check import detect
    from nas_ctx.data.normals import sampled_normals
    from nas_ctx.errors import InputError
    from nas_ctx.tasks import make_tasks
    from nas_ctx.tasks.coding import learn_codebook, save_codebook

    if not 4 <= options.codewords <= 255:
        raise InputError(f"--codewords {options.codewords}: expected 4 to 255")
    if options.pixels < options.codewords:
        raise InputError(f"--pixels {options.pixels}: expected at least --codewords ({options.codewords})")
    dataset = detect(options.folder)(options.folder, "train", make_tasks({"normals": {}}))
    indices = tqdm(range(len(dataset)), unit="image", leave=False, disable=not sys.stderr.isatty())
    normals = sampled_normals(dataset, options.pixels, options.seed, indices)
    codewords = learn_codebook(normals, options.codewords, options.seed)
    save_codebook(options.out, codewords)
    angle = (normals @ codewords.mT).amax(1).clamp(-1, 1).acos().rad2deg().mean()
    print(f"wrote {options.out}: {len(codewords)} directions from {len(normals)} normals of {len(dataset)} images,")
    print(f"{angle:.2f} degrees from a normal to the nearest of them on average")
