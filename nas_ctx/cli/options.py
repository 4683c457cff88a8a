"""Options and behaviour that several commands share."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nas_ctx.errors import InputError

if TYPE_CHECKING:
    from nas_ctx.config import Config

_RANGES = {
    "seed": (0, 2**32 - 1), "draws": (0, 10**6), "repetitions": (0, 10_000), "images": (0, 10**6), "rows": (0, 1_000),
    "train": (0, 10**6), "val": (0, 10**6), "pixels": (0, 10**8), "codewords": (0, 10_000), "port": (0, 65_535),
}  # fmt: skip
"""Option -> the least and the most that any command takes; a command may take less."""


def check_ranges(options: argparse.Namespace) -> None:
    """Refuse a number that no command takes, in a line, before anything is computed with it.

    >>> check_ranges(argparse.Namespace(seed=-1))
    Traceback (most recent call last):
    nas_ctx.errors.InputError: --seed -1: expected 0 to 4294967295
    """
    for name, (least, most) in _RANGES.items():
        value = getattr(options, name, None)
        if isinstance(value, int) and not least <= value <= most:
            shown = value if abs(value) < 10**30 else f"with {len(str(abs(value)))} digits"
            raise InputError(f"--{name} {shown}: expected {least} to {most}")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options of commands that run a configuration."""
    parser.add_argument("config", metavar="CONFIG", help="YAML file that describes the run")
    parser.add_argument("--out", metavar="DIR", help="run folder (the same as --set output=DIR)")
    override = parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="override a value of the configuration by its dotted key, e.g. --set training.lr=0.02; repeatable",
    )
    override.completer = _keys  # type: ignore[attr-defined]  # for the shell, see `nas-ctx completion`
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _keys(**_: object) -> list[str]:
    from nas_ctx.config import Config, keys_of

    return [f"{key.name}=" for key in keys_of(Config)]


def add_run_command(parser: argparse.ArgumentParser) -> None:
    """The options of ``nas-ctx search`` and ``train``."""
    add_run_options(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say whether a step fits into memory, the size of the space, parameters and multiply-adds, without data, "
        "too; run nothing and write nothing",
    )
    parser.add_argument(
        "--time", type=int, metavar="N", help="do N steps and say how long a run would take here; write nothing"
    )
    parser.add_argument("--verbose", action="store_true", help="with --dry-run: the resolved configuration as well")


def load_run_config(options: argparse.Namespace, parameters: Mapping[str, Any] = MappingProxyType({})) -> Config:
    """The configuration that the options of :func:`add_run_options` name, overridden by a trial's ``parameters``."""
    from nas_ctx.config import load_config
    from nas_ctx.config.nested import parse_override

    overrides = dict(parse_override(text) for text in options.overrides) | dict(parameters)
    sources = dict.fromkeys(parameters, "trial parameter")
    if options.out is not None:
        overrides["output"], sources["output"] = options.out, "--out"
    return load_config(options.config, overrides, sources)


def config_to_run(options: argparse.Namespace) -> Config | None:
    """The configuration that the options of :func:`add_run_command` name; None where it was only to be described.

    Raises:
        InputError: the configuration is invalid, or its run is refused.
    """
    from nas_ctx.plugins import load_plugins
    from nas_ctx.runs.admission import admit, check_task_names

    config = load_run_config(options)
    load_plugins(config)
    check_task_names(config)  # before torch and NNI are loaded, which takes seconds
    if options.dry_run:
        from nas_ctx.cli.dry_run import dry_run

        dry_run(config, options.command, options.verbose)
        return None

    if options.time is not None:
        from nas_ctx.cli.dry_run import time_run

        time_run(config, options.command, options.time)
        return None

    admit(config)  # still without torch and NNI
    return config


def meant_option(word: str, options: Iterable[str]) -> str:
    """``"; did you mean ..."`` for an unknown option: one of ``options`` or, where ``--set`` is one, a key of it.

    >>> meant_option("--stps", ["--set", "--seed"]), meant_option("--epochs", ["--set"])
    ("; did you mean '--set training.steps=...'?", '')
    """

    def plain(name: str) -> str:
        return name.partition("=")[0].lstrip("-").replace("-", "_")

    known = {plain(option): option for option in options}
    if "set" in known:
        from nas_ctx.config import Config, keys_of

        for key in keys_of(Config):
            known.setdefault(key.name.rpartition(".")[2], f"--set {key.name}=...")
    alike = difflib.get_close_matches(plain(word), known, 1) if word.startswith("-") else []
    return f"; did you mean {known[alike[0]]!r}?" if alike else ""


def add_analysis_options(parser: argparse.ArgumentParser) -> None:
    """The options of commands that analyse sets of runs."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to; required")
    parser.add_argument("--title", help="heading of the page")
    parser.add_argument(
        "--ties",
        choices=["probability", "order", "refuse"],
        help="how to break ties: by the mean final probability, by the order of choices, or not at all (exit 2); "
        "by default ties remain and no consensus.json is written",
    )
    parser.add_argument("--order", metavar="A,B,...", help="order of the choices, for the legend and --ties order")
    parser.add_argument(
        "--candidates",
        type=Path,
        metavar="FILE",
        help="JSON of what each block could choose from: {block: list}, one list for all blocks, or the search space "
        "of NNI; by default what the runs recorded",
    )
    parser.add_argument(
        "--keep-copies", action="store_true", help="count a run that is a copy of another one as a run of its own"
    )
    add_reading_options(parser)
    parser.add_argument(
        "--nni-home",
        type=Path,
        metavar="DIR",
        help="where to look up ids, such as the --home of launch (~/nni-experiments)",
    )
    parser.add_argument("--draws", type=int, default=2000, help="Monte Carlo draws (default: %(default)s)")
    parser.add_argument("--level", type=float, default=0.95, help="level of the intervals (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the Monte Carlo draws (default: %(default)s)")
    add_figure_options(parser)


def add_figure_options(parser: argparse.ArgumentParser) -> None:
    """Which files of figures a report gets."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--figures",
        action="append",
        choices=["svg", "pdf", "png"],
        help="write the figures in this format; can be repeated (default: svg). Files of another format that an "
        "earlier report left are removed",
    )
    either.add_argument("--no-figures", action="store_true", help="write no figure files (a page has its own)")


def figure_formats(options: argparse.Namespace) -> bool | list[str]:
    """What ``write_report`` takes as ``figures``."""
    return False if options.no_figures else options.figures or True


def out_folder(options: argparse.Namespace, mark: str, paths: Iterable[str]) -> Path:
    """The folder that ``--out`` names; a path that is missing is told before a missing ``--out``.

    Raises:
        InputError: there is no ``--out``, or the folder holds other things than an earlier result, known by ``mark``.
    """
    from nas_ctx.files import check_folder

    if options.out is None:
        for path in paths:
            if set(path) & set("./") and not os.path.exists(path):  # else it may be the id of an experiment
                raise InputError(f"{path}: no such file or folder")
        raise InputError("--out: missing: expected the folder to write to")
    check_folder(options.out, mark)
    return Path(options.out)


class ListFormats(argparse.Action):
    """Prints the formats of runs with their sources, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from nas_ctx.analysis.io.formats import importers

        for name, importer in importers():
            print(f"{name:<13}{importer.title}\n{'':<13}source: {importer.source}")
        print(f"{'':<13}and run folders, and NNI experiments by their folder or id")
        parser.exit()


READING = ("transposed", "nni_home", "keep_copies", "format", "choices", "scores", "columns", "step", "best")
"""Options that are arguments of ``load_runs``."""


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """The options that say how files are read, where that is not recognised."""
    parser.add_argument("--transposed", action="store_true", help="tables have a row per run and a column per block")
    parser.add_argument("--formats", action=ListFormats, nargs=0, help="list the formats that can be read, and exit")
    parser.add_argument("--format", metavar="NAME", help="read files in this format; `nas-ctx report --formats`")
    parser.add_argument("--choices", metavar="A,B*", help="columns or keys that are choices, as shell patterns")
    parser.add_argument("--scores", metavar="C,D*", help="columns or keys that are scores")
    parser.add_argument("--columns", metavar="ROLE=NAME,...", help="of long tables: run=A,block=B,choice=C")
    parser.add_argument("--step", type=int, metavar="N", help="of logs with several genotypes: that of epoch N")
    parser.add_argument("--best", choices=["max", "min"], help="of each sweep, the trial with the best score only")


def analysis_settings(options: argparse.Namespace, title: str) -> dict[str, Any]:
    """The keyword arguments that ``reliability`` and ``compare`` share; ``title`` is the default heading."""
    order = [word.strip() for word in options.order.split(",")] if options.order else None
    shared = {name: getattr(options, name) for name in ("ties", "draws", "level", "seed")}
    candidates = None
    if options.candidates:
        from nas_ctx.analysis import read_candidates

        candidates = read_candidates(options.candidates)
    return {**shared, "order": order, "candidates": candidates, "title": options.title or title}
