"""What may be right and may be a mistake in the labels of a split: ``nas-ctx data check`` notes it, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.base import DenseDataset
from nas_ctx.errors import counted
from nas_ctx.labels import IGNORE


def _median_depth(label: NDArray[Any]) -> float:
    valid = label[np.isfinite(label) & (label > 0)]
    return float(np.median(valid)) if valid.size else np.nan


def _share_away(label: NDArray[Any]) -> float:
    """The share of normals that point away from the camera, whose frame has z forwards."""
    valid = label[np.isfinite(label).all(2) & (label != 0).any(2)]
    return float((valid[:, 2] > 0).mean()) if len(valid) else np.nan


SUMMARIES: dict[str, tuple[Callable[[NDArray[Any]], float], str]] = {
    "depth": (_median_depth, "the median depth is {:.3g}, expected metres, {:g} to {:g} of such scenes"),
    "normals": (_share_away, "{:.0%} of the normals have z > 0 and point away from the camera, where z goes forwards"),
}
"""Type of a task -> one number that sums a label up, and what is noted where it is not what the layout expects."""


@dataclass
class Seen:
    """What was seen of the labels of a task in a split: ids that hold little, and a number of each label."""

    ignored: list[str] = field(default_factory=list)
    """Ids whose label is ignored throughout."""
    single: list[str] = field(default_factory=list)
    """Ids whose label has one class only."""
    whole: int = 0
    """Labels without an ignored pixel."""
    numbers: list[float] = field(default_factory=list)

    def add(self, dataset: DenseDataset, task: str, name: str, label: NDArray[Any], counts: NDArray[np.int64]) -> None:
        """Look at the label of an id as stored; ``counts`` are its pixels by class, ignored ones last."""
        kind = dataset.tasks[task]
        if kind.name in SUMMARIES:
            self.numbers.append(SUMMARIES[kind.name][0](label))
        self.whole += not counts[IGNORE]
        if not counts[:IGNORE].any():
            self.ignored.append(name)
        elif kind.label_classes and np.count_nonzero(counts[: kind.label_classes]) == 1:
            self.single.append(name)

    def line(self) -> str:
        """How many labels hold little, with an example each; empty where none does."""
        kinds = (("ignored throughout", self.ignored), ("of one class only", self.single))
        return "; ".join(f"{counted(len(ids), 'label')} {what}, such as {ids[0]!r}" for what, ids in kinds if ids)

    def notes(self, dataset: DenseDataset, task: str, counts: NDArray[np.int64]) -> Iterator[str]:
        """What is noted of all labels together; ``counts`` are their pixels by class."""
        kind, first = dataset.tasks[task], dataset.shift(task)
        known = [number for number in self.numbers if not np.isnan(number)]
        if known and kind.name in dataset.usual:
            (low, high), middle = dataset.usual[kind.name], float(np.median(known))
            if not low <= middle <= high:
                yield SUMMARIES[kind.name][1].format(middle, low, high)
        if first and not self.whole and counts.any() and not counts[kind.label_classes - 1]:
            last = kind.label_classes - 1 + first
            found = f"0, which is ignored, is in every label, and the last class, {last}, in none"
            yield f"{found}: were the classes stored from 0, and not from {first}?"
