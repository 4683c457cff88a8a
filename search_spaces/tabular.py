"""Four blocks of contexts, 400 networks, and a table of their scores: a space whose genotypes cost nothing to score.

Two tasks, depth and normals, on small rooms. The space is for comparing strategies: its table, which
`experiments/tabular/train.py` makes, says of every network how good it is, and how much a retraining differs.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import nni
from nni.mutable import label_scope
from nni.nas.nn.pytorch import ModelSpace

from nas_ctx.context_types import CONTEXT_NAMES, SAME_ON_DIAGONAL
from nas_ctx.metrics import delta_m

TASKS = ("depth", "normals")
METRICS = {"depth": "depth/rmse", "normals": "normals/mean_angle"}
BLOCKS = tuple(f"{target}/{source}" for target in TASKS for source in TASKS)

Genotype = tuple[str, ...]
"""A context per block, in the order of BLOCKS."""


def offered(block: str) -> list[str]:
    """The candidates of a block: four for a task with itself, where both label contexts are one; else five.

    >>> offered("depth/depth"), len(offered("depth/normals"))
    (['none', 'global', 'local', 't-label'], 5)
    """
    target, source = block.split("/")
    return [name for name in CONTEXT_NAMES if target != source or name not in SAME_ON_DIAGONAL]


def genotypes() -> list[Genotype]:
    """All of them.

    >>> len(genotypes())
    400
    """
    return list(itertools.product(*map(offered, BLOCKS)))


class Table:
    """What the networks scored.

    Args:
        path: CSV, also compressed, with a column per block and per metric, and ``seed``.

    Attributes:
        scores: genotype -> seed -> task -> score of a training.
        reference: task -> mean score of the network without any context, which delta_m refers to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        opened = gzip.open if Path(path).suffix == ".gz" else open
        self.scores: dict[Genotype, dict[int, dict[str, float]]] = {}
        with opened(path, "rt", newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                genotype = tuple(row[block] for block in BLOCKS)
                values = {task: float(row[metric]) for task, metric in METRICS.items()}
                self.scores.setdefault(genotype, {})[int(row["seed"])] = values
        plain = self.scores[("none",) * len(BLOCKS)].values()
        self.reference = {task: fmean(values[task] for values in plain) for task in TASKS}

    def delta(self, genotype: Genotype, seed: int) -> float:
        """Delta_m in percent of one training against the mean of the network without context."""
        return delta_m(self.scores[genotype][seed], self.reference, dict.fromkeys(TASKS, False))

    def score(self, choices: Mapping[str, Any] | Genotype) -> float:
        """Delta_m in percent, mean over the trainings; higher is better.

        Raises:
            KeyError: choices that are not in the table.
        """
        genotype = tuple(choices[block] for block in BLOCKS) if isinstance(choices, Mapping) else choices
        return fmean(self.delta(genotype, seed) for seed in self.scores[genotype])


class TabularSpace(ModelSpace):
    """An NNI space of the four choices; its networks are their choices, and compute nothing.

    >>> space = TabularSpace()
    >>> space.freeze(dict.fromkeys(BLOCKS, "none")).choices["depth/normals"]
    'none'
    """

    def __init__(self) -> None:
        super().__init__()
        with_values = [self.add_mutable(_choice(*block.split("/"))) for block in BLOCKS]
        self.choices = {mutable.label: mutable.default() for mutable in with_values}

    def freeze(self, sample: Mapping[str, Any]) -> TabularSpace:
        frozen = TabularSpace()
        frozen.choices = {block: sample[block] for block in BLOCKS}
        return frozen


def _choice(target: str, source: str) -> Any:
    with label_scope(target):
        return nni.choice(source, offered(f"{target}/{source}"))
