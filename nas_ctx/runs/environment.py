"""The environment of a run, as ``environment.json`` records it: versions, seed, commit, machine."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_ctx.escaping import without_passwords

if TYPE_CHECKING:
    from nas_ctx.models.weights import WeightsFile
    from nas_ctx.tasks import Task

PACKAGES = ("nas_ctx", "nni", "torch", "torchvision", "pytorch-lightning", "timm", "torchmetrics", "numpy", "scipy")


def environment(
    seed: int, command: str, tasks: Mapping[str, Task], weights: WeightsFile | None = None
) -> dict[str, Any]:
    """Versions, seed, code version, machine, weights and measures of a run, as ``environment.json`` holds them."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "command": command,
        "seed": seed,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "versions": versions,
        "weights": None
        if weights is None
        else {"file": weights.name, "sha256": weights.sha256, "matched_by": "order" if weights.by_order else "name"},
        # A table of custom tasks reads this, and loads no code.
        "tasks": {
            name: {"metric": task.metric_name, "higher_is_better": task.higher_is_better}
            for name, task in tasks.items()
        },
        "commit": _commit(),
        "arguments": [without_passwords(word) for word in sys.argv[1:]],
    }


def _commit() -> str | None:
    """The commit of the checkout that the package is run from, if it is one; "+" marks uncommitted changes."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=here, capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")
