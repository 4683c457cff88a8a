"""The ``nas-ctx`` command: one subcommand per module of :mod:`nas_ctx.cli.commands`, each loaded when it is called."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from nas_ctx import __version__
from nas_ctx.cli.help import Page, Parser
from nas_ctx.cli.options import check_ranges, meant_option
from nas_ctx.errors import guarded, unknown_name

# Names and one-line help are listed here, so that `nas-ctx --help` and `nas-ctx report` load neither torch nor NNI.
COMMANDS = {
    "data": "generate, check and show data sets",
    "search": "search the relational contexts of a network",
    "train": "train a baseline, one context type everywhere, or a genotype's network",
    "predict": "predict pictures, as files; or draw predictions beside the ground truth",
    "export": "write a trained network as ONNX, as torch.export's program, or as weights",
    "importance": "measure how much each block of a trained network matters",
    "score-edges": "score boundaries in files: odsF, oisF, and the curve of precision and recall",
    "launch": "run an NNI experiment on loopback, with its state in one folder, and wait for it",
    "nnictl": "run nnictl on launched experiments: view ID, trial ls ID, resume ID",
    "report": "measure how well repeated searches agree, and take their vote",
    "validity": "measure whether each block's choice matters, and whether the vote knows it",
    "compare": "compare the reliability of two sets of searches",
    "show": "show a genotype as a grid, in the terminal or as a picture",
    "table": "summarise training runs in a table",
    "doctor": "check the installation, and say how to fix it",
    "completion": "print the shell code that completes nas-ctx commands",
}

WORKFLOW = """typical workflow:
  nas-ctx data rooms work/rooms/data            generate a small data set
  nas-ctx search my.yaml --dry-run              estimate the cost of a search
  nas-ctx search my.yaml --set seed=1           search; repeat with other seeds
  nas-ctx report work/seed-* --out work/report  measure their agreement
  nas-ctx train my.yaml --set model.blocks=work/report/consensus.json

`nas-ctx help COMMAND` explains a command and gives examples.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments`` (``sys.argv`` by default) and return the exit code:
    0 done, 2 wrong input or a file that cannot be written, 130, 143 or 129 interrupted."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that is not in UTF-8 gets an escape for what it lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _main(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # before a command had started that reports it
        print("\nnas-ctx: interrupted", file=sys.stderr)
        return 130


def _checked_run(options: argparse.Namespace) -> None:
    check_ranges(options)
    options.run(options)


def _main(arguments: list[str]) -> int:
    parser = Parser(
        prog="nas-ctx",
        description="Search relational contexts for multi-task dense prediction, and measure how reliable they are.",
        epilog=WORKFLOW,
        formatter_class=Page,
    )
    parser.add_argument("--version", action="version", version=f"nas-ctx {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    if arguments[:1] == ["help"]:  # of a command, or of all
        arguments = [*arguments[1:2], "--help"]
    completing = "_ARGCOMPLETE" in os.environ  # set by a shell that asks for completions
    requested = next((word for word in arguments if not word.startswith("-")), None)
    if requested is not None and requested not in COMMANDS and not completing:
        parser.error(str(unknown_name("command", requested, COMMANDS)))
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, formatter_class=Page, allow_abbrev=False)
        if name == requested or completing:
            command = importlib.import_module(f"nas_ctx.cli.commands.{name.replace('-', '_')}")
            subparser.description = command.__doc__
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
    if completing:
        import argcomplete

        argcomplete.autocomplete(parser)
    if any("\x00" in word for word in arguments):
        parser.error("a null character is no part of an option or of the name of a file")
    options, unknown = parser.parse_known_args(arguments or ["--help"])
    if unknown:
        subparser = subparsers.choices[options.command]
        hint = meant_option(unknown[0], subparser._option_string_actions)
        subparser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    try:
        return guarded(f"nas-ctx {options.command}", lambda: _checked_run(options))
    except BrokenPipeError:  # the reader of our output has gone, as in `nas-ctx report ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
