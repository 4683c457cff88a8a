"""A trained network that several tests look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas_ctx import runs
from nas_ctx.genotype import Genotype
from tests.rooms import tiny_config

MIXED = {"semseg/semseg": "none", "semseg/depth": "s-label", "depth/semseg": "local", "depth/depth": "global"}


def train_mixed(rooms: Path, folder: Path, **overrides: Any) -> Path:
    """The run folder of a network with a context of every kind, trained for two steps; its genotype file is gone."""
    Genotype(MIXED).save(folder / "consensus.json")
    blocks = str(folder / "consensus.json")
    runs.train(tiny_config(rooms, folder / "run", model__blocks=blocks, training__steps=2, **overrides), progress=False)
    (folder / "consensus.json").unlink()
    return folder / "run"
