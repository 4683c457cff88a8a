"""Search the relational contexts of a multi-task network.

The run folder gets config.yaml (as resolved), history.csv (a row per step), losses.csv, validation.csv,
genotype.json, metrics.json, details.json, environment.json, run.log and checkpoints/. The same command resumes an
interrupted search.

examples:
  nas-ctx search experiments/rooms/search.yaml --dry-run
  nas-ctx search experiments/rooms/search.yaml --out work/first --set seed=1
  nas-ctx report work/first work/second --out work/report
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

    genotype = runs.search(config, progress=not options.quiet)
    if runs.is_first_process():
        decided, steps = len(genotype.meta["decided_at"]), genotype.meta["steps"]
        terminal.say(f"{config.output}: {decided} of {len(genotype)} blocks decided after {steps} steps")
        if steps < config.training.steps:
            saved = config.training.steps - steps
            print(f"all blocks decided: {saved} of {config.training.steps} steps were not needed")
