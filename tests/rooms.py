"""A very small data set, and configurations that run on it in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas_ctx.config import Config, check_config
from nas_ctx.config.nested import set_dotted
from nas_ctx.data.rooms import ROOMS_CLASSES, write_rooms


@pytest.fixture(scope="session")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 training and 4 validation scenes of 48 x 64 pixels."""
    root = tmp_path_factory.mktemp("rooms") / "data"
    write_rooms(root, train=12, val=4, size=(48, 64), seed=0)
    return root


def tiny(rooms: Path, output: Path | str | None, **overrides: Any) -> dict[str, Any]:
    """A configuration of six steps as nested dictionaries; ``a__b=1`` overrides ``a.b``."""
    content: dict[str, Any] = {
        "output": None if output is None else str(output),
        "data": {"root": str(rooms), "image_size": [32, 48], "batch_size": 4, "eval_batch_size": 4, "workers": 0},
        "tasks": {"semseg": {"classes": len(ROOMS_CLASSES)}, "depth": {}},
        "model": {"backbone": "test_efficientnet", "pretrained": False},
        "training": {"steps": 6, "validate_every": 3, "checkpoint_every": 3, "log_every": 1, "threads": 1},
        "search": {"arch_lr": 0.2},
    }
    for key, value in overrides.items():
        set_dotted(content, key.replace("__", "."), value)
    return content


def tiny_config(rooms: Path, output: Path | str | None, **overrides: Any) -> Config:
    """:func:`tiny`, checked."""
    return check_config(tiny(rooms, output, **overrides), "tiny")
