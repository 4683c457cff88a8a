"""Options that several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas_ctx.config import Config


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
        help="override a value of the configuration by its dotted key, e.g. --set training.lr=0.02; may be repeated",
    )
    override.completer = _keys  # type: ignore[attr-defined]  # what a shell completes, see `nas-ctx completion`
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _keys(**_: object) -> list[str]:
    from nas_ctx.config import Config, keys_of

    return [f"{key.name}=" for key in keys_of(Config)]


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """The option of commands that can say what they would do."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the configuration as resolved, the size of the space, and what parameters, multiply-adds and "
        "memory it takes; run nothing and write nothing",
    )


def load_run_config(options: argparse.Namespace) -> Config:
    """The configuration that the options of :func:`add_run_options` name."""
    from nas_ctx.config import load_config
    from nas_ctx.config.nested import parse_override

    overrides = dict(parse_override(text) for text in options.overrides)
    if options.out is not None:
        overrides["output"] = options.out
    return load_config(options.config, overrides, {} if options.out is None else {"output": "--out"})
