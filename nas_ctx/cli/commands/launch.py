"""Run an NNI experiment and wait for it: on loopback, with NNI's state in one folder, leaving no process behind.

The experiment file is NNI's own (see `nnictl create --config`). The manager's web page answers on this machine only,
and only to the token that the launcher makes. Its address is printed, and it is up while the experiment runs. When the
experiment has finished or is interrupted, the manager is stopped; the experiment's record stays in the state folder,
and `nas-ctx nnictl view ID` shows its page again.

The same command continues after a crash: it joins an experiment whose manager is still running; otherwise it starts a
new experiment, which takes finished runs from their folders and resumes the others. For this, give the trials an
`output` such as work/{seed}.

examples:
  nas-ctx launch experiments/rooms/search.nni.yaml
  nas-ctx launch experiments/rooms/search.nni.yaml --home work/nni --port 8081
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nas_ctx.cli import terminal
from nas_ctx.cli.trial_progress import TrialProgress
from nas_ctx.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="NNI's YAML file of the experiment")
    parser.add_argument(
        "--home", metavar="DIR", type=Path, default=Path("work/nni"), help="NNI's state folder (default: work/nni)"
    )
    parser.add_argument("--port", type=int, help="port of the web page (default: a free one)")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.experiment import launch

    try:
        experiment, trials = launch.run(options.config, options.home, options.port, follow=TrialProgress())
    except launch.LaunchError as error:
        raise SystemExit(f"nas-ctx launch: {error}") from None
    terminal.say(f"experiment {experiment.id}: {experiment.folder}")
    failed = [trial for trial in trials if trial.status != "SUCCEEDED"]
    for trial in failed:
        terminal.say(f"trial {trial.number} ({trial.id}) {trial.status}: {trial.reason()}", error=True)
    if failed:
        raise InputError(f"{options.config}: {len(failed)} of {len(trials)} trials did not succeed")
