"""Boundary scores of predictions in files, whatever made them: odsF, oisF and the curve of precision and recall."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_ctx.data.locate import id_of
from nas_ctx.data.reading import read_array, read_grey, read_lines
from nas_ctx.errors import InputError
from nas_ctx.files import write_text
from nas_ctx.labels import IGNORE
from nas_ctx.metrics.boundary import best_per_image, f_from_counts, image_counts, threshold_grid

SUFFIXES = (".png", ".npy")
Pair = tuple[Path, Path]  # a prediction and its truth
Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class EdgeScores:
    """Counts of matched, predicted and true pixels over a set, and the scores that follow from them.

    Args:
        images: how many were scored.
        thresholds: (T,), rising.
        counts: int64 (T, 3), over all images.
        best: int64 (3,), over all images, each at its own best threshold.
    """

    images: int
    thresholds: NDArray[np.float64]
    counts: NDArray[np.int64]
    best: NDArray[np.int64]

    @property
    def f(self) -> NDArray[np.float64]:
        """F at each threshold, 0..1."""
        return f_from_counts(torch.from_numpy(self.counts)).numpy()

    @property
    def ods_f(self) -> float:
        """The best F of a threshold for all images."""
        return float(self.f.max())

    @property
    def ois_f(self) -> float:
        """F with the best threshold for each image."""
        return float(f_from_counts(torch.from_numpy(self.best)))

    @property
    def precision(self) -> NDArray[np.float64]:
        """At each threshold; 1 where nothing is predicted, which is never wrong."""
        return np.divide(self.counts[:, 0], self.counts[:, 1], out=np.ones(len(self.f)), where=self.counts[:, 1] > 0)

    @property
    def recall(self) -> NDArray[np.float64]:
        """At each threshold."""
        return self.counts[:, 0] / np.maximum(self.counts[:, 2], 1)

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """A row per threshold: precision, recall, F and the counts."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["threshold", "precision", "recall", "f", "matched", "predicted", "true"])
        shares = np.stack([self.thresholds, self.precision, self.recall, self.f], axis=1)
        for numbers, counts in zip(shares, self.counts, strict=True):
            rows.writerow([*(f"{number:.6g}" for number in numbers), *counts])
        write_text(path, text.getvalue())


def score_edges(
    predictions: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    max_dist: float = 0.011,
    thresholds: int = 99,
    jobs: int = 1,
    progress: Progress = lambda items: items,
    listed: str | os.PathLike[str] | None = None,
) -> EdgeScores:
    """The scores of a folder of predictions, each with the truth of the same name; see :func:`nas_ctx.metrics.ods_f`.

    Args:
        predictions: folder of probabilities: 8-bit grey PNG, 255 for certain, or ``.npy`` of 0..1 or bytes.
        truth: folder of boundaries: PNG or ``.npy`` of 0 and 1, 255 ignored; where no file has a 1, 255 is a boundary.
        max_dist: matching radius over the image diagonal; 0.011 for NYUD-v2, 0.0075 for PASCAL-Context and BSDS500.
        thresholds: how many, evenly inside (0, 1).
        jobs: processes.
        progress: wraps what is iterated over, for a progress bar.
        listed: a list of the ids to score, such as that of a split; None for all of ``truth``.

    Raises:
        InputError: a prediction without truth, or a truth without prediction: a job may have ended early; sizes that
            differ, no boundary in any truth, or values out of range.
    """
    pairs = paired(predictions, truth, listed)
    holds = [np.unique(_read(path)) for _, path in pairs]
    edge = 1 if any(1 in values for values in holds) else IGNORE
    for (_, path), values in zip(pairs, holds, strict=True):
        if not np.isin(values, (0, 1, IGNORE)).all():
            raise InputError(f"{path}: holds values up to {values.max():g}, expected 0, 1, and 255")
    if not any(edge in values for values in holds):
        raise InputError(f"{truth}: no boundary in any of {len(pairs)} files")
    grid = threshold_grid(thresholds)
    count = partial(_counts, edge=edge, grid=grid, max_dist=max_dist)
    total, best = np.zeros((thresholds, 3), np.int64), np.zeros(3, np.int64)
    for counts in progress(_each(count, pairs, jobs)):
        total += counts
        best += best_per_image(torch.from_numpy(counts)[None])[0].numpy()
    return EdgeScores(len(pairs), grid, total, best)


def paired(
    predictions: str | os.PathLike[str], truth: str | os.PathLike[str], listed: str | os.PathLike[str] | None = None
) -> list[Pair]:
    """Each prediction with the truth of its name, in the order of the names; only those ``listed``, if there is a list.

    Raises:
        InputError: one of a pair is missing.
    """
    found, true = _files(predictions), _files(truth)
    if listed is None:
        names, what = sorted({*found, *true}), "truths"
    else:
        names, what = (
            sorted({id_of(line, "").rpartition("/")[2] for line in read_lines(Path(listed))}),
            f"ids of {listed}",
        )
    for name in names:
        if name not in true:
            raise InputError(f"{found.get(name, name)}: no truth of this name in {truth}")
    if missing := [name for name in names if name not in found]:
        remedy = "" if listed else "; --list FILE names those to score"
        lacks = f"holds no prediction of {len(missing)} of {len(names)} {what}, the first of which is {missing[0]!r}"
        raise InputError(f"{predictions}: {lacks}{remedy}")
    return [(found[name], true[name]) for name in names]


def _files(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The maps in a folder, by their names without suffix."""
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder")
    files: dict[str, Path] = {}
    for path in sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES):
        if path.stem in files:
            raise InputError(f"{path}: has the name of {files[path.stem]}")
        files[path.stem] = path
    if not files:
        raise InputError(f"{folder}: holds no file of {' or '.join(SUFFIXES)}")
    return files


def _each(count: Callable[[Pair], NDArray[np.int64]], pairs: Sequence[Pair], jobs: int) -> Iterator[Any]:
    if jobs == 1:
        yield from map(count, pairs)
        return
    with get_context("spawn").Pool(min(jobs, len(pairs))) as pool:
        yield from pool.imap(count, pairs)


def _counts(pair: Pair, edge: int, grid: NDArray[np.float64], max_dist: float) -> NDArray[np.int64]:
    """:func:`image_counts` of one pair."""
    probability, true = _probability(pair[0]), _read(pair[1])
    if probability.shape != true.shape:
        have, want = (" x ".join(map(str, array.shape)) for array in (probability, true))
        raise InputError(f"{pair[0]}: is {have}, its truth {want} pixels")
    label = np.where(true == edge, 1.0, np.where(true == 0, 0.0, float(IGNORE)))
    return image_counts(probability, label, grid.astype(probability.dtype), max_dist)


def _probability(path: Path) -> NDArray[np.float32]:
    values = _read(path)
    if values.dtype.kind == "f":
        if not 0 <= values.min() <= values.max() <= 1:  # NaN is refused too
            raise InputError(f"{path}: holds values of {values.min():g} to {values.max():g}, expected 0 to 1")
        return values.astype(np.float32)
    if values.dtype == bool:
        return values.astype(np.float32)
    if values.min() < 0 or values.max() > 255 or values.max() == 1:
        raise InputError(f"{path}: holds whole numbers up to {values.max()}, expected 255 where a boundary is certain")
    return values.astype(np.float32) / np.float32(255)


def _read(path: Path) -> NDArray[Any]:
    return read_grey(path) if path.suffix.lower() == ".png" else read_array(path)
