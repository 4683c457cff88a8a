"""The training augmentation, step by step on labels, and colours against the standard library's conversions."""

from __future__ import annotations

import colorsys
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nas_ctx.data import colour
from nas_ctx.data.base import Draw
from nas_ctx.data.transforms import (
    MEAN,
    STD,
    EvalTransform,
    TrainTransform,
    Window,
    is_varied,
    pad,
    random_window,
    resample_image,
    resample_label,
    scaled_size,
    standardise,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def sample(rng):
    """40 x 60, labels that can be told apart pixel by pixel, one column invalid."""
    normals = rng.normal(size=(40, 60, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    depth = rng.uniform(1, 9, (40, 60)).astype(np.float32)
    depth[:, 3], normals[:, 3] = 0, 0
    return {
        "image": rng.integers(0, 256, (40, 60, 3)).astype(np.uint8),
        "id": "a",
        "semseg": rng.integers(0, 14, (40, 60)).astype(np.uint8),
        "depth": depth,
        "normals": normals,
        "edge": (rng.random((40, 60)) < 0.2).astype(np.float32),
    }


@pytest.mark.parametrize("factor", [0.5, 0.73, 1.0, 1.31, 2.0])
def test_a_window_of_the_scaled_picture_is_scaling_then_cropping(sample, factor):
    size = scaled_size((40, 60), factor)
    window = Window(3, 5, size[0] - 7, size[1] - 9)
    where = (slice(3, size[0] - 4), slice(5, size[1] - 4))
    whole = F.interpolate(torch.from_numpy(sample["image"]).permute(2, 0, 1)[None].double(), size, mode="bilinear")
    scaled = resample_image(sample["image"], size, window)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, whole[0].permute(1, 2, 0).numpy()[where], atol=1e-3)
    # A label has the value of the pixel under the new pixel's centre, by fractions.
    rows, columns = (
        [int(Fraction(2 * i + 1, 2) * n / m) for i in range(m)] for n, m in zip((40, 60), size, strict=True)
    )
    nearest = sample["semseg"][rows][:, columns]
    np.testing.assert_array_equal(resample_label(sample["semseg"], size, window), nearest[where])


def test_labels_of_several_channels_are_resampled_alike(sample):
    size, window = scaled_size((40, 60), 1.4), Window(2, 3, 30, 40)
    one = resample_label(sample["normals"], size, window)
    for channel in range(3):
        np.testing.assert_array_equal(
            one[:, :, channel], resample_label(sample["normals"][:, :, channel], size, window)
        )


def test_windows_stay_inside_and_reach_every_place(rng):
    seen = {random_window((5, 6), (4, 4), rng)[:2] for _ in range(200)}
    assert seen == {(top, left) for top in range(2) for left in range(3)}
    assert random_window((3, 9), (4, 4), rng)[2:] == (3, 4)


def test_a_crop_is_tried_ten_times_until_varied(rng):
    label = np.zeros((20, 20), dtype=np.uint8)
    label[:, 10:] = 1
    kept = [random_window((20, 20), (8, 8), rng, label) for _ in range(300)]
    varied = np.mean([is_varied(resample_label(label, (20, 20), window)) for window in kept])
    blind = [random_window((20, 20), (8, 8), rng) for _ in range(300)]
    share = np.mean([is_varied(resample_label(label, (20, 20), window)) for window in blind])
    assert share < 0.5 < 0.9 < varied
    assert random_window((20, 20), (8, 8), rng, np.zeros((20, 20), np.uint8)).height == 8  # gives up, keeps the last


@pytest.mark.parametrize(
    ("label", "varied"),
    [([0] * 3 + [1], False), ([0] * 74 + [1] * 26, True), ([255] * 90 + [0] * 5 + [1] * 5, True), ([255] * 4, False)],
)
def test_varied_is_more_than_one_class_and_none_on_three_quarters(label, varied):
    assert is_varied(np.array([label])) is varied


def test_padding_is_centred():
    padded = pad(np.ones((2, 3, 3), np.float32), (5, 7), 255)
    assert padded.shape == (5, 7, 3)
    np.testing.assert_array_equal(np.argwhere(padded[:, :, 0] == 1).min(0), [1, 2])
    assert pad(padded, (3, 3), 0) is padded


def test_standardise():
    image = np.full((1, 1, 3), 51, np.uint8)
    np.testing.assert_allclose(standardise(image)[0, 0], (0.2 - MEAN) / STD, rtol=1e-5)
    assert standardise(image).dtype == np.float32


def hsv(image):
    return np.array([[colorsys.rgb_to_hsv(*pixel) for pixel in row] for row in image.astype(float) / 255])


def rgb(image):
    return 255 * np.array([[colorsys.hsv_to_rgb(*pixel) for pixel in row] for row in image])


@pytest.mark.parametrize("degrees", [-36.0, 7.0, 36.0])
def test_hue_turns_the_hue_of_hsv(sample, degrees):
    image = sample["image"][:8, :8].astype(np.float32)
    image[0, 0], image[0, 1] = 0, 128  # black and grey have no hue
    wanted = hsv(image)
    wanted[:, :, 0] = (wanted[:, :, 0] + degrees / 360) % 1
    np.testing.assert_allclose(colour.hue(image, degrees), rgb(wanted), atol=0.01)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5])
def test_saturation_scales_the_saturation_of_hsv(sample, factor):
    image = sample["image"][:8, :8].astype(np.float32)
    image[0, 0], image[0, 1] = 0, 128
    wanted = hsv(image)
    wanted[:, :, 1] = np.minimum(wanted[:, :, 1] * factor, 1)
    np.testing.assert_allclose(colour.saturation(image, factor), rgb(wanted), atol=0.01)


def test_brightness_and_contrast_stay_in_range():
    image = np.array([[[0, 100, 250]]], np.float32)
    np.testing.assert_allclose(colour.brightness(image, 10), [[[10, 110, 255]]])
    np.testing.assert_allclose(colour.brightness(image, -10), [[[0, 90, 240]]])
    np.testing.assert_allclose(colour.contrast(image, 1.5), [[[0, 150, 255]]])


def test_each_colour_change_happens_half_the_time(monkeypatch):
    seen: list[tuple[str, float]] = []
    for name in ("brightness", "contrast", "saturation", "hue"):
        monkeypatch.setattr(colour, name, lambda image, value, name=name: seen.append((name, value)) or image)
    orders = set()
    for seed in range(400):
        start = len(seen)
        colour.jitter(np.zeros((1, 1, 3), np.float32), np.random.default_rng(seed))
        orders.add(tuple(name for name, _ in seen[start:]))
    for name, low, high in (
        ("brightness", -32, 32),
        ("contrast", 0.5, 1.5),
        ("saturation", 0.5, 1.5),
        ("hue", -36, 36),
    ):
        values = [value for kind, value in seen if kind == name]
        assert 150 < len(values) < 250
        assert low <= min(values) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values) <= high
    assert ("brightness", "contrast", "saturation", "hue") in orders
    assert ("brightness", "saturation", "hue", "contrast") in orders


def test_evaluation_standardises_pads_and_marks(sample, tasks):
    ready = EvalTransform(tasks, (44, 60))(sample, Draw(0, 0))
    assert ready["unlabelled"] == []
    assert {name: tuple(value.shape) for name, value in ready.items() if name not in ("id", "unlabelled")} == {
        "image": (3, 44, 60),
        "semseg": (44, 60),
        "depth": (1, 44, 60),
        "normals": (3, 44, 60),
        "edge": (1, 44, 60),
    }
    assert ready["semseg"].dtype == torch.int64
    for name in tasks:
        label = ready[name] if name == "semseg" else ready[name].squeeze(0)
        assert (label[..., [0, 1, 42, 43], :] == 255).all(), name
    assert (ready["depth"][0, :, 3] == 255).all()
    assert (ready["normals"][:, :, 3] == 255).all()
    assert (ready["image"][:, 0] == 0).all()
    np.testing.assert_array_equal(ready["depth"][0, 2:42, 4:], sample["depth"][:, 4:])
    np.testing.assert_array_equal(ready["semseg"][2:42], sample["semseg"])


def test_training_changes_all_labels_alike(sample, tasks):
    """Every pixel of the augmented labels comes from one and the same pixel of the originals."""
    height, width = sample["semseg"].shape
    source = np.arange(1000, height * width + 1000, dtype=np.float32).reshape(height, width)
    marked = {**sample, "depth": source, "edge": source}
    transform = TrainTransform(tasks, (32, 48), seed=3)
    flips = []
    for index in range(20):
        ready = transform(marked, Draw(0, index))
        assert ready["image"].shape == (3, 32, 48)
        place = ready["edge"][0].numpy()
        inside = place != 255
        factors = place[inside] / ready["depth"][0].numpy()[inside]
        assert np.ptp(factors) < 1e-3 * factors[0]  # depth was divided by one factor, the scale
        assert 0.5 <= factors[0] <= 2
        row, column = np.divmod(place.astype(int) - 1000, width)
        np.testing.assert_array_equal(ready["semseg"].numpy()[inside], sample["semseg"][row, column][inside])
        line = len(column) // 2
        flipped = bool((np.diff(column[line][inside[line]]) < 0).any())
        flips.append(flipped)
        step = np.abs(np.diff(column[line][inside[line]])).mean()
        assert step * factors[0] == pytest.approx(1, abs=0.1)  # twice as large is half as far away
        normals = ready["normals"].numpy().transpose(1, 2, 0)
        expected = sample["normals"][row, column] * ([-1, 1, 1] if flipped else [1, 1, 1])
        expected[~expected.any(2)] = 255
        np.testing.assert_allclose(normals[inside], expected[inside])
        assert (ready["semseg"].numpy()[~inside] == 255).all()
    assert 4 < sum(flips) < 16


def test_randomness_depends_on_seed_epoch_and_index_only(sample, tasks):
    def made(seed, epoch, index):
        return TrainTransform(tasks, (32, 48), seed)(sample, Draw(epoch, index))["image"]

    first = made(0, 0, 0)
    assert torch.equal(first, made(0, 0, 0))
    assert not any(torch.equal(first, made(*other)) for other in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
