"""``nas-ctx data``: what the commands print, write and refuse."""

from __future__ import annotations

import re
import shutil
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from nas_ctx.cli import main
from nas_ctx.data import DATASETS, NYUD
from nas_ctx.data.check import check
from nas_ctx.data.rooms import write_rooms
from nas_ctx.data.show import CAPTION, GAP, HEAD, TILE, contact_sheet
from nas_ctx.tasks import TASKS, Depth, SemSeg
from nas_ctx.tasks.drawing import palette

SIZE = (48, 64)


@pytest.fixture
def copy(rooms, tmp_path):
    return shutil.copytree(rooms, tmp_path / "copy")


def test_sound_rooms_have_no_problems(rooms, capsys):
    assert main(["data", "check", str(rooms)]) == 0
    out = capsys.readouterr().out
    assert "nyud layout" in out
    assert out.endswith("no problems\n")
    assert " 14" not in re.search(r"never: ([\d, ]*)", out + "never: ")[1], "rooms have 14 classes, not NYUD-v2's 40"
    line = next(line for line in out.splitlines() if line.split()[:2] == ["train", "depth"])
    depths = [np.load(path) for path in (rooms / "depth").glob("train_*.npy")]
    low, high = min(d.min() for d in depths), max(d.max() for d in depths)
    assert f"{low:g} to {high:g}" in line
    assert " 6 read" in line
    assert "48 x 64 (6)" in line


def test_rooms_with_people_have_no_problems(tmp_path):
    write_rooms(tmp_path / "people", train=4, val=1, size=SIZE, layout="pascal")
    report = check(tmp_path / "people")
    assert report.layout == "pascal"
    assert report.problems == []
    assert report.absent == {}
    assert report.columns["train", "human_parts"].high <= 6


def test_every_kind_of_damage_is_listed_by_file(copy, capsys):
    def change(path, index, value):
        array = np.load(copy / path)
        array[index] = value
        np.save(copy / path, array)

    change("depth/train_00000.npy", (0, 0), np.nan)  # is invalid, as 0
    change("depth/train_00001.npy", (0, slice(3)), -1)
    change("depth/train_00002.npy", ..., 1500)
    change("depth/train_00003.npy", ..., 0)
    change("normals/train_00000.npy", (0, 0), [0, 0, 3])
    change("edge/train_00000.npy", (0, 0), 9)
    np.save(copy / "edge/train_00001.npy", np.zeros((5, 6), np.uint8))
    (copy / "images/train_00004.jpg").write_bytes(b"")
    (copy / "segmentation/train_00005.png").write_bytes(b"")
    shutil.rmtree(copy / "normals.bak", ignore_errors=True)
    (copy / "gt_sets/val.txt").write_text("val_00000\nval_00000\n")
    assert main(["data", "check", str(copy)]) == 2
    out, err = capsys.readouterr()
    problems = [line.removeprefix("PROBLEM ") for line in out.splitlines() if line.startswith("PROBLEM ")]
    expected = [
        "depth label of 'train_00001': 3 negative depths",
        "depth label of 'train_00002': depths up to 1500, expected metres",
        "depth label of 'train_00003': has no valid pixel",
        "normals label of 'train_00000': 1 vectors have neither length 1 nor 0 (up to 3)",
        "edge label of 'train_00000': 1 values are neither 0 nor 1",
        "edge label of 'train_00001': is 5 x 6, its image 48 x 64 pixels",
        "images/train_00004.jpg: damaged",
        "segmentation/train_00005.png: damaged",
        "val: id 'val_00000' is listed 2 times",
    ]
    for text in expected:
        assert sum(text in problem for problem in problems) == 1, text
    assert len(problems) == len(expected)
    assert f"{len(expected)} problems, listed above" in err
    assert err.count("\n") == 1


def test_the_same_fault_of_many_labels_is_one_line(copy, capsys):
    for path in (copy / "edge").iterdir():
        np.save(path, np.load(path) * 255)
    (copy / "images/val_00001.jpg").unlink()
    (copy / "images/val_00002.jpg").unlink()
    assert main(["data", "check", str(copy)]) == 2
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if line.startswith("PROBLEM ") and "no boundary" not in line]
    assert len(lines) == 3, lines
    for split in ("train", "val"):
        more = len(list((copy / "edge").glob(f"{split}_*"))) - 1
        [line] = [line for line in lines if f"{split}: edge label of '{split}_00000'" in line]
        assert "write 1 for what it marks" in line
        assert line.endswith(f"(and {more} more like this)")
    [line] = [line for line in lines if "val_00001.jpg" in line]
    assert line.endswith("(and 1 more like this)")


class WithHeight(NYUD):
    """A layout with a label of its own, kept in the folder of the depths."""

    name = "with-height"
    split_folder = "lists"
    task_options: ClassVar = {"semseg": {"classes": 14}, "height": {"highest": 3}}

    def readers(self):
        return {"height": self._depth, "semseg": self._semseg}

    def label_folders(self, task):
        return super().label_folders("depth" if task == "height" else task)

    def stored(self, task, name):
        return super().stored("depth" if task == "height" else task, name)


class Height(Depth):
    """A task with a check of its own."""

    def __init__(self, *, highest: float) -> None:
        super().__init__()
        self.highest = highest

    def check_label(self, label):
        return [f"heights up to {label.max():g}"] if label.max() > self.highest else []


def test_labels_of_own_data_sets_are_checked_by_their_task_or_for_finite_numbers(copy, monkeypatch):
    (copy / "gt_sets").rename(copy / "lists")
    depth = np.load(copy / "depth/train_00000.npy")
    depth[:] = 2
    depth[0, :2] = np.nan, 9
    np.save(copy / "depth/train_00000.npy", depth)
    monkeypatch.setitem(DATASETS, "with-height", WithHeight)
    report = check(copy)
    assert report.problems == ["train: height label of 'train_00000': 1 values are not finite"]
    assert report.columns["train", "height"].read == 6
    depth[0, 0] = 1
    np.save(copy / "depth/train_00000.npy", depth)
    monkeypatch.setitem(TASKS, "height", Height)
    assert "train: height label of 'train_00000': heights up to 9" in check(copy).problems


def test_absent_labels_and_lists_are_told(copy):
    shutil.rmtree(copy / "normals")
    (copy / "gt_sets/val.txt").unlink()
    report = check(copy)
    assert list(report.absent) == ["normals"]
    assert ("train", "depth") in report.columns
    assert ("train", "normals") not in report.columns
    assert len(report.problems) == 1
    assert "val.txt: no such file" in report.problems[0]


def test_a_folder_of_another_kind_is_refused(tmp_path, capsys):
    for command in (["check"], ["show", "--out", str(tmp_path / "s.png")]):
        assert main(["data", command[0], str(tmp_path), *command[1:]]) == 2
        err = capsys.readouterr().err
        assert "gt_sets (nyud), ImageSets/Context (pascal)" in err
        assert "Label folders of your own" in err
    assert list(tmp_path.iterdir()) == []


def test_the_contact_sheet_shows_images_and_labels(rooms, tasks, tmp_path, capsys):
    out = tmp_path / "sheets" / "sheet.png"
    assert main(["data", "show", str(rooms), "--rows", "2", "--out", str(out)]) == 0
    assert "image, semseg, depth, normals, edge" in capsys.readouterr().out
    sheet = np.asarray(Image.open(out))
    tasks |= {"semseg": SemSeg(classes=14)}  # as many as the rooms' manifest names
    np.testing.assert_array_equal(sheet.shape, contact_sheet(NYUD(rooms, "train", tasks), tasks, rows=2).shape)
    first = np.asarray(Image.open(rooms / "images/train_00000.jpg")).astype(float)
    width = round(TILE * 64 / 48)
    top = HEAD + CAPTION
    tile = sheet[top : top + TILE, GAP : GAP + width].astype(float)
    shrunk = np.asarray(Image.fromarray(tile.astype(np.uint8)).resize((64, 48), Image.Resampling.BOX)).astype(float)
    assert np.corrcoef(shrunk.ravel(), first.ravel())[0, 1] > 0.97
    below = {tuple(colour) for colour in sheet[HEAD + 2 * (CAPTION + TILE + GAP) :].reshape(-1, 3).tolist()}
    assert set(map(tuple, palette(14).tolist())) <= below  # the key of the classes


def test_a_configuration_is_drawn_with_its_own_labels(copy, tmp_path, capsys):
    shutil.copytree(copy / "segmentation", copy / "areas")
    config = tmp_path / "own.yaml"
    config.write_text(
        f"data: {{root: {copy}}}\n"
        "tasks: {semseg: {classes: 14}, areas: {type: semseg, classes: 14, labels: areas}}\n"
    )
    path = tmp_path / "sheet.png"
    assert main(["data", "show", str(config), "--out", str(path), "--rows", "2"]) == 0
    assert capsys.readouterr().out.endswith("image, semseg, areas\n")
    assert Image.open(path).height > HEAD + 2 * (CAPTION + TILE + GAP) + GAP  # and the keys of two maps of classes


def test_rooms_are_written_and_reused_by_the_command(tmp_path, capsys):
    command = ["data", "rooms", str(tmp_path / "r"), "--train", "1", "--val", "1", "--size", "16", "24"]
    assert main(command) == 0
    assert main(command) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("wrote 1 training and 1 validation scenes of 16 x 24")
    assert out[1].startswith("reusing")
    assert main([*command, "--layout", "kitti"]) == 2
    assert "unknown layout 'kitti'; known: nyud, pascal" in capsys.readouterr().err
    assert main([*command, "--layout", "pascal"]) == 2
    assert "holds rooms with layout 'nyud', asked for 'pascal'" in capsys.readouterr().err


def stored_from_0(root):
    for path in (root / "segmentation").glob("*.png"):
        values = np.array(Image.open(path))
        values[0, 0] = 1  # the wall, in every picture
        Image.fromarray(np.where(values > 0, values - 1, 0).astype(np.uint8)).save(path)


def times(folder, factor):
    def change(root):
        for path in (root / folder).glob("*.npy"):
            np.save(path, np.load(path) * np.float32(factor))

    return change


NOTED = {
    "classes from 0": (
        stored_from_0,
        "semseg: 0, which is ignored, is in every label, and the last class, 14, in none",
    ),
    "depth in tens": (times("depth", 0.1), "depth: the median depth is 0."),
    "depth of a street": (times("depth", 12), "depth: the median depth is "),
    "normals away": (times("normals", -1), "of the normals have z > 0 and point away from the camera"),
}


@pytest.mark.parametrize("case", NOTED)
def test_what_may_be_a_mistake_is_noted_and_no_problem(case, copy, tmp_path, capsys):
    damage, told = NOTED[case]
    config = tmp_path / "run.yaml"
    config.write_text(
        f"data: {{root: {copy}, image_size: [48, 64], batch_size: 2}}\n"
        "tasks: {semseg: {classes: 14}, depth: {}, normals: {}}\n"
    )
    assert main(["data", "check", str(config)]) == 0
    assert "NOTE" not in capsys.readouterr().out
    damage(copy)
    assert main(["data", "check", str(config)]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("NOTE ")]
    assert [note.split()[1] for note in notes] == ["train:", "val:"]
    assert all(told in note for note in notes)


def test_labels_that_hold_little_are_counted(copy):
    for name, value in (("train_00001", 0), ("train_00002", 3), ("train_00004", 3)):
        Image.new("L", SIZE[::-1], value).save(copy / f"segmentation/{name}.png")
    report = check(copy)
    assert report.problems == []
    lines = "\n".join(report.lines())
    assert (
        "1 label ignored throughout, such as 'train_00001'; 2 labels of one class only, such as 'train_00002'" in lines
    )
