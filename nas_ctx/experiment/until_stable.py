"""An experiment's file with its tuner replaced by ours, which stops when the vote of the searches is stable."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from nas_ctx.config.nested import read_yaml
from nas_ctx.experiment.checks import check_experiment
from nas_ctx.experiment.parameters import search_space, seeds_in
from nas_ctx.files import write_text

TUNER = "nas_ctx.tuner.UntilStable"

_REPLACED = {"tuner", "advisor", "maxtrialnumber"}
_PATHS = {"trialcodedirectory", "searchspacefile", "experimentworkingdirectory", "codedirectory", "sshkeyfile"}
"""Keys whose paths NNI takes from the folder of the file."""


def with_tuner(config: Path, home: Path, least: int, most: int, level: float) -> Path:
    """Write the experiment of ``config`` with our tuner into the state folder ``home``; the same path each time.

    Raises:
        InputError: what :func:`check_experiment` refuses, or a search space that has more than the seed.
    """
    check_experiment(config)
    seeds_in(search_space(config))
    content = {key: value for key, value in read_yaml(config).items() if _plain(key) not in _REPLACED}
    content.setdefault(next((key for key in content if _plain(key) == "trialcodedirectory"), "trialCodeDirectory"), ".")
    # NNI insists on a folder for the code of a tuner, also where that is installed.
    tuner = {
        "codeDirectory": ".", "className": TUNER, "classArgs": {"least": least, "most": most, "level": level}
    }  # fmt: skip
    content |= {"tuner": tuner, "maxTrialNumber": most}
    folder = home / "until-stable"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(str(config.resolve()).encode()).hexdigest()[:16]
    path = folder / f"{config.stem}-{name}.yaml"
    text = yaml.safe_dump(_absolute(content, config.resolve().parent), sort_keys=False, allow_unicode=True)
    write_text(path, text, mode=0o600)  # an experiment's file may hold passwords
    return path


def _plain(key: Any) -> str:
    return str(key).lower().replace("_", "")


def _absolute(value: Any, folder: Path) -> Any:
    """``value`` with the paths in it made absolute."""
    if isinstance(value, list):
        return [_absolute(entry, folder) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        key: str(folder / Path(entry).expanduser())
        if _plain(key) in _PATHS and isinstance(entry, str)
        else _absolute(entry, folder)
        for key, entry in value.items()
    }
