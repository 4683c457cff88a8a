"""Search the relational contexts of a multi-task network and leave a run folder.

The folder gets config.yaml (as resolved), history.csv (a row per step), validation.csv, genotype.json, metrics.json,
environment.json, run.log and checkpoints/. The same command on the folder of an interrupted search goes on with it.

examples:
  nas-ctx search experiments/rooms/search.yaml --dry-run
  nas-ctx search experiments/rooms/search.yaml --out work/first --set seed=1
  nas-ctx report work/first work/second --out work/report
"""

from __future__ import annotations

import argparse

from nas_ctx.cli.options import add_dry_run, add_run_options, load_run_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    add_dry_run(parser)


def run(options: argparse.Namespace) -> None:
    config = load_run_config(options)
    if options.dry_run:
        from nas_ctx.cli.commands.dry_run import dry_run

        dry_run(config, "search")
        return

    from nas_ctx import runs

    genotype = runs.search(config, progress=not options.quiet)
    if not runs.is_first_process():
        return
    decided = len(genotype.meta["decided_at"])
    print(f"{config.output}: {decided} of {len(genotype)} blocks decided after {genotype.meta['steps']} steps")
    saved = config.training.steps - genotype.meta["steps"]
    if saved:
        print(f"with every block decided, {saved} of {config.training.steps} steps were not needed")
