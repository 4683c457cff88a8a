"""The ``nas-ctx`` command: one subcommand per module of :mod:`nas_ctx.cli.commands`, each loaded when it is called."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from nas_ctx import __version__
from nas_ctx.cli.help import Page
from nas_ctx.errors import guarded, suggestion, unknown_name

# Name and one-line help stand here, so that `nas-ctx --help` and `nas-ctx report` load neither torch nor NNI.
COMMANDS = {
    "data": "write, check and show data sets",
    "search": "search the relational contexts of a network",
    "train": "train a network: a baseline, one context everywhere, or a searched genotype",
    "predict": "draw what a trained network predicts, beside the truth",
    "importance": "say how much each block of a trained network matters",
    "launch": "run an NNI experiment on loopback, with its state in one folder, and wait for it",
    "nnictl": "run nnictl on the experiments that were launched: view ID, trial ls ID, resume ID",
    "report": "say how far repeated searches agree, and what they vote for",
    "compare": "compare the reliability of two sets of searches",
    "show": "show a genotype: its grid in the terminal, and as a picture",
    "table": "put the results of training runs into one table",
    "doctor": "look at the installation, and say how to mend it",
    "completion": "print the lines that teach a shell to complete nas-ctx",
}


COURSE = """usual course:
  nas-ctx data rooms work/rooms/data            a small data set to begin with
  nas-ctx search my.yaml --dry-run              what it would cost
  nas-ctx search my.yaml --set seed=1           and so on, with other seeds
  nas-ctx report work/seed-* --out work/report  how far the searches agree
  nas-ctx train my.yaml --set model.blocks=work/report/consensus.json

`nas-ctx COMMAND --help` explains a command and gives examples.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments`` (``sys.argv`` by default) and return the exit code:
    0 done, 2 wrong input or a file that cannot be written, 130 or 143 interrupted."""
    try:
        return _main(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # before there was a command to say so itself
        print("\nnas-ctx: interrupted", file=sys.stderr)
        return 130


def _main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="nas-ctx",
        description="Search relational contexts for multi-task dense prediction, and say how far to trust them.",
        epilog=COURSE,
        formatter_class=Page,
    )
    parser.add_argument("--version", action="version", version=f"nas-ctx {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    completing = "_ARGCOMPLETE" in os.environ  # set by the shell that asks for the words that could follow
    asked_for = next((word for word in arguments if not word.startswith("-")), None)
    if asked_for is not None and asked_for not in COMMANDS and not completing:
        parser.error(str(unknown_name("command", asked_for, COMMANDS)))
    for name, text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, formatter_class=Page, allow_abbrev=False)
        if name == asked_for or completing:
            command = importlib.import_module(f"nas_ctx.cli.commands.{name}")
            subparser.description = command.__doc__
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
    if completing:
        import argcomplete

        argcomplete.autocomplete(parser)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        chosen = subparsers.choices[options.command]
        meant = suggestion(unknown[0], chosen._option_string_actions)
        chosen.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
    try:
        return guarded(f"nas-ctx {options.command}", lambda: options.run(options))
    except BrokenPipeError:  # the reader of our output went away, as in `nas-ctx report ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
