"""The boundary metric against optimal assignments: by trying them all, and by the Hungarian method."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from skimage.morphology import thin

from nas_ctx.metrics import BoundaryF, ods_f, ois_f
from nas_ctx.metrics.boundary import matched_pixels
from nas_ctx.metrics.thinning import thin as our_thin


def near(here: np.ndarray, there: np.ndarray, radius: float) -> np.ndarray:
    """Which pixels of one map lie within the radius of which of the other, by their coordinates."""
    distance = np.hypot(*(here[:, None] - there[None]).transpose(2, 0, 1))
    return distance <= radius + 1e-9


def matched_by_trying_all(predicted: np.ndarray, true: np.ndarray, radius: float) -> int:
    pairs = near(np.argwhere(predicted), np.argwhere(true), radius)
    if pairs.shape[0] > pairs.shape[1]:
        pairs = pairs.T
    rows, columns = pairs.shape
    return max(
        (
            sum(pairs[row, place] for row, place in enumerate(places))
            for places in itertools.permutations(range(columns), rows)
        ),
        default=0,
    )


def matched_by_hungarian_method(predicted: np.ndarray, true: np.ndarray, radius: float) -> int:
    pairs = near(np.argwhere(predicted), np.argwhere(true), radius)
    return int(pairs[linear_sum_assignment(pairs, maximize=True)].sum())


@pytest.mark.parametrize("seed", range(12))
def test_matching_is_optimal_on_tiny_images(seed):
    rng = np.random.default_rng(seed)
    predicted, true = np.zeros((2, 5, 6), bool)
    predicted.flat[rng.choice(30, 5, replace=False)] = True
    true.flat[rng.choice(30, 6, replace=False)] = True
    radius = rng.choice([0.5, 1.0, 2**0.5, 2.0])
    assert matched_pixels(predicted, true, radius) == matched_by_trying_all(predicted, true, radius)


def test_matching_is_better_than_nearest_first():
    # The nearest pair (2, 3) leaves 5 alone with 3 taken; the optimum pairs 2-1 and 5-3.
    predicted, true = np.zeros((2, 1, 8), bool)
    predicted[0, [2, 5]] = True
    true[0, [0, 3]] = True
    assert matched_pixels(predicted, true, 2.0) == 2


@pytest.mark.parametrize("blur", [0.0, 0.7, 1.5, 4.0])
def test_thinning_is_that_of_scikit_image(blur):
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    for _ in range(40):
        noise = gaussian_filter(rng.random(rng.integers(1, 40, 2)), blur)
        mask = noise >= np.quantile(noise, rng.random())
        np.testing.assert_array_equal(our_thin(mask), thin(mask))


def reference_counts(probability: np.ndarray, label: np.ndarray, max_dist: float, steps: int) -> np.ndarray:
    """(steps, 3) of matched, predicted and true pixels of one image without ignored pixels."""
    true = thin(label == 1)
    rows = []
    for step in range(1, steps + 1):
        predicted = thin(probability >= np.float32(step / (steps + 1)))
        radius = max_dist * np.sqrt(label.shape[0] ** 2 + label.shape[1] ** 2)
        rows.append((matched_by_hungarian_method(predicted, true, radius), predicted.sum(), true.sum()))
    return np.array(rows, float)


def f_measure(matched: float, predicted: float, true: float) -> float:
    precision, recall = matched / max(predicted, 1), matched / max(true, 1)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blurred_edges(seed: int, size: tuple[int, int, int] = (3, 20, 26)) -> tuple[torch.Tensor, torch.Tensor]:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    label = np.zeros(size, np.float32)
    for image in label:
        row, column = rng.integers(4, 14, 2)
        image[row : row + 2, :] = 1
        image[:, column] = 1
    noisy = gaussian_filter(label, (0, 1.2, 1.2)) * 2 + 0.3 * rng.random(size)
    return torch.from_numpy(np.clip(noisy, 0, 1).astype(np.float32)), torch.from_numpy(label)


@pytest.mark.parametrize(("seed", "steps"), [(0, 99), (1, 19), (2, 9)])
def test_scores_against_the_protocol_written_out(seed, steps):
    probability, label = blurred_edges(seed)
    counts = np.stack(
        [reference_counts(p, t, 0.06, steps) for p, t in zip(probability.numpy(), label.numpy(), strict=True)]
    )
    best_of_set = max(f_measure(*row) for row in counts.sum(0))
    best_rows = [max(image, key=lambda row: f_measure(*row)) for image in counts]
    assert 0.3 < best_of_set < 0.99
    assert ods_f(probability, label, 0.06, steps).item() == pytest.approx(best_of_set, abs=1e-6)
    assert ois_f(probability, label, 0.06, steps).item() == pytest.approx(f_measure(*np.sum(best_rows, 0)), abs=1e-6)
    metric = BoundaryF(0.06, steps)
    metric.update(probability[:1], label[:1])
    metric.update(probability[1:], label[1:])
    names = ("ods_f", "ois_f") if steps == 99 else (f"ods_f_{steps}", f"ois_f_{steps}")
    assert metric.compute() == {
        names[0]: ods_f(probability, label, 0.06, steps),
        names[1]: ois_f(probability, label, 0.06, steps),
    }


def test_fewer_thresholds_of_the_grid_never_score_higher():
    probability, label = blurred_edges(3)
    assert ods_f(probability, label, thresholds=9) <= ods_f(probability, label, thresholds=99)


def test_padding_that_is_ignored_changes_nothing():
    probability, label = blurred_edges(4)
    pad = torch.nn.functional.pad
    padded = pad(probability, (9, 3, 7, 5), value=0.8), pad(label, (9, 3, 7, 5), value=255.0)
    assert ods_f(*padded, max_dist=0.05, thresholds=9) == ods_f(probability, label, max_dist=0.05, thresholds=9)


def test_radius_is_a_share_of_the_diagonal():
    """On 30 x 40 pixels the diagonal is 50, so 0.04 of it reaches 2 pixels and 0.0399 does not."""
    probability, label = torch.zeros(2, 30, 40)
    probability[:, 20] = label[:, 22] = 1
    assert ods_f(probability, label, max_dist=0.04, thresholds=1) == 1
    assert ods_f(probability, label, max_dist=0.0399, thresholds=1) == 0


def test_nothing_predicted_nothing_true_nothing_valid():
    empty, full = torch.zeros(1, 1, 6, 6), torch.ones(1, 1, 6, 6)
    for probability, label in ((empty, full), (full, empty), (empty, empty), (full, full * 255)):
        assert ods_f(probability, label) == 0
        assert ois_f(probability, label) == 0


def test_long_boundaries_match_in_no_time():
    """Parallel lines a little shorter than each other: the layered graph on which a naive search takes forever."""
    predicted, true = np.zeros((2, 60, 400), bool)
    predicted[::4, :] = True
    true[2::4, 3:-5] = True
    true[2::4, 200] = False
    assert matched_pixels(predicted, true, 7.7) == true.sum()
