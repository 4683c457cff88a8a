"""The trial that ``nnictl`` starts: one entry point for searches, trainings and grid studies.

``python -m nas_ctx.trial search CONFIG`` (or ``train``) merges the trial's parameters, dotted keys such as ``seed`` or
``training.lr``, into the configuration, runs it, and reports to NNI: after every validation the scores, the mean
entropy and the number of decided blocks; at the end the validation loss as ``default``, every score, and the genotype,
so that a report can be made from the experiment's own record. Parameters must be of the experiment's search space.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nni

from nas_ctx.cli.help import Parser
from nas_ctx.cli.options import add_run_options, load_run_config
from nas_ctx.config import Config
from nas_ctx.errors import InputError, guarded
from nas_ctx.experiment.parameters import VARIABLE, check_parameters
from nas_ctx.files import read_json
from nas_ctx.genotype import Genotype
from nas_ctx.runs.folder import RunFolder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one trial; return the exit code: 0 done, 2 wrong input, with one line on standard error."""
    parser = Parser(prog="python -m nas_ctx.trial", description=__doc__)
    parser.add_argument("kind", choices=["search", "train"])
    add_run_options(parser)
    parser.add_argument(
        "--experiment",
        metavar="FILE",
        default=os.environ.get(VARIABLE),
        type=Path,
        help="NNI's YAML file of the experiment: a trial may set what its search space lists, and nothing else "
        "(default: the file that `nas-ctx launch` was given)",
    )
    options = parser.parse_args(arguments)
    return guarded(f"nas_ctx.trial {options.kind}", lambda: _run_and_report(options))


def _run_and_report(options: argparse.Namespace) -> None:
    parameters = check_parameters(nni.get_next_parameter() or {}, options.experiment)
    result = run(options.kind, trial_config(options, parameters))
    if not result:
        return  # of several processes the first one reports
    # NNI's own record may show another trial's parameters, see `nas_ctx.experiment.launch`.
    nni.report_final_result({**result, "parameters": parameters})


def trial_config(options: argparse.Namespace, parameters: dict[str, Any]) -> Config:
    """The configuration file, overridden by ``--set``, overridden by the trial's parameters.

    Without an ``output`` the run folder is ``run`` in the trial's own folder.
    """
    config = load_run_config(options, parameters)
    if config.output is None:
        config.output = str(Path(os.environ.get("NNI_OUTPUT_DIR", ".")) / "run")
    return config


def run(kind: str, config: Config) -> dict[str, Any]:
    """Run what ``kind`` says, or take it from the run folder where it was finished before; return the final result."""
    from nas_ctx import runs

    assert config.output is not None
    folder = RunFolder(config.output)
    if not folder.finished:
        start = runs.search if kind == "search" else runs.train
        start(config, report=_report, progress=False)
        if not runs.is_first_process():
            return {}
    else:
        folder.check(config)  # refuses the run of another configuration
    result: dict[str, Any] = _with_default(folder.read_metrics())
    result["folder"] = str(folder.path.resolve())  # where a report on the same machine finds the history
    facts = read_json(folder.environment)
    if not isinstance(facts, dict) or "python" not in facts or not isinstance(facts.get("versions"), dict):
        raise InputError(f"{folder.environment}: expected an object with python and versions")
    result["versions"] = {"python": facts["python"], **facts["versions"]}  # a report elsewhere has but this record
    if kind == "search":
        genotype = Genotype.load(folder.genotype)
        result["genotype"] = runs.describe(genotype)
        result["candidates"] = genotype.candidates
    return result


def _report(scores: dict[str, float]) -> None:
    nni.report_intermediate_result(_with_default(scores))


def _with_default(scores: dict[str, Any]) -> dict[str, Any]:
    """NNI ranks trials by ``default``; here that is the validation loss."""
    return {"default": scores["loss"], **{name: value for name, value in scores.items() if name != "loss"}}


if __name__ == "__main__":
    sys.exit(main())
