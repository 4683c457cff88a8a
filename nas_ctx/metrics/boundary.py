"""Boundary F-measure with one-to-one matching: the best threshold of the set (odsF) and of every image (oisF).

The protocol of boundary detection: predictions are binarised and thinned, the truth is thinned, and a predicted
pixel and a true pixel may be paired when they lie within ``max_dist`` times the image diagonal. Each pixel is paired at
most once, by a *maximum* matching, so that the counts are exact.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from scipy.spatial import KDTree
from torch import Tensor

from nas_ctx.labels import IGNORE
from nas_ctx.metrics.thinning import thin
from nas_ctx.metrics.values import SummedMetric, ratio, same_shape


def threshold_grid(count: int) -> NDArray[np.float64]:
    """``count`` thresholds evenly inside (0, 1); 99 of them are 0.01, 0.02, ..., 0.99.

    >>> threshold_grid(4).tolist()
    [0.2, 0.4, 0.6, 0.8]
    """
    return np.arange(1, count + 1) / (count + 1)


def matched_pixels(predicted: NDArray[np.bool_], true: NDArray[np.bool_], radius: float) -> int:
    """The largest number of pixels of two maps that can be paired one to one within ``radius`` pixels.

    >>> line = np.eye(5, dtype=bool)
    >>> matched_pixels(line, np.eye(5, k=1, dtype=bool), radius=1.0)
    4
    """
    first, second = np.argwhere(predicted), np.argwhere(true)
    if not len(first) or not len(second):
        return 0
    # The slack keeps pairs at exactly the radius, whose squared distance is a whole number.
    pairs = KDTree(first).sparse_distance_matrix(KDTree(second), radius + 1e-9, output_type="ndarray")
    return matching_size(pairs["i"], pairs["j"], len(first), len(second))


def matching_size(rows: NDArray[np.integer], columns: NDArray[np.integer], row_count: int, column_count: int) -> int:
    """The size of a maximum matching in the bipartite graph with edges ``rows[k]``-``columns[k]``.

    It is the maximum flow from a source before the rows to a sink behind the columns, every edge carrying 1. SciPy's
    ``maximum_bipartite_matching`` would say it more directly, but takes exponential time on layered graphs
    (scipy issue 26147), and pixels along a boundary make just such graphs; Dinic's algorithm takes milliseconds.

    >>> matching_size(np.array([0, 0, 1]), np.array([0, 1, 0]), 2, 2)
    2
    """
    source, sink = row_count + column_count, row_count + column_count + 1
    start = np.concatenate([np.full(row_count, source), rows, row_count + np.arange(column_count)])
    end = np.concatenate([np.arange(row_count), row_count + columns, np.full(column_count, sink)])
    network = csr_array((np.ones(len(start), np.int32), (start, end)), shape=(sink + 1, sink + 1))
    return int(maximum_flow(network, source, sink, method="dinic").flow_value)


def image_counts(
    probability: NDArray[np.floating], label: NDArray[np.floating], thresholds: NDArray[np.float64], max_dist: float
) -> NDArray[np.int64]:
    """Counts of one image: (thresholds, 3) of matched, predicted and true boundary pixels after thinning.

    Args:
        probability: (H, W), 0..1; a pixel is predicted where it is at least the threshold.
        label: (H, W) of 0, 1 and 255; ignored pixels are neither predicted nor true.
        thresholds: (T,), in any order.
        max_dist: radius of the matching relative to the diagonal of the bounding box of the valid pixels, so that
            padding does not enlarge it.
    """
    valid = label != IGNORE
    true = thin((label == 1) & valid)
    counts = np.zeros((len(thresholds), 3), np.int64)
    if not valid.any():
        return counts
    radius = max_dist * diagonal(valid)
    counts[:, 2] = true.sum()
    before: NDArray[np.bool_] | None = None
    for row, threshold in enumerate(thresholds):
        binary = (probability >= threshold) & valid
        if before is not None and np.array_equal(binary, before):
            counts[row] = counts[row - 1]
            continue
        before = binary
        predicted = thin(binary)
        counts[row, :2] = matched_pixels(predicted, true, radius), predicted.sum()
    return counts


def diagonal(valid: NDArray[np.bool_]) -> float:
    """The diagonal, in pixels, of the smallest box around the valid pixels.

    >>> diagonal(np.pad(np.ones((3, 4), bool), 2))
    5.0
    """
    sides = [np.flatnonzero(valid.any(axis=axis)) for axis in (0, 1)]
    return float(np.hypot(*(side[-1] - side[0] + 1 for side in sides)))


def f_from_counts(counts: Tensor) -> Tensor:
    """F = 2PR / (P + R) from (..., 3) counts of matched, predicted and true pixels; 0 where nothing matched.

    >>> f_from_counts(torch.tensor([2, 4, 4]))
    tensor(0.5000, dtype=torch.float64)
    """
    # P = m/p and R = m/t, so 2PR/(P+R) = 2m/(p+t).
    return ratio(2 * counts[..., 0], counts[..., 1] + counts[..., 2], empty=0.0)


def batch_counts(probability: Tensor, label: Tensor, thresholds: int, max_dist: float) -> Tensor:
    """:func:`image_counts` of every image of (B, 1, H, W), (B, H, W) or (H, W) maps: int64 (B, thresholds, 3)."""
    same_shape(probability, label)
    grid = threshold_grid(thresholds)
    probabilities = probability.detach().float().cpu().numpy().reshape(-1, *probability.shape[-2:])
    labels = label.detach().cpu().numpy().reshape(probabilities.shape)
    # In the precision of the map: 0.35 written as float32 must still reach the threshold 0.35.
    grid = grid.astype(probabilities.dtype)
    counts = [image_counts(p, t, grid, max_dist) for p, t in zip(probabilities, labels, strict=True)]
    return torch.from_numpy(np.stack(counts))


def ods_f(probability: Tensor, label: Tensor, max_dist: float = 0.011, thresholds: int = 99) -> Tensor:
    """Optimal-dataset-scale F: counts summed over the images per threshold, then the best F; 0..1, float64.

    Args:
        probability: boundary probabilities, (B, 1, H, W), (B, H, W) or (H, W).
        label: same shape; 1 boundary, 0 none, 255 ignored.
        max_dist: matching radius over image diagonal; 0.011 for NYUD-v2, 0.0075 for PASCAL-Context.
        thresholds: how many, evenly inside (0, 1). Published tables use 99.

    >>> truth = torch.zeros(8, 8)
    >>> truth[:, 4] = 1
    >>> ods_f(truth * 0.7, truth)
    tensor(1., dtype=torch.float64)
    """
    return f_from_counts(batch_counts(probability, label, thresholds, max_dist).sum(0)).max()


def ois_f(probability: Tensor, label: Tensor, max_dist: float = 0.011, thresholds: int = 99) -> Tensor:
    """Optimal-image-scale F: every image at its own best threshold, those counts summed, then F. See :func:`ods_f`.

    >>> truth = torch.zeros(2, 8, 8)
    >>> truth[:, :, 4] = 1
    >>> ois_f(truth * torch.tensor([0.2, 0.9]).view(2, 1, 1), truth)
    tensor(1., dtype=torch.float64)
    """
    return f_from_counts(best_per_image(batch_counts(probability, label, thresholds, max_dist)).sum(0))


def best_per_image(counts: Tensor) -> Tensor:
    """The counts of every image at its best F, from (B, thresholds, 3) counts: (B, 3)."""
    best = f_from_counts(counts).argmax(dim=1)
    return counts[torch.arange(len(counts)), best]


class BoundaryF(SummedMetric):
    """:func:`ods_f` and :func:`ois_f` over many batches and processes.

    ``compute()`` gives ``ods_f`` and ``ois_f`` for the 99 thresholds of published tables. With fewer the names say so
    (``ods_f_9``): the best of fewer thresholds is at most the best of all of them, and costs that much less.
    The work is done on the CPU, image by image.

    >>> truth = torch.zeros(1, 1, 8, 8)
    >>> truth[..., 4] = 1
    >>> metric = BoundaryF(thresholds=9)
    >>> metric.update(truth * 0.7, truth)
    >>> metric.compute()["ods_f_9"]
    tensor(1., dtype=torch.float64)
    """

    higher_is_better = True
    counts: Tensor
    best: Tensor

    def __init__(self, max_dist: float = 0.011, thresholds: int = 99) -> None:
        super().__init__()
        self.max_dist = max_dist
        self.thresholds = thresholds
        self.add_sum("counts", torch.zeros(thresholds, 3, dtype=torch.long))
        self.add_sum("best", torch.zeros(3, dtype=torch.long))

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add probabilities and labels, (B, 1, H, W)."""
        counts = batch_counts(prediction, label, self.thresholds, self.max_dist).to(self.counts.device)
        self.counts += counts.sum(0)
        self.best += best_per_image(counts).sum(0)

    def compute(self) -> dict[str, Tensor]:
        """The scores over everything that was added; 0 when nothing matched anywhere."""
        return {
            boundary_name("ods_f", self.thresholds): f_from_counts(self.counts).max(),
            boundary_name("ois_f", self.thresholds): f_from_counts(self.best),
        }


def boundary_name(name: str, thresholds: int) -> str:
    """The name of a score: as published with 99 thresholds, with their number otherwise.

    >>> boundary_name("ods_f", 99), boundary_name("ods_f", 9)
    ('ods_f', 'ods_f_9')
    """
    return name if thresholds == 99 else f"{name}_{thresholds}"
