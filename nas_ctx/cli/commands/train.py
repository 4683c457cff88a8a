"""Train a network: the multi-task baseline, one context type everywhere, or the network of a genotype.

`model.blocks` says which: `baseline`, the name of a context type, or a genotype file. A single-task baseline is a
`baseline` with one task. The same command resumes an interrupted training.

examples:
  nas-ctx train experiments/rooms/train.yaml --dry-run
  nas-ctx train experiments/rooms/train.yaml --out work/baseline
  nas-ctx train my.yaml --set model.blocks=work/report/consensus.json
  nas-ctx train experiments/rooms/train.yaml --set model.blocks=local
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nas_ctx.cli import terminal
from nas_ctx.cli.options import add_run_command, config_to_run

add_arguments = add_run_command


def run(options: argparse.Namespace) -> None:
    config = config_to_run(options)
    if config is None:
        return

    from nas_ctx import runs

    scores = runs.train(config, progress=not options.quiet)
    if runs.is_first_process():
        notes = absent_classes(runs.RunFolder.of(config).details)
        terminal.say(*(f"{name:24s} {value:.4f}{notes.get(name, '')}" for name, value in scores.items()))


def absent_classes(details: Path) -> dict[str, str]:
    """What is said beside a mean over classes, some of which do not occur: score -> note."""
    from nas_ctx.files import read_json

    content = read_json(details) if details.exists() else {}
    lists = {name: task.get("absent_classes") for name, task in content.items()}  # type: ignore[attr-defined]
    return {
        f"{name}/miou": f"   classes {', '.join(map(str, absent))} are neither true nor predicted, and count 0"
        for name, absent in lists.items()
        if absent
    }
