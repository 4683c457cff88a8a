"""Boundary scores beside those of py-bsds500 (github.com/Britefury/py-bsds500, `setup.py build_ext --inplace`).

PYTHONPATH=py-bsds500 python experiments/benchmarks/boundary_scores.py [--images 5] [--thresholds 9] [--max-dist 0.011]
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from nas_ctx.data.rooms.labels import outlines
from nas_ctx.data.rooms.writing import take
from nas_ctx.metrics.boundary import best_per_image, f_from_counts, image_counts, threshold_grid
from nas_ctx.metrics.thinning import thin

SIZE = (240, 320)
WAYS = ("ours", "theirs, both thinned as here", "theirs, truth thinned as here", "theirs, truth as it is")


def drawn(number: int) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
    """The outlines of a room, and two predictions of them."""
    _, shot = take(0, 1, number, SIZE)
    truth = outlines(shot.items, shot.depth) == 1
    grey = shot.image.mean(2)
    gradient = np.hypot(*(ndimage.gaussian_filter(grey, 1.5, order=order) for order in ((0, 1), (1, 0))))
    noise = 0.15 * np.random.default_rng(number).normal(size=SIZE)
    blurred = ndimage.gaussian_filter(truth + noise, 1.2)
    highest = {"gradient": np.percentile(gradient, 99.5), "blurred truth": blurred.max()}
    maps = {"gradient": gradient, "blurred truth": blurred}
    return truth, {name: np.clip(values / highest[name], 0, 1) for name, values in maps.items()}


def matched(predicted: NDArray[np.bool_], truth: NDArray[np.bool_], max_dist: float) -> list[int]:
    """Matched, predicted and true pixels, matched by py-bsds500."""
    from bsds import correspond_pixels

    pairs = (
        correspond_pixels.correspond_pixels(predicted, truth, max_dist=max_dist)[0] if predicted.any() else np.zeros(1)
    )
    return [int((pairs > 0).sum()), int(predicted.sum()), int(truth.sum())]


def main() -> None:
    """Print odsF and oisF of every prediction, and how far the matchings differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--thresholds", type=int, default=9)
    parser.add_argument("--max-dist", type=float, default=0.011)
    options = parser.parse_args()
    from bsds import thin as their_thin  # after --help, which does without it

    grid, far = threshold_grid(options.thresholds), options.max_dist
    counts: dict[str, dict[str, list[NDArray[np.int64]]]] = {}
    for number in range(options.images):
        truth, predictions = drawn(number)
        thinned = thin(truth)
        for name, values in predictions.items():
            found = counts.setdefault(name, {way: [] for way in WAYS})
            masks = [values >= threshold for threshold in grid]
            theirs = [their_thin.binary_thin(mask) for mask in masks]
            ours = image_counts(values, truth.astype(float), grid, far)
            rest = (([thin(m) for m in masks], thinned), (theirs, thinned), (theirs, truth))
            all_counts = [ours, *(np.array([matched(p, t, far) for p in lines]) for lines, t in rest)]
            for way, of_way in zip(WAYS, all_counts, strict=True):
                found[way].append(of_way)
    for name, found in counts.items():
        for way, of_way in found.items():
            stacked = torch.from_numpy(np.stack(of_way))
            ods = float(f_from_counts(stacked.sum(0)).max())
            ois = float(f_from_counts(best_per_image(stacked).sum(0)))
            more = (np.stack(found["ours"]) - stacked.numpy())[..., 0]
            scores = f"odsF {ods:.4f}  oisF {ois:.4f}"
            print(f"{name:<14}{way:<31}{scores}  matched by ours, more: {more.min()} to {more.max()}")


if __name__ == "__main__":
    main()
