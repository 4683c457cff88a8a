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
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nas_ctx.cli import terminal
from nas_ctx.errors import InputError
from nas_ctx.escaping import visible

if TYPE_CHECKING:
    from nas_ctx.experiment.launch import Experiment, Trial


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="NNI's YAML file of the experiment")
    parser.add_argument(
        "--home", metavar="DIR", type=Path, default=Path("work/nni"), help="NNI's state folder (default: work/nni)"
    )
    parser.add_argument("--port", type=int, help="port of the web page (default: a free one)")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.experiment import launch

    try:
        experiment, trials = launch.run(options.config, options.home, options.port, follow=ProgressLine())
    except launch.LaunchError as error:
        raise SystemExit(f"nas-ctx launch: {error}") from None
    terminal.say(f"experiment {experiment.id}: {experiment.folder}")
    failed = [trial for trial in trials if trial.status != "SUCCEEDED"]
    for trial in failed:
        terminal.say(f"trial {trial.number} ({trial.id}) {trial.status}: {trial.reason()}", error=True)
    if failed:
        raise InputError(f"{options.config}: {len(failed)} of {len(trials)} trials did not succeed")


class ProgressLine:
    """Shows the progress of an experiment: a line that is rewritten on a terminal, a line per change elsewhere."""

    def __init__(self) -> None:
        self._shown: str | None = None

    def __call__(self, experiment: Experiment, trials: list[Trial]) -> None:
        """Show the state of ``trials``."""
        on_terminal = sys.stdout.isatty()
        if self._shown is None:  # a log must not contain the token
            page = experiment.page if on_terminal else f"{experiment.url}, password in {experiment.netrc}"
            print(f"experiment {experiment.id} on {page} (this machine only)", flush=True)
        done = sum(trial.status == "SUCCEEDED" for trial in trials)
        running = [_state_of(trial) for trial in trials if trial.status == "RUNNING"]
        line = visible("  " + " | ".join([f"{done} trials done", *running]))
        if line != self._shown:
            print(f"\r\x1b[K{line[:160]}" if on_terminal else line, end="" if on_terminal else "\n", flush=True)
        self._shown = line


def _state_of(trial: Trial) -> str:
    parameters = ", ".join(f"{key.split('.')[-1]} {value}" for key, value in trial.parameters.items())
    words = [f"trial {trial.number}", *([f"({parameters})"] if parameters else [])]
    if "blocks_decided" in trial.latest:
        words.append(f"{trial.latest['blocks_decided']:.0f} blocks decided")
    if isinstance(trial.latest.get("default"), (int, float)):
        words.append(f"loss {trial.latest['default']:.3g}")
    return " ".join(words)
