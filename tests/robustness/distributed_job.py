"""Run by several processes: search, and write down what this one of them found. ``python -m ... CONFIG FOLDER``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from nas_ctx import runs
from nas_ctx.config import load_config
from nas_ctx.errors import guarded


def main() -> None:
    config, folder = sys.argv[1:]
    genotype = runs.search(load_config(config), progress=False)
    rank = os.environ.get("LOCAL_RANK", "0")
    (Path(folder) / f"rank-{rank}.json").write_text(json.dumps([dict(genotype), dict(genotype.meta)]))


if __name__ == "__main__":
    sys.exit(guarded("job", main))
