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
from nas_ctx.cli.options import add_dry_run, add_run_options, load_run_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    add_dry_run(parser)


def run(options: argparse.Namespace) -> None:
    config = load_run_config(options)
    if options.dry_run:
        from nas_ctx.cli.dry_run import dry_run

        dry_run(config, "train")
        return

    from nas_ctx import runs
    from nas_ctx.runs.admission import admit

    admit(config)  # before torch and NNI are loaded, which takes seconds
    scores = runs.train(config, progress=not options.quiet)
    for name, value in scores.items() if runs.is_first_process() else ():
        terminal.say(f"{name:24s} {value:.4f}")
