"""Options from a configuration, labels on their way into a batch, and pictures: what single tasks promise."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from nas_ctx.errors import InputError
from nas_ctx.tasks import TASKS, Depth, Edge, HumanParts, Normals, Saliency, SemSeg, make_tasks, register_task
from nas_ctx.tasks.drawing import NEUTRAL, palette


def test_order_and_options_are_kept():
    tasks = make_tasks(
        {"edge": {"positive_weight": 0.95, "max_dist": 0.0075}, "semseg": {"classes": 21}, "depth": None}
    )
    assert list(tasks) == ["edge", "semseg", "depth"]
    assert tasks["edge"].positive_weight == 0.95
    assert tasks["edge"].metric().max_dist == 0.0075
    assert tasks["semseg"].channels == 21


@pytest.mark.parametrize(
    ("mapping", "match"),
    [
        ({"sem": {}}, "unknown task 'sem'; known: .*depth, edge, .*semseg.*; did you mean 'semseg'"),
        ({"edge": 3}, "tasks.edge: 3, expected a mapping of options"),
        ({"edge": {"positive_weight": 1}}, "tasks.edge.positive_weight: 1, expected a number between 0 and 1"),
        ({"edge": {"thresholds": 9.5}}, "tasks.edge.thresholds: 9.5, expected a whole number from 1 to 999"),
        ({"semseg": {"classes": 1}}, "tasks.semseg.classes: 1, expected a whole number from 2 to 255"),
        ({"semseg": {"classes": 256}}, "tasks.semseg.classes: 256, expected a whole number from 2 to 255"),
        ({"depth": {"minimum": 10}}, r"tasks.depth.minimum: 10, expected less than maximum \(10\)"),
        ({"depth": {"mode": "bins"}}, "unknown tasks.depth.mode 'bins'; known: classification, regression"),
        ({"depth": {"mode": ["bins"]}}, r"tasks.depth.mode: \['bins'\], expected text"),
        ({"normals": {"mode": "bins"}}, "unknown tasks.normals.mode 'bins'; known: classification, regression"),
        ({"normals": {"codebook": "/nowhere.npy"}}, "codebook /nowhere.npy: not a readable .npy file"),
    ],
)
def test_wrong_options_are_refused_in_one_line(mapping, match):
    with pytest.raises(InputError, match=match):
        make_tasks(mapping)


@pytest.mark.parametrize("name", ["image", "id", "loss", "sky/line", "sky.line", "keys", "training", ""])
def test_names_that_stand_for_something_else_are_refused(name):
    """In a batch, in scores, in block labels, or in torch's dictionary of modules."""
    with pytest.raises(InputError, match=rf"^tasks\.{re.escape(name)}: a task cannot be called {name!r}: ") as caught:
        make_tasks({name: {"type": "depth"}})
    assert "\n" not in str(caught.value)


def test_an_own_task_is_one_class():
    @register_task("parity")
    class Parity(SemSeg):
        name = "parity"

        def __init__(self, *, odd: bool = True) -> None:
            super().__init__(classes=2)
            self.odd = odd

    try:
        task = make_tasks({"parity": {"odd": False}})["parity"]
        assert isinstance(task, Parity)
        assert task.odd is False
        with pytest.raises(InputError, match=r"tasks\.parity\.even: unknown option; known: odd"):
            make_tasks({"parity": {"even": True}})
    finally:
        del TASKS["parity"]


@pytest.mark.parametrize("task", [SemSeg(classes=5), HumanParts(), Saliency()], ids=lambda task: task.name)
def test_classes_that_a_task_does_not_have_are_refused(task):
    with pytest.raises(
        InputError, match=rf"tasks.{task.name}: a label holds class {task.channels}, expected 0..{task.channels - 1}"
    ):
        task.to_tensor(np.array([[0, 255, task.channels]], np.uint8))


def test_depth_label():
    task = Depth()
    raw = np.array([[0.0, 2.0, -1.0, np.nan, np.inf]], np.float32)
    assert task.to_tensor(task.mark_ignore(raw)).tolist() == [[[255, 2, 255, 255, 255]]]
    np.testing.assert_allclose(task.scale(raw, 2.0)[0, :2], [0, 1])  # twice as large is half as far
    assert task.to_tensor(task.mark_ignore(task.scale(raw, 2.0))).dtype == torch.float32


def test_normals_label():
    task = Normals()
    raw = np.array([[[0.6, 0.0, 0.8], [0.0, 0.0, 0.0], [np.nan, 0.0, 1.0]]], np.float32)
    np.testing.assert_allclose(task.flip(raw)[0, 0], [-0.6, 0.0, 0.8])
    label = task.to_tensor(task.mark_ignore(task.flip(raw)))
    assert label.shape == (3, 1, 3)
    assert (label[:, 0, 1:] == 255).all()
    assert label.dtype == torch.float32
    # Flipping must not touch what is ignored, whichever comes first.
    assert (task.mark_ignore(task.flip(raw)) == 255).tolist() == (task.mark_ignore(raw) == 255).tolist()


def test_people_without_parts_are_ignored_whole():
    task = HumanParts()
    nobody = np.array([[0, 0], [255, 0]], np.uint8)
    somebody = np.array([[0, 3], [255, 0]], np.uint8)
    assert (task.mark_ignore(nobody) == 255).all()
    np.testing.assert_array_equal(task.mark_ignore(somebody), somebody)


def test_depth_is_predicted_at_or_above_zero_and_normals_at_length_one():
    assert Depth().predict(torch.tensor([-2.0, 3.0]).view(1, 1, 1, 2)).flatten().tolist() == [0, 3]
    torch.testing.assert_close(Normals().predict(torch.randn(1, 3, 4, 4)).norm(dim=1), torch.ones(1, 4, 4))
    assert Normals().predict(torch.zeros(1, 3, 1, 1)).abs().max() == 0


def test_colours_of_classes_are_told_apart():
    lab = rgb2lab(np.concatenate([palette(41), [NEUTRAL]])[None] / 255)[0]
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1000 * np.eye(42)
    assert distance.min() > 20  # a difference of 2 is visible side by side
    assert np.hypot(lab[0, 1], lab[0, 2]) < 18  # class 0 is most of a picture


def test_pictures_of_known_values():
    grey = list(NEUTRAL)
    assert Normals().render(np.array([[[1.0, -1, 0], [255, 255, 255]]])).tolist() == [[[255, 0, 128], grey]]
    for task in (Edge(), Saliency()):  # as in the picture that `predict` writes, 1 is white
        nothing, sure, ignored = task.render(np.array([[0.0, 1.0, 255.0]]))[0].astype(int)
        assert sure.tolist() == [255, 255, 255]
        assert nothing.sum() < 120
        assert ignored.tolist() == grey
        assert np.asarray(task.to_picture(np.array([[0.0, 1.0]]))).tolist() == [[0, 255]]
    near, far, beyond, nothing = Depth().render(np.array([[0.7, 10.0, 50.0, 255.0]]))[0].astype(int)
    assert near.sum() > far.sum()
    assert beyond.tolist() == far.tolist()
    assert nothing.tolist() == grey
    assert SemSeg(classes=3).render(np.array([[2, 255]])).tolist() == [[palette(3)[2].tolist(), grey]]
