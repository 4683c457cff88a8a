"""Generate, convert, check and show data sets.

Data sets have the layout of NYUD-v2 or of PASCAL-Context; `rooms` renders one in either layout, `convert` makes one of
what the authors of a data set publish. `nas-ctx data KIND
--help` explains each subcommand.

examples:
  nas-ctx data rooms work/rooms/data --train 200 --val 40
  nas-ctx data check /data/NYUD_MT
  nas-ctx data show /data/NYUD_MT --out sheet.png
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from nas_ctx.cli import terminal
from nas_ctx.cli.help import Page

if TYPE_CHECKING:
    from nas_ctx.config import Config
    from nas_ctx.data.base import DenseDataset
    from nas_ctx.tasks import Task

ROOMS = """Render furnished rooms with exact labels: 14 classes, depth, surface normals and boundaries.

They are written in the layout of NYUD-v2 or, with people, saliency and human parts, in that of PASCAL-Context. The
same options give the same files; a folder that already holds them is reused.

examples:
  nas-ctx data rooms work/rooms/data
  nas-ctx data rooms work/people --layout pascal --train 200 --val 50
"""
CONVERT = """Write NYUD-v2 or PASCAL-Context, as their authors publish them, in the layout that is read here.

What the source is, is recognised by its files: nyu_depth_v2_labeled.mat (with --splits and --classes; needs h5py:
pip install 'nas_ctx[convert]'), the .npy form of MTAN, or VOC2010 (with --context and --labels, and --parts for human
parts). docs/data.md says where they come from and how the labels differ from those of the multi-task archives. Data of
your own need no converter: their labels stay in folders that a configuration names (docs/data.md).

examples:
  nas-ctx data convert nyu_depth_v2_labeled.mat NYUD --splits splits.mat \\
      --classes classMapping40.mat
  nas-ctx data convert nyuv2 /data/NYUD_13
  nas-ctx data convert VOCdevkit/VOC2010 PASCAL --context trainval \\
      --labels labels.txt --parts Annotations_Part
"""
CHECK = """Read every file of a data set, and list what is missing, damaged or suspicious.

Ends with exit code 2 if there are problems, or no labels. Of a configuration, its data set is read with the labels, the
numbers of classes and the other options of its tasks: so labels in folders of your own are checked.

examples:
  nas-ctx data check /data/NYUD_MT
  nas-ctx data check my.yaml
"""
SHOW = """Draw a contact sheet: some images of a data set, each with all its labels in colour.

Of a configuration, its data set is drawn with the labels of its tasks.

examples:
  nas-ctx data show my.yaml
  nas-ctx data show /data/NYUD_MT --out sheet.png
  nas-ctx data show work/people --split val --rows 10 --out people.png
"""
CODEBOOK = """Learn the directions that partition surface normals by k-means, from a training set.

Without such a file the directions are spread evenly over the sphere. A configuration names the file:
tasks: {normals: {codebook: codebook.npy}}.

examples:
  nas-ctx data codebook /data/NYUD_MT --out codebook.npy
"""
FURTHER_FILES = {
    "splits": "of NYUD-v2: splits.mat, the numbers of the images of either split",
    "classes": "of NYUD-v2: classMapping40.mat, the class of each of the 894 names",
    "context": "of VOC: the folder of PASCAL-Context with ID.mat",
    "labels": "of VOC: labels.txt, the 459 classes of PASCAL-Context",
    "parts": "of VOC: the folder of PASCAL-Part with ID.mat",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of ``nas-ctx data``."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)

    rooms = _add_kind(kinds, "rooms", "render furnished rooms with exact labels", ROOMS)
    rooms.add_argument("folder", metavar="DIR", help="folder to write; the same data set is reused")
    rooms.add_argument("--train", type=int, default=400, metavar="N", help="training scenes (default 400)")
    rooms.add_argument("--val", type=int, default=100, metavar="N", help="validation scenes (default 100)")
    rooms.add_argument(
        "--size", type=int, nargs=2, default=(96, 128), metavar=("H", "W"), help="pixels (default 96 128)"
    )
    rooms.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the scenes (default 0)")
    rooms.add_argument("--layout", default="nyud", metavar="NAME", help="nyud (default) or pascal")
    rooms.set_defaults(run_kind=_rooms)

    convert = _add_kind(kinds, "convert", "write a published data set in the layout that is read here", CONVERT)
    convert.add_argument("source", metavar="SOURCE", help="what was published: a file or a folder")
    convert.add_argument("folder", metavar="DIR", help="folder to make")
    for name, text in FURTHER_FILES.items():
        convert.add_argument(f"--{name}", metavar="PATH", help=text)
    convert.set_defaults(run_kind=_convert)

    check = _add_kind(kinds, "check", "read every file of a data set and list problems", CHECK)
    check.add_argument(
        "folder", metavar="DIR", help="a data set in the NYUD-v2 or PASCAL-Context layout, or a configuration file"
    )
    check.set_defaults(run_kind=_check)

    show = _add_kind(kinds, "show", "draw a contact sheet of a data set", SHOW)
    show.add_argument(
        "folder", metavar="DIR", help="a data set in the NYUD-v2 or PASCAL-Context layout, or a configuration file"
    )
    show.add_argument("--out", default="sheet.png", metavar="FILE", help="picture to write (default sheet.png)")
    show.add_argument("--split", default="train", metavar="NAME", help="train (default) or val")
    show.add_argument(
        "--rows", type=int, default=6, metavar="N", help="samples, spread evenly over the split (default 6)"
    )
    show.set_defaults(run_kind=_show)

    codebook = _add_kind(kinds, "codebook", "learn directions that partition surface normals", CODEBOOK)
    codebook.add_argument("folder", metavar="DIR", help="a data set with normals; its training split is used")
    codebook.add_argument(
        "--out", required=True, metavar="FILE", help="file to write, for tasks: {normals: {codebook: FILE}}"
    )
    codebook.add_argument("--codewords", type=int, default=40, metavar="K", help="directions (default: %(default)s)")
    codebook.add_argument(
        "--pixels", type=int, default=200_000, metavar="N", help="normals to learn from (default: %(default)s)"
    )
    codebook.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the sample (default: %(default)s)")
    codebook.set_defaults(run_kind=_codebook)


def _add_kind(kinds: Any, name: str, text: str, page: str) -> argparse.ArgumentParser:
    return kinds.add_parser(name, help=text, description=page, formatter_class=Page, allow_abbrev=False)


def run(options: argparse.Namespace) -> None:
    options.run_kind(options)


def _rooms(options: argparse.Namespace) -> None:
    from nas_ctx.data.rooms import write_rooms

    height, width = options.size
    wrote = write_rooms(
        options.folder,
        options.train,
        options.val,
        (height, width),
        options.seed,
        layout=options.layout,
        progress=sys.stderr.isatty(),
    )
    scenes = f"{options.train} training and {options.val} validation scenes of {height} x {width} pixels"
    terminal.say(f"{'wrote' if wrote else 'reusing'} {scenes} in {options.folder}")


def _convert(options: argparse.Namespace) -> None:
    from nas_ctx.data.convert import convert

    files = {name: path for name in FURTHER_FILES if (path := getattr(options, name)) is not None}
    said = convert(options.source, options.folder, files, terminal.progress("image"))
    terminal.say(f"wrote {options.folder}:", *(f"  {line}" for line in said))


def _check(options: argparse.Namespace) -> None:
    from nas_ctx.data.check import check
    from nas_ctx.errors import InputError, counted

    root, layout, tasks, config = _named(options.folder)
    report = check(root, terminal.progress("sample"), layout, tasks)
    if config is not None and tasks is not None and not report.problems:
        report.problems += _refused(config, tasks)
    terminal.say(*report.lines())
    if report.problems:
        raise InputError(f"{options.folder}: {counted(len(report.problems), 'problem')}, listed above")
    if all(kind == "image" for _, kind in report.columns):
        raise InputError(
            f"{options.folder}: no label folder of the {report.layout} layout found; labels in folders of your own are "
            "checked by the configuration that names them: nas-ctx data check CONFIG"
        )
    print("no problems")


def _refused(config: Config, tasks: dict[str, Task]) -> list[str]:
    """What the start of a run of a configuration would refuse in its data."""
    from nas_ctx.data import DataModule
    from nas_ctx.errors import InputError

    try:
        DataModule.from_config(config.data, tasks).judge()
    except InputError as error:
        return [str(error)]
    return []


def _named(path: str) -> tuple[str, type[DenseDataset] | None, dict[str, Task] | None, Config | None]:
    """A data set's folder; where ``path`` is a configuration also the class that reads it, its tasks, and itself."""
    if not os.path.isfile(path):
        return path, None, None, None
    from nas_ctx.config import load_config
    from nas_ctx.data import DATASETS
    from nas_ctx.plugins import load_plugins
    from nas_ctx.tasks import make_tasks

    config = load_config(path)
    load_plugins(config)
    layout = DATASETS.resolve(config.data.name, "data.name")
    return config.data.root, layout, make_tasks(config.tasks), config


def _show(options: argparse.Namespace) -> None:
    from nas_ctx.data.check import detect, usual_tasks
    from nas_ctx.data.show import write_sheet
    from nas_ctx.errors import InputError
    from nas_ctx.files import BEGINNINGS, check_file

    check_file(options.out, BEGINNINGS[".png"])
    root, layout, tasks, _ = _named(options.folder)
    layout = layout or detect(root)
    if tasks is None:
        probe, known = layout(root, options.split, {}), []
        for name in probe.readers():
            with contextlib.suppress(InputError):  # a label that the data set lacks is not shown
                probe.check_task(name)
                known.append(name)
        tasks = usual_tasks(probe, known)
    write_sheet(layout(root, options.split, tasks), tasks, options.rows, options.out)
    terminal.say(f"wrote {options.out}: image, {', '.join(tasks)}")


def _codebook(options: argparse.Namespace) -> None:
    from nas_ctx.data.check import detect
    from nas_ctx.data.normals import sampled_normals
    from nas_ctx.errors import InputError
    from nas_ctx.files import BEGINNINGS, check_file
    from nas_ctx.tasks import make_tasks
    from nas_ctx.tasks.coding import learn_codebook, save_codebook

    if not 4 <= options.codewords <= 255:
        raise InputError(f"--codewords {options.codewords}: expected 4 to 255")
    if options.pixels < options.codewords:
        raise InputError(f"--pixels {options.pixels}: expected at least --codewords ({options.codewords})")
    check_file(options.out, BEGINNINGS[".npy"])
    dataset = detect(options.folder)(options.folder, "train", make_tasks({"normals": {}}))
    indices = terminal.progress("image")(range(len(dataset)))
    normals = sampled_normals(dataset, options.pixels, options.seed, indices)
    codewords = learn_codebook(normals, options.codewords, options.seed)
    save_codebook(options.out, codewords)
    angle = (normals @ codewords.mT).amax(1).clamp(-1, 1).acos().rad2deg().mean()
    summary = f"{len(codewords)} directions from {len(normals)} normals of {len(dataset)} images"
    terminal.say(f"wrote {options.out}: {summary},")
    print(f"{angle:.2f} degrees from a normal to the nearest of them on average")
