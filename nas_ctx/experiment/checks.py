"""What an experiment's file can be refused for before NNI starts: names, folders, the search space, and GPUs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas_ctx.config.nested import read_yaml
from nas_ctx.errors import InputError, suggestion
from nas_ctx.experiment.parameters import search_space

_NUMBERS = ("uniform", "quniform", "loguniform", "qloguniform", "normal", "qnormal", "lognormal", "qlognormal")
_SAMPLERS = ("choice", "randint", *_NUMBERS)


def check_experiment(config: Path) -> None:
    """Refuse what NNI would find out only once its manager runs, and then tell in a log; ``nnictl`` checks the keys.

    Raises:
        InputError: no such tuner, assessor or advisor; no such folder; a search space that nothing can be drawn from;
            more GPUs than this machine has.
    """
    content = _plain_keys(read_yaml(config))
    if {"searchspace", "searchspacefile"} & content.keys():
        for key, entry in search_space(config).items():
            where = f"{config}: searchSpace: {key}"
            if entry["_type"] not in _SAMPLERS:
                known = f"expected one of {', '.join(_SAMPLERS)}{suggestion(entry['_type'], _SAMPLERS)}"
                raise InputError(f"{where}: _type: {entry['_type']!r}: {known}")
            if not entry["_value"]:
                raise InputError(f"{where}: _value: nothing to draw from")
    for role in ("tuner", "assessor", "advisor"):
        if isinstance(content.get(role), Mapping):
            _check_algorithm(config, role, content[role])
    _check_folder(config, "trialCodeDirectory", content.get("trialcodedirectory", "."))
    services = content.get("trainingservice")
    if isinstance(services, Mapping) and services.get("platform") == "local":
        _check_gpus(config, services.get("trialgpunumber") or content.get("trialgpunumber"))


def _plain_keys(value: Any) -> Any:
    """NNI takes ``trialCommand``, ``trial_command`` and ``TrialCommand`` for the same."""
    if isinstance(value, Mapping):
        return {str(key).lower().replace("_", ""): _plain_keys(entry) for key, entry in value.items()}
    return value


def _check_algorithm(config: Path, role: str, settings: Mapping[str, Any]) -> None:
    name = settings.get("name")
    if settings.get("codedirectory") is not None:
        _check_folder(config, f"{role}: codeDirectory", settings["codedirectory"])
    if not isinstance(name, str) or name == "_none_":
        return
    from nni.tools.package_utils import get_algo_meta, get_all_algo_meta

    if get_algo_meta(name) is None:
        known = sorted(algorithm.name for algorithm in get_all_algo_meta() if algorithm.algo_type == role)
        raise InputError(f"{config}: {role}: name: {name!r}: NNI knows {', '.join(known)}{suggestion(name, known)}")


def _check_folder(config: Path, key: str, folder: object) -> None:
    if isinstance(folder, str) and not (config.parent / Path(folder).expanduser()).is_dir():
        raise InputError(f"{config}: {key}: {folder}: no such folder")


def _check_gpus(config: Path, wanted: object) -> None:
    if not isinstance(wanted, int) or wanted < 1:
        return
    present = gpus()
    if present < wanted:
        raise InputError(f"{config}: trialGpuNumber: {wanted}: nvidia-smi finds {present or 'no'} GPU on this machine")


def gpus() -> int:
    """How many GPUs NNI finds on this machine: those that nvidia-smi lists."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.splitlines())
