"""Run by several processes: a run, and what this one of them found. ``python -m ... KIND CONFIG FOLDER``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch

from nas_ctx import runs
from nas_ctx.config import load_config
from nas_ctx.errors import guarded

# In place of `training` of batch norm: by its running statistics always, since those of a batch depend on its size.
STANDING_STILL = property(lambda module: False, lambda module, value: None)


def main() -> None:
    kind, config, folder = sys.argv[1:]
    if kind == "train":
        torch.nn.BatchNorm2d.training = STANDING_STILL
        runs.train(load_config(config), progress=False)
        return
    genotype = runs.search(load_config(config), progress=False)
    rank = os.environ.get("LOCAL_RANK", "0")
    (Path(folder) / f"rank-{rank}.json").write_text(json.dumps([dict(genotype), dict(genotype.meta)]))


if __name__ == "__main__":
    sys.exit(guarded("job", main))
