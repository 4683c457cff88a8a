"""The checkpoints of a run: which there are, and which of them can be used.

Looking for them does not load torch; reading one does.
"""

from __future__ import annotations

import itertools
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

KEPT = 2
"""How many a run keeps."""
REQUIRED = {"state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch", "global_step", "run"}
WITHOUT_DIGEST = (
    "has no digest, so that its integrity cannot be checked; those of version 0.1.0 have none, and "
    "networks with contexts are others since version 0.1.0: begin again"
)

_NAME = re.compile(r"step=(\d+)\.ckpt")


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder, newest first."""
    return sorted((path for path in folder.glob("*.ckpt") if _NAME.fullmatch(path.name)), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """The step in the name of a checkpoint.

    >>> step_of(Path("checkpoints/step=20.ckpt"))
    20
    """
    return int(path.stem.partition("=")[2])


def set_aside(path: Path) -> Path:
    """Rename a checkpoint that cannot be used, so that it no longer counts as the newest; its content is kept."""
    names = (path.with_name(f"{path.name}.bad{number or ''}") for number in itertools.count())
    free = next(name for name in names if not os.path.lexists(name))
    os.replace(path, free)
    return free


def newest_whole(
    folder: Path, differing: Callable[[str], list[str]] | None = None
) -> tuple[Path | None, dict[Path, str]]:
    """The newest checkpoint that can be used, and what is wrong with each newer one.

    A checkpoint is read with ``weights_only=True``: it can hold tensors and plain values, and run nothing.

    Args:
        differing: says in which settings the run of a checkpoint, its configuration given as YAML, is not the one that
            resumes; by default any run will do.
    """
    refused: dict[Path, str] = {}
    for path in checkpoints_in(folder):
        fault = fault_of(path, differing)
        if fault is None:
            return path, refused
        refused[path] = fault
    return None, refused


def fault_of(path: Path, differing: Callable[[str], list[str]] | None = None) -> str | None:
    """Why a run cannot resume from a checkpoint; None where it can."""
    try:
        return _fault(path, differing)
    except Exception as error:  # torch.load meets a damaged file with errors of many kinds
        return f"cannot be read: {(str(error).splitlines() or [type(error).__name__])[0][:120]}"


def _fault(path: Path, differing: Callable[[str], list[str]] | None) -> str | None:
    import torch

    from nas_ctx.runs.digest import KEY, digest, not_a_number

    if not path.is_file():
        return "is no file"  # a pipe would be waited for
    with zipfile.ZipFile(path) as file:  # torch compares no checksums
        damaged = file.testzip()
    if damaged is not None:
        return f"cannot be read: {damaged} is damaged in it"
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(content, dict):
        return f"not a checkpoint of a run: holds a {type(content).__name__}"
    missing = REQUIRED - set(content)
    if missing:
        return f"not a checkpoint of a run: {', '.join(sorted(missing))} missing"
    weights = content["state_dict"]
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        return "its state_dict is no mapping of names"
    odd = next((name for name, value in weights.items() if not _is_weight(value)), None)
    if odd is not None:
        return f"{odd!r} in its state_dict is a {type(weights[odd]).__name__}, expected a tensor of numbers"
    different = [] if differing is None else differing(str(content["run"]))
    if different:
        return f"of another run ({', '.join(different[:4])} differ)"
    if differing is not None and KEY not in content:
        return WITHOUT_DIGEST
    if KEY in content and content[KEY] != digest(content):
        return "changed since it was written: its content does not have its digest"
    if content["global_step"] != step_of(path):
        return f"named for another step than its own, {content['global_step']}"
    bad = not_a_number({key: content[key] for key in ("state_dict", "optimizer_states")})
    return None if bad is None else f"{bad} holds values that are not numbers"


def _is_weight(value: object) -> bool:
    """Whether a value of a checkpoint is a plain tensor, as networks have them."""
    import torch

    return isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_complex()
