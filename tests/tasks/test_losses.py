"""The losses against loops over pixels that spell out the table of docs/tasks.md, one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.tasks.cases import CASES


def log_softmax(values: list[float]) -> list[float]:
    highest = max(values)
    total = math.log(sum(math.exp(value - highest) for value in values)) + highest
    return [value - total for value in values]


def pixels(logits: torch.Tensor, label: torch.Tensor):
    """(logits of a pixel, label of a pixel) as lists of floats, the ignored ones left out."""
    labels = label.unsqueeze(1) if label.ndim == 3 else label
    for image, row, column in np.ndindex(len(labels), *labels.shape[-2:]):
        truth = labels[image, :, row, column].tolist()
        if truth[0] != 255:
            yield logits[image, :, row, column].tolist(), truth


def cross_entropy(logits, label, class_weight=None) -> float:
    weights = class_weight or [1] * logits.shape[1]
    terms = [-weights[int(t[0])] * log_softmax(x)[int(t[0])] for x, t in pixels(logits, label)]
    return sum(terms) / len(terms)


def balanced_cross_entropy(logits, label) -> float:
    negative = float((label == 0).sum()) / float((label != 255).sum())
    return cross_entropy(logits, label, [1 - negative, negative])


def depth_l1(logits, label) -> float:
    terms = [abs(x[0] - t[0]) for x, t in pixels(logits, label)]
    return sum(terms) / len(terms)


def normals_l1(logits, label) -> float:
    terms = []
    for x, t in pixels(logits, label):
        length = math.sqrt(sum(value**2 for value in x))
        terms.append(sum(abs(a / length - b) for a, b in zip(x, t, strict=True)))
    return sum(terms) / len(terms)


def edge_logistic(logits, label) -> float:
    terms = []
    for (x,), (y,) in pixels(logits, label):
        probability = 1 / (1 + math.exp(-x))
        terms.append(-0.8 * y * math.log(probability) - 0.2 * (1 - y) * math.log(1 - probability))
    return sum(terms) / len(terms)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("semseg", cross_entropy),
        ("human_parts", cross_entropy),
        ("saliency", balanced_cross_entropy),
        ("depth", depth_l1),
        ("normals", normals_l1),
        ("edge", edge_logistic),
    ],
)
def test_loss_of_the_final_prediction(name, reference):
    case = CASES[name]
    label = case.label((2, 5, 6), ignored=0.3)
    logits = case.logits(label).double()
    assert case.task.loss(logits, label).item() == pytest.approx(reference(logits, label), rel=1e-6)


def depth_region(depth: float) -> int:
    return min(max(math.floor(40 * math.log(depth / 0.7) / math.log(10 / 0.7)), 0), 39)


@pytest.mark.parametrize("name", ["semseg", "human_parts", "depth", "normals"])
def test_auxiliary_loss_is_the_cross_entropy_of_the_region(name):
    case = CASES[name]
    label = case.label((2, 5, 6), ignored=0.3)
    logits = case.auxiliary(label).double()
    region = {
        "semseg": lambda truth: int(truth[0]),
        "human_parts": lambda truth: int(truth[0]),
        "depth": lambda truth: depth_region(truth[0]),
        "normals": lambda truth: (
            int(np.argmin(np.linalg.norm(case.task.codebook.numpy() - truth, axis=1))) if name == "normals" else None
        ),
    }[name]
    terms = [-log_softmax(x)[region(t)] for x, t in pixels(logits, label)]
    assert case.task.auxiliary_loss(logits, label).item() == pytest.approx(sum(terms) / len(terms), rel=1e-6)


def test_auxiliary_losses_of_two_classes_are_weighted():
    edge, saliency = CASES["edge"], CASES["saliency"]
    label = edge.label((2, 5, 6), ignored=0.3)
    logits = edge.auxiliary(label).double()
    expected = cross_entropy(logits, label, [1 - 0.8, 0.8])
    assert edge.task.auxiliary_loss(logits, label).item() == pytest.approx(expected, rel=1e-6)
    label = saliency.label((2, 5, 6), ignored=0.3)
    logits = saliency.auxiliary(label).double()
    assert saliency.task.auxiliary_loss(logits, label).item() == pytest.approx(
        balanced_cross_entropy(logits, label), rel=1e-6
    )


def test_loss_weights_are_those_of_the_supplement():
    weights = {"semseg": 1, "human_parts": 2, "saliency": 5, "depth": 1, "normals": 10, "edge": 50}
    assert {name: CASES[name].task.weight for name in weights} == weights


def test_depth_regions_at_the_borders():
    depths = [0.01, 0.699, 0.7, 0.75, 2.0, 9.99, 10.0, 80.0, 254.0]
    label = torch.tensor(depths).view(1, 1, 1, -1)
    assert CASES["depth"].task.partition(label).flatten().tolist() == [depth_region(depth) for depth in depths]
