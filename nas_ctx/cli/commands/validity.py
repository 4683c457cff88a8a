"""Does the chosen candidate of each block matter, and does the vote of the searches know it?

Each SEARCH is the run folder of a finished search, with its checkpoint. Its network is set to the vote of all of them,
and in each block the voted candidate is exchanged for each other one: how much worse is the block's target on the
validation images? A candidate and what follows it first learn for --steps steps, since the network is used to the old
one. --trained names run folders of trainings, or folders of them: of random genotypes (model.blocks=random; ten at
least), and of the voted one, several times. The folder given by --out gets validity.html, validity.json,
perturbation.json (the vote, but where another candidate is measurably better), tables, figures, and all that
nas-ctx report writes.

examples:
  nas-ctx validity work/search/seed-* --out work/report
  nas-ctx validity work/search/seed-* --trained work/train --out work/report
  nas-ctx validity work/search/* --images 100 --negligible 0.5 --out work/report
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nas_ctx.cli import terminal
from nas_ctx.cli.options import add_figure_options, figure_formats, out_folder

if TYPE_CHECKING:
    from nas_ctx.analysis.validity import Retraining, RunExchange
    from nas_ctx.genotype import Genotype


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("searches", nargs="+", metavar="SEARCH", help="run folders of searches")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to; required")
    parser.add_argument("--title", help="heading of the pages", default="Reliability and validity of repeated searches")
    parser.add_argument(
        "--ties",
        choices=["probability", "order", "refuse"],
        default="probability",
        help="how to break ties of the vote (default: %(default)s)",
    )
    parser.add_argument("--trained", nargs="+", metavar="RUN", default=[], help="run folders of trainings")
    parser.add_argument(
        "--negligible",
        type=float,
        default=1.0,
        metavar="P",
        help="the largest change of a score, in percent, that does not matter (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=20,
        metavar="N",
        help="steps of learning after an exchange (default: %(default)s)",
    )
    parser.add_argument("--images", type=int, metavar="N", help="use the first N validation images only")
    add_figure_options(parser)
    parser.add_argument("--trust", action="store_true", help="run the code that the run folders name")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.analysis import load_runs, reliability
    from nas_ctx.analysis.report.validity import write_validity
    from nas_ctx.analysis.validity import validity
    from nas_ctx.analysis.validity.wording import sentences
    from nas_ctx.errors import InputError
    from nas_ctx.runs.folder import RunFolder

    out = out_folder(options, "report.json", [*options.searches, *options.trained])
    _check(options)
    runs = load_runs(options.searches)
    for run in runs:
        if not run.folder:
            raise InputError(f"{run.source}: expected the run folder of a search, whose checkpoint has the network")
        if not RunFolder(run.folder).history.exists():
            raise InputError(f"{run.folder}: is a training, expected a search; trainings are named after --trained")
    record = reliability(runs, ties=options.ties, title=options.title)
    folders = [run.folder for run in record.runs]
    assert record.consensus is not None  # ties are broken
    found = _trainings(options, record.consensus)
    exchanged = [_exchanged(options, folder, record.consensus) for folder in folders]
    result = validity(
        record, exchanged, retraining=found, negligible=options.negligible, steps=options.steps,
        importance=_importance(options, record.consensus),
    )  # fmt: skip
    page = write_validity(result, out, figures=figure_formats(options))
    terminal.say(*sentences(result), f"report: {page}")


def _check(options: argparse.Namespace) -> None:
    """Refuse numbers out of range before anything is loaded."""
    from nas_ctx.errors import InputError

    if not 0 <= options.negligible <= 100:
        raise InputError(f"--negligible {options.negligible:g}: expected 0 to 100 (percent)")
    if not 0 <= options.steps <= 10_000:
        raise InputError(f"--steps {options.steps}: expected 0 to 10000")
    if options.images is not None and options.images < 2:
        raise InputError(f"--images {options.images}: expected at least 2")


def _exchanged(options: argparse.Namespace, folder: str, voted: Genotype) -> RunExchange:
    """What was measured in one search."""
    from nas_ctx.evaluation import measure_exchange
    from nas_ctx.runs.searched import load_searched

    searched = load_searched(folder, trust=options.trust)
    searched.data.limit_val = options.images or searched.data.limit_val
    terminal.say(f"{folder}: exchanging")
    return measure_exchange(searched, voted, options.steps, terminal.progress("batch"))


def _trainings(options: argparse.Namespace, voted: Genotype) -> Retraining | None:
    """What the trained networks say; None where none are named."""
    if not options.trained:
        return None
    from nas_ctx.analysis.validity import retraining
    from nas_ctx.evaluation import read_trained

    trained, notes = read_trained(options.trained)
    terminal.say(*notes)
    return retraining(trained, {block: str(choice) for block, choice in voted.items()})


def _importance(options: argparse.Namespace, voted: Genotype) -> dict[str, tuple[float, ...]]:
    """Block -> drop in percent in each trained network of the vote, its outputs exchanged between images."""
    from nas_ctx.evaluation import measure_importance, read_trained
    from nas_ctx.runs import load_trained

    drops: dict[str, tuple[float, ...]] = {}
    for network in read_trained(options.trained)[0] if options.trained else ():
        if dict(network.genotype) == {block: str(choice) for block, choice in voted.items()}:
            trained = load_trained(network.name, trust=options.trust)
            trained.data.limit_val = options.images or trained.data.limit_val
            terminal.say(f"{network.name}: importance")
            found = measure_importance(trained, 2, progress=terminal.progress("batch"))
            for block in found.permuted:
                drops[block] = (*drops.get(block, ()), found.drop_permuted(block).mean)
    return drops
