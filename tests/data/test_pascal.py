"""The PASCAL-Context reader against files made by hand, and against what the generator knows of its rooms."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from nas_ctx.data import PASCAL, DataModule
from nas_ctx.data.context_classes import HAVE_NORMALS, HUMAN_PARTS
from nas_ctx.data.pascal import decode_normals, human_parts, label_edges
from nas_ctx.data.rooms import write_rooms
from nas_ctx.data.rooms.labels import salient_item
from nas_ctx.data.rooms.scene import PERSON
from nas_ctx.data.rooms.writing import take
from nas_ctx.errors import InputError
from nas_ctx.tasks import make_tasks
from nas_ctx.testing import check_dataset

SIZE = (48, 64)
NAMES = ("semseg", "edge", "normals", "saliency", "human_parts")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "pascal"
    write_rooms(folder, train=8, val=2, size=SIZE, seed=3, layout="pascal")
    return folder


@pytest.fixture
def copy(root, tmp_path):
    return shutil.copytree(root, tmp_path / "copy")


@pytest.fixture
def tasks():
    return make_tasks({"semseg": {"classes": 21}, **{name: {} for name in NAMES[1:]}})


def test_does_what_every_data_set_must(root, tasks):
    check_dataset("pascal", root, tasks)


def test_what_is_read_is_what_was_rendered(root):
    dataset = PASCAL(root, "train", dict.fromkeys(NAMES))
    people = 0
    for index in range(8):
        sample = dataset[index]
        scene, shot = take(3, 0, index, SIZE, figures=True)
        names = np.array(scene.items, dtype=object)[shot.items]
        np.testing.assert_array_equal(sample["semseg"] == 15, names == PERSON)
        np.testing.assert_array_equal(sample["semseg"] == 9, names == "chair")
        np.testing.assert_array_equal(sample["semseg"] == 255, names == "unlabelled")
        np.testing.assert_array_equal(sample["human_parts"], shot.roles * (names == PERSON))
        np.testing.assert_array_equal(sample["saliency"] == 1, shot.items == salient_item(shot.items, scene.items))
        valid = names != "unlabelled"
        np.testing.assert_allclose(sample["normals"][valid], shot.normals[valid], atol=0.008)
        assert (sample["normals"][~valid] == 0).all()
        people += bool((names == PERSON).any())
    assert people >= 4


def test_both_places_of_semseg_are_read_and_voc_comes_first(copy):
    assert sorted(path.name for path in (copy / "semseg").iterdir()) == ["VOC12", "pascal-context"]
    assert all(any((copy / "semseg" / place).glob("*.png")) for place in ("VOC12", "pascal-context"))
    Image.new("L", SIZE[::-1], 7).save(copy / "semseg/VOC12/train_00001.png")
    assert (PASCAL(copy, "train", {"semseg": ...})[1]["semseg"] == 7).all()


def test_edges_are_thin_lines_where_the_label_changes():
    rng = np.random.default_rng(0)
    label_map = np.kron(rng.integers(1, 460, (4, 5)), np.ones((12, 12), int)).astype(np.int32)
    edge = label_edges(label_map)
    changes = np.zeros(label_map.shape, bool)
    for axis in (0, 1):
        for step in (-1, 1):
            moved = np.roll(label_map, step, axis)
            rim = [slice(None), slice(None)]
            rim[axis] = slice(1, None) if step == 1 else slice(None, -1)
            changes[tuple(rim)] |= (moved != label_map)[tuple(rim)]
    assert set(np.unique(edge)) == {0, 1}
    assert (changes[edge == 1]).all()  # lines lie where a neighbour has another label
    assert 0.4 * changes.sum() < edge.sum() < 0.6 * changes.sum()  # and are one of the two pixels wide
    blocks = edge[:-1, :-1] + edge[1:, :-1] + edge[:-1, 1:] + edge[1:, 1:]
    assert (blocks == 4).mean() < 0.001


def test_normals_are_decoded_where_the_class_has_some():
    coded = np.array([[[255, 127, 128], [0, 128, 127], [128, 127, 128], [255, 255, 255]]], np.uint8)
    normals = decode_normals(coded, np.array([[True, True, True, False]]))
    np.testing.assert_allclose(normals[0], [[1, 0, 0], [-1, 0, 0], [0, 0, 0], [0, 0, 0]], atol=0.005)
    assert HAVE_NORMALS["wall"] == 440
    assert 431 not in HAVE_NORMALS.values()
    assert len(set(HAVE_NORMALS.values())) == len(HAVE_NORMALS)
    assert list(HAVE_NORMALS) == sorted(HAVE_NORMALS)  # numbers and names are in one order: a slip would show
    assert list(HAVE_NORMALS.values()) == sorted(HAVE_NORMALS.values())


def annotation(*objects):
    def struct(fields, rows):
        table = np.empty((1, len(rows)) if rows else (0, 0), dtype=[(field, object) for field in fields])
        for i, row in enumerate(rows):
            table[0, i] = row
        return table

    made = [(kind, number, mask, struct(("part_name", "mask"), parts)) for kind, number, mask, parts in objects]
    return struct(("imname", "objects"), [("a", struct(("class", "class_ind", "mask", "parts"), made))])


def test_parts_of_people_overwrite_each_other_in_order(tmp_path):
    from scipy.io import loadmat

    whole = np.ones((4, 6), np.uint8)
    upper, left = whole.copy(), whole.copy()
    upper[2:], left[:, 3:] = 0, 0
    people = annotation(
        ("horse", 13, whole, [("head", whole)]),
        ("person", 15, whole, []),
        ("person", 15, whole, [("torso", whole), ("lfoot", upper), ("rebrow", left)]),
    )
    savemat(tmp_path / "a.mat", {"anno": people})
    labels = human_parts(loadmat(tmp_path / "a.mat")["anno"])
    np.testing.assert_array_equal(labels, np.where(left, 1, np.where(upper, 6, 2)))
    assert set(HUMAN_PARTS.values()) == set(range(1, 7))


def test_the_index_of_parts_saves_reading_images_without_people(copy):
    index_file = copy / "ImageSets/Parts/train.txt"
    with_index = [PASCAL(copy, "train", {"human_parts": ...})[i]["human_parts"] for i in range(8)]
    index_file.unlink()
    without = [PASCAL(copy, "train", {"human_parts": ...})[i]["human_parts"] for i in range(8)]
    np.testing.assert_array_equal(with_index, without)
    assert any(labels.any() for labels in without)
    index_file.write_text(json.dumps({"train_00001": [9], "train_00002": [15]}))
    (copy / "human_parts/train_00001.mat").write_text("not read")
    indexed = PASCAL(copy, "train", {"human_parts": ...})
    assert indexed[1]["human_parts"].shape == SIZE
    assert not indexed[1]["human_parts"].any()
    np.testing.assert_array_equal(indexed[2]["human_parts"], without[2])


def test_batches_train_all_five_tasks(root, tasks):
    batch = next(iter(DataModule("pascal", root, tasks, SIZE, batch_size=4).train_dataloader()))
    import torch

    for name, task in tasks.items():
        loss = task.loss(torch.randn(4, task.channels, *SIZE), batch[name])
        assert torch.isfinite(loss), name


@pytest.mark.parametrize(
    ("place", "task", "content", "message"),
    [
        ("pascal-context/trainval/val_00000.mat", "edge", b"MATLAB 5.0 no", "without the expected LabelMap"),
        ("human_parts/val_00000.mat", "human_parts", b"", "without the expected anno"),
        ("ImageSets/Parts/val.txt", "human_parts", b"[1", "not JSON at line 1"),
        ("ImageSets/Parts/val.txt", "human_parts", b"[1]", "expected JSON of the form"),
    ],
)
def test_damaged_files_give_one_line(copy, tasks, place, task, content, message):
    (copy / "ImageSets/Parts/val.txt").unlink()
    path = copy / place
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        list(DataModule("pascal", copy, {task: tasks[task]}, SIZE).val_dataloader())
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_matlab_variables_and_shapes_are_refused(copy, tasks):
    savemat(copy / "pascal-context/trainval/val_00000.mat", {"other": np.ones(SIZE)})
    only = {"edge": tasks["edge"]}
    with pytest.raises(InputError, match="holds other, expected LabelMap"):
        list(DataModule("pascal", copy, only, SIZE).val_dataloader())
    savemat(copy / "pascal-context/trainval/val_00000.mat", {"LabelMap": np.ones((3, 4), np.uint16)})
    with pytest.raises(InputError, match="is 3 x 4, its image 48 x 64"):
        list(DataModule("pascal", copy, only, SIZE).val_dataloader())
    with pytest.raises(InputError, match="its label map 3 x 4 pixels"):
        list(DataModule("pascal", copy, {"normals": tasks["normals"]}, SIZE).val_dataloader())
