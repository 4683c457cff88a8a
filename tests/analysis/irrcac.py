"""Writes ``irrcac.json``: ratings, and what irrCAC 0.4.4, the Python port of Gwet's package for R, says of them.

irrCAC asks for libraries older than ours, so that it has an environment of its own:
``pip install irrCAC==0.4.4 && PYTHONPATH=. python tests/analysis/irrcac.py`` from the project's folder.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

FILE = Path(__file__).with_suffix(".json")


def main() -> None:
    warnings.simplefilter("ignore")
    from irrCAC.raw import CAC

    generator = np.random.default_rng(7)
    examples = []
    for number in range(24):
        runs, blocks, used = generator.integers(2, 7), generator.integers(3, 20), generator.integers(2, 6)
        ratings = generator.integers(0, used, (runs, blocks))
        ratings[:, : blocks // 2] = ratings[0, : blocks // 2]  # some agreement
        labels = [*sorted(set(ratings.ravel().tolist())), *range(100, 100 + number % 4)]  # the last ones are not used
        if len(labels) < 2:
            continue
        theirs = CAC(pd.DataFrame(ratings.T), categories=labels)
        values = {name: getattr(theirs, name)()["est"]["coefficient_value"] for name in ("bp", "gwet")}
        examples.append({"ratings": ratings.tolist(), "labels": labels, **values})
    FILE.write_text("[\n" + ",\n".join(map(json.dumps, examples)) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
