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

from nas_ctx.cli import terminal
from nas_ctx.cli.options import add_run_command, config_to_run

add_arguments = add_run_command


def run(options: argparse.Namespace) -> None:
    config = config_to_run(options)
    if config is None:
        return

    from nas_ctx import runs

    scores = runs.train(config, progress=not options.quiet)
    for name, value in scores.items() if runs.is_first_process() else ():
        terminal.say(f"{name:24s} {value:.4f}")
