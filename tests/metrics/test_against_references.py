"""Every metric against a library or a loop that says the same thing another way, to 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import fbeta_score, jaccard_score, root_mean_squared_error
from torch.nn import functional as F

from nas_ctx.metrics import (
    AngularErrors,
    DepthErrors,
    MaxF,
    MeanIoU,
    angular_errors,
    confusion_matrix,
    delta_m,
    depth_rmse,
    max_f,
    mean_angular_error,
    mean_iou,
)


@pytest.fixture(params=range(3))
def generator(request: pytest.FixtureRequest) -> torch.Generator:
    return torch.Generator().manual_seed(request.param)


def with_ignored(label: torch.Tensor, generator: torch.Generator, share: float = 0.2) -> torch.Tensor:
    return torch.where(torch.rand(label.shape, generator=generator) < share, 255, label)


def test_mean_iou_against_scikit_learn(generator):
    prediction = torch.randint(0, 6, (3, 9, 11), generator=generator)  # class 6 of 7 appears nowhere and counts 0
    label = with_ignored(torch.randint(0, 6, (3, 9, 11), generator=generator), generator)
    valid = label != 255
    arguments = (label[valid].numpy(), prediction[valid].numpy())
    expected = jaccard_score(*arguments, average="macro", labels=range(7), zero_division=0)
    metric = MeanIoU(7)
    metric.update(prediction, label)
    assert mean_iou(prediction, label, 7).item() == pytest.approx(expected, abs=1e-6)
    assert metric.compute()["miou"] == mean_iou(prediction, label, 7)
    np.testing.assert_array_equal(
        confusion_matrix(prediction, label, 7), sklearn_confusion(*arguments, labels=range(7))
    )


def test_mean_iou_pools_pixels_rather_than_averaging_images():
    prediction = torch.tensor([[0, 0, 0, 1], [1, 1, 1, 1]])
    label = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 0]])
    assert mean_iou(prediction, label, 2).item() == pytest.approx((3 / 5 + 3 / 5) / 2)


def test_depth_errors_against_scikit_learn_and_a_loop(generator):
    truth = with_ignored(0.5 + 9 * torch.rand(2, 1, 8, 9, generator=generator), generator)
    depth = 0.2 + 9 * torch.rand(2, 1, 8, 9, generator=generator)
    valid = truth != 255
    t, p = truth[valid].double().numpy(), depth[valid].double().numpy()
    metric = DepthErrors()
    metric.update(depth, truth)
    scores = {name: value.item() for name, value in metric.compute().items()}
    assert scores["rmse"] == pytest.approx(root_mean_squared_error(t, p), abs=1e-6)
    assert scores["rmse"] == depth_rmse(depth, truth).item()
    assert scores["log_rmse"] == pytest.approx(root_mean_squared_error(np.log(t), np.log(p)), abs=1e-6)
    for k in (1, 2, 3):
        inside = [max(a / b, b / a) < 1.25**k for a, b in zip(p, t, strict=True)]
        assert scores[f"delta{k}"] == pytest.approx(sum(inside) / len(inside), abs=1e-9)


def test_negative_depth_counts_as_zero_and_log_error_stays_finite():
    metric = DepthErrors()
    metric.update(torch.tensor([-3.0]), torch.tensor([2.0]))
    scores = metric.compute()
    assert scores["rmse"] == 2
    assert scores["log_rmse"].item() == pytest.approx(np.log(2 / 1e-3))
    assert scores["delta3"] == 0


def test_angles_against_arccos(generator):
    truth = F.normalize(torch.randn(2, 3, 9, 10, generator=generator), dim=1)
    normals = torch.randn(2, 3, 9, 10, generator=generator) * 3
    ignored = torch.rand(2, 1, 9, 10, generator=generator) < 0.2
    label = torch.where(ignored, 255.0, truth)
    t = truth.movedim(1, -1)[~ignored[:, 0]].double().numpy()
    p = normals.movedim(1, -1)[~ignored[:, 0]].double().numpy()
    cosine = (t * p).sum(1) / np.linalg.norm(t, axis=1) / np.linalg.norm(p, axis=1)
    expected = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    np.testing.assert_allclose(angular_errors(normals, label), expected, atol=1e-6)
    metric = AngularErrors()
    metric.update(normals, label)
    scores = {name: value.item() for name, value in metric.compute().items()}
    assert scores["mean_angle"] == pytest.approx(expected.mean(), abs=1e-6)
    assert mean_angular_error(normals, label).item() == pytest.approx(expected.mean(), abs=1e-6)
    assert scores["median_angle"] == pytest.approx(np.median(expected), abs=1e-3)
    for limit in (11.25, 22.5, 30):
        assert scores[f"below_{limit:g}"] == pytest.approx((expected < limit).mean(), abs=1e-9)


@pytest.mark.parametrize(("degrees"), [0.0, 1e-4, 45.0, 180.0])
def test_known_angles(degrees):
    turn = np.radians(degrees)
    truth = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).view(3, 1, 1)
    normal = torch.tensor([np.sin(turn), 0.0, np.cos(turn)]).view(3, 1, 1)
    assert mean_angular_error(normal, truth).item() == pytest.approx(degrees, abs=1e-9)


def test_zero_normal_counts_as_ninety_degrees():
    assert mean_angular_error(torch.zeros(3, 1, 1), torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1)) == 90


def test_max_f_against_scikit_learn(generator):
    truth = torch.randint(0, 2, (3, 8, 9), generator=generator)
    label = with_ignored(truth, generator)
    # Multiples of 0.05 hit the thresholds, where `>=` and `>` differ.
    probability = torch.randint(0, 21, (3, 8, 9), generator=generator) / 20
    valid = label != 255
    expected = max(
        fbeta_score(label[valid].numpy(), probability[valid].numpy() >= np.float32(step / 20), beta=0.3**0.5)
        for step in range(1, 20)
    )
    metric = MaxF()
    for place in range(3):
        metric.update(probability[place], label[place])
    assert max_f(probability, label).item() == pytest.approx(expected, abs=1e-6)
    assert metric.compute()["max_f"] == max_f(probability, label)


def test_nothing_valid():
    nothing = torch.full((1, 4, 4), 255)
    for metric, label, empty in (
        (MeanIoU(3), nothing, 0.0),
        (MaxF(), nothing, 0.0),
        (DepthErrors(), nothing.float(), np.nan),
        (AngularErrors(), nothing.float().expand(3, 4, 4), np.nan),
    ):
        metric.update(torch.zeros_like(label), label)
        np.testing.assert_equal([value.item() for value in metric.compute().values()], [empty] * len(metric.compute()))


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"prediction is \(2, 1, 4, 4\), but label is \(2, 4, 4\)"):
        depth_rmse(torch.ones(2, 1, 4, 4), torch.ones(2, 4, 4))


SINGLE = {"semseg": 38.02, "depth": 0.6104, "normals": 20.94, "edge": 76.22}
HIGHER = {"semseg": True, "depth": False, "normals": False, "edge": True}


@pytest.mark.parametrize(
    ("scores", "published"),
    [  # supplement, tables E-1 and G-1
        ((46.71, 0.5202, 18.16, 76.06), 12.67),
        ((47.71, 0.5160, 17.87, 78.18), 14.55),
        ((36.35, 0.6284, 21.02, 76.36), -1.89),
        ((38.90, 0.6010, 20.48, 76.34), 1.56),
        ((38.19, 0.6032, 20.55, 76.22), 0.87),
    ],
)
def test_delta_m_against_published_tables(scores, published):
    multi = dict(zip(SINGLE, scores, strict=True))
    # The printed scores are rounded to four digits, which moves the percentage by up to 0.03.
    assert delta_m(multi, SINGLE, HIGHER) == pytest.approx(published, abs=0.03)


@pytest.mark.parametrize(
    ("multi", "single", "match"),
    [
        ({}, {}, "same tasks twice"),
        ({"depth": 1.0}, {"semseg": 1.0}, r"multi has \['depth'\], single has \['semseg'\]"),
        ({"colour": 1.0}, {"colour": 1.0}, "nothing about colour"),
        ({"depth": 1.0}, {"depth": 0.0}, "score of depth is 0"),
    ],
)
def test_delta_m_refuses(multi, single, match):
    with pytest.raises(ValueError, match=match):
        delta_m(multi, single, HIGHER)
