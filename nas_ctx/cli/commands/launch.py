"""Run an NNI experiment and wait for it: on loopback, with NNI's state in one folder, leaving no process behind.

The experiment file is NNI's own (see `nnictl create --config`). The manager's web page answers on this machine only,
and only to the token that the launcher makes. Its address is printed, and it is up while the experiment runs. When the
experiment has finished or is interrupted, the manager is stopped; the experiment's record stays in the state folder,
and `nas-ctx nnictl view ID` shows its page again.

The same command continues after a crash: it joins an experiment whose manager is still running; otherwise it starts a
new experiment, which takes finished runs from their folders and resumes the others. For this, give the trials an
`output` such as work/{seed}.

With --until-stable the experiment starts searches, each with a seed of its own, until the vote is stable: in every
block, with the probability --level, the choice that leads now would have most of the votes of --most searches, or no
choice would have more than half of them. The file's own tuner and maxTrialNumber then do not count.

examples:
  nas-ctx launch experiments/rooms/search.nni.yaml
  nas-ctx launch experiments/rooms/search.nni.yaml --home work/nni --port 8081
  nas-ctx launch experiments/rooms/search.nni.yaml --until-stable --most 20
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from nas_ctx.cli import terminal
from nas_ctx.cli.trial_progress import TrialProgress
from nas_ctx.errors import InputError

if TYPE_CHECKING:
    from nas_ctx.analysis.early_vote import Rule


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="NNI's YAML file of the experiment")
    parser.add_argument(
        "--home", metavar="DIR", type=Path, default=Path("work/nni"), help="NNI's state folder (default: work/nni)"
    )
    parser.add_argument("--port", type=int, help="port of the web page (default: a free one)")
    parser.add_argument("--until-stable", action="store_true", help="search with new seeds until the vote is stable")
    parser.add_argument("--least", metavar="N", type=int, help="at least so many searches (default: 3)")
    parser.add_argument("--most", metavar="N", type=int, help="at most so many searches (default: 15)")
    parser.add_argument("--level", metavar="P", type=float, help="how certain a block is to be (default: 0.95)")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.experiment import launch

    rule = _rule(options)
    config = options.config if rule is None else _with_tuner(options.config, options.home, rule)
    progress = TrialProgress()
    try:
        experiment, trials = launch.run(config, options.home, options.port, follow=progress)
    except launch.LaunchError as error:
        raise InputError(" ".join(str(error).split())) from None
    finally:  # also when interrupted: the trials that have ended can be reported on
        if progress.folder is not None:
            terminal.say(f"to report on its trials: nas-ctx report {shlex.quote(str(progress.folder))} --out report")
    terminal.say(f"experiment {experiment.id}: {experiment.folder}")
    votes = [trial.latest for trial in trials if trial.status == "SUCCEEDED"]
    if rule is not None and votes:
        from nas_ctx.analysis.early_vote import EarlyVote

        terminal.say(str(EarlyVote.of_results(votes, rule)))
    failed = [trial for trial in trials if trial.status != "SUCCEEDED"]
    for trial in failed:
        terminal.say(f"trial {trial.number} ({trial.id}) {trial.status}: {trial.reason()}", error=True)
    if failed:
        raise InputError(f"{options.config}: {len(failed)} of {len(trials)} trials did not succeed")


def _rule(options: argparse.Namespace) -> Rule | None:
    """When to stop, if that is left to the vote."""
    given = {name: getattr(options, name) for name in ("least", "most", "level") if getattr(options, name) is not None}
    if options.until_stable:
        from nas_ctx.analysis.early_vote import Rule

        return Rule(**given)
    if given:
        raise InputError(f"{', '.join(f'--{name}' for name in given)}: for --until-stable only")
    return None


def _with_tuner(config: Path, home: Path, rule: Rule) -> Path:
    from nas_ctx.experiment.until_stable import with_tuner

    return with_tuner(config, home, rule.least, rule.most, rule.level)
