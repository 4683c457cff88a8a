"""``nas-ctx data convert``: small files of the structure that is published, and what is read of the result."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from nas_ctx.cli import main
from nas_ctx.data import NYUD, PASCAL
from nas_ctx.data.check import check
from nas_ctx.data.context_classes import HAVE_NORMALS, VOC_CLASSES
from nas_ctx.data.convert.official import CAMERA
from nas_ctx.data.convert.surfaces import Camera, boundaries, normals_from_depth
from nas_ctx.data.rooms import write_rooms
from nas_ctx.data.rooms.writing import take
from nas_ctx.tasks import make_tasks

HEIGHT, WIDTH, COUNT = 480, 640, 3
NAMES = ["wall", "floor", "cup", "toy"]


@pytest.fixture(scope="module")
def official(tmp_path_factory) -> Path:
    """As MATLAB 7.3 writes it: axes in reverse, cells as references, a user block that names the format."""
    folder = tmp_path_factory.mktemp("official")
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        rng = np.random.default_rng(0)
        plane = 1 / (0.4 + 0.0003 * np.arange(WIDTH)[:, None] + np.zeros((WIDTH, HEIGHT)))
        raw = plane.copy()
        raw[100:200, 100:200] = 0
        labels = np.zeros((WIDTH, HEIGHT), np.uint16)
        labels[:300], labels[306:] = 1, 3  # between them an annotator's gap of 6 pixels
        labels[400:, 200:] = 4
        instances = np.ones((WIDTH, HEIGHT), np.uint8)
        instances[500:, 200:] = 2
        stack = lambda array: np.stack([array] * COUNT)  # noqa: E731
        file["images"] = rng.integers(0, 256, (COUNT, 3, WIDTH, HEIGHT), dtype=np.uint8)
        file["depths"] = stack(plane).astype(np.float32)
        file["rawDepths"] = stack(raw).astype(np.float32)
        file["labels"], file["instances"] = stack(labels), stack(instances)
        text = [file.create_dataset(f"#refs#/{i}", data=np.array([[ord(c)] for c in n])) for i, n in enumerate(NAMES)]
        file["names"] = np.array([[part.ref for part in text]], dtype=h5py.ref_dtype)
    content = bytearray((folder / "nyu_depth_v2_labeled.mat").read_bytes())
    content[:124] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124)
    (folder / "nyu_depth_v2_labeled.mat").write_bytes(content)
    scipy.io.savemat(folder / "splits.mat", {"trainNdxs": np.array([[3], [1]]), "testNdxs": np.array([[2]])})
    scipy.io.savemat(folder / "classMapping40.mat", {"mapClass": np.array([[1, 2, 40, 39]], np.uint8)})
    return folder


def command(source: Path, target: Path, *more: str) -> list[str]:
    return ["data", "convert", str(source), str(target), *more]


def official_command(folder: Path, target: Path) -> list[str]:
    further = ["--splits", str(folder / "splits.mat"), "--classes", str(folder / "classMapping40.mat")]
    return command(folder / "nyu_depth_v2_labeled.mat", target, *further)


def test_the_official_file_of_nyud(official, tmp_path, capsys):
    out = tmp_path / "NYUD"
    assert main(official_command(official, out)) == 0
    assert "2 training and 1 validation images of 425 x 560 pixels" in capsys.readouterr().out
    tasks = make_tasks({"semseg": {"classes": 40}, "depth": {}, "normals": {}, "edge": {}})
    data = NYUD(out, "train", tasks)
    assert data.ids == ["0003", "0001"]
    sample = data.read(0)
    crop = np.s_[45:470, 41:601]
    with h5py.File(official / "nyu_depth_v2_labeled.mat") as file:
        np.testing.assert_array_equal(sample["image"], file["images"][2].transpose(2, 1, 0)[crop])
        np.testing.assert_array_equal(sample["depth"], file["depths"][2].T[crop])
        expected = np.array([255, 0, 1, 39, 38])[file["labels"][2].T[crop]]
    np.testing.assert_array_equal(sample["semseg"], expected)
    # A plane of inverse depth 0.4 + 0.0003 x: normal by the camera's matrix, n ~ K^T (slopes and offset), towards us.
    matrix = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1]])
    normal = -matrix.T @ [0.0003, 0, 0.4]
    assert np.abs(sample["normals"][300, 300] - normal / np.linalg.norm(normal)).max() < 1e-3
    assert not sample["normals"][100, 100].any()  # no depth was measured there
    # Boundaries: in the middle of the gap, between classes, between instances of a class; nothing else.
    columns = {int(x) + 41 for x in np.flatnonzero(sample["edge"][50])}
    assert len(columns & {302, 303}) == 1
    assert len(columns) == 1
    columns = {int(x) + 41 for x in np.flatnonzero(sample["edge"][300])}
    assert columns & {399, 400}
    assert columns & {499, 500}
    assert len(columns) == 3
    assert check(out).problems == []


def test_what_the_official_file_needs_is_told(official, tmp_path, capsys):
    source = official / "nyu_depth_v2_labeled.mat"
    assert main(command(source, tmp_path / "x")) == 2
    assert "which needs --splits too" in capsys.readouterr().err
    scipy.io.savemat(tmp_path / "short.mat", {"mapClass": np.ones((1, 3))})
    splits = ["--splits", str(official / "splits.mat")]
    assert main(command(source, tmp_path / "x", *splits, "--classes", str(tmp_path / "short.mat"))) == 2
    assert "short.mat: mapClass has 3 entries for 4 names" in capsys.readouterr().err
    scipy.io.savemat(tmp_path / "splits.mat", {"trainNdxs": np.array([[1], [2]]), "testNdxs": np.array([[2]])})
    classes = ["--classes", str(official / "classMapping40.mat")]
    assert main(command(source, tmp_path / "x", "--splits", str(tmp_path / "splits.mat"), *classes)) == 2
    assert "splits.mat: image 2 is in both splits" in capsys.readouterr().err
    assert main([*official_command(official, tmp_path / "x"), "--parts", "p"]) == 2
    assert "--parts: " in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["short.mat", "splits.mat"]


@pytest.mark.parametrize("name", ["rawDepths", "images"])
def test_an_official_file_of_another_form(official, tmp_path, name, capsys):
    folder = shutil.copytree(official, tmp_path / "copy")
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "r+") as file:
        del file[name]
        if name == "images":
            file[name] = np.zeros((COUNT, 3, 8, 6), np.uint8)
    assert main(official_command(folder, tmp_path / "out")) == 2
    told = {
        "rawDepths": "holds no variable rawDepths",
        "images": "images is stored as 3 x 3 x 8 x 6, expected 3 x 3 x 640",
    }
    assert told[name] in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_damaged_official_file(official, tmp_path, capsys):
    folder = shutil.copytree(official, tmp_path / "copy")
    path = folder / "nyu_depth_v2_labeled.mat"
    path.write_bytes(path.read_bytes()[:5000])
    assert main(official_command(folder, tmp_path / "out")) == 2
    err = capsys.readouterr().err
    assert re.search(r"nyu_depth_v2_labeled\.mat: damaged \(.+\)\n$", err)
    assert err.count("\n") == 1


def test_normals_from_depth_agree_with_rendered_ones():
    """On rooms, whose normals come from the planes and curves that were rendered, not from the depth map."""
    scene, shot = take(0, 0, 1, (240, 320))
    columns, rows = (np.ravel(axis) for axis in scene.camera.plane((240, 320)))
    fx, fy = 1 / (columns[1] - columns[0]), 1 / (rows[1] - rows[0])
    found = normals_from_depth(shot.depth, Camera(fx, fy, -columns[0] * fx, -rows[0] * fy))
    valid = found.any(axis=2)
    angle = np.degrees(np.arccos(np.clip((found * shot.normals).sum(2), -1, 1)))[valid]
    assert valid.mean() > 0.99
    assert np.median(angle) < 0.5
    assert angle.mean() < 6


def test_wide_regions_without_a_label_keep_their_outline():
    regions = np.ones((40, 60), int)
    regions[:, 20:40] = 0
    edge = boundaries(regions, np.linspace(1, 2, 60) + np.zeros((40, 60)))
    assert set(np.flatnonzero(edge[20])) == {19, 39}


def mtan(folder: Path, counts: dict[str, int]) -> Path:
    """float32 pictures of 0..1, labels of -1..12 as float, depth with an axis more, normals of any length."""
    rng = np.random.default_rng(1)
    for split, count in counts.items():
        for i in range(count):
            arrays = {
                "image": rng.integers(0, 256, (6, 8, 3)).astype(np.float32) / 255,
                "label": rng.integers(-1, 13, (6, 8)).astype(np.float32),
                "depth": rng.uniform(0.5, 9, (6, 8, 1)).astype(np.float32),
                "normal": rng.normal(size=(6, 8, 3)),
            }
            arrays["normal"][0, 0] = 0
            for name, array in arrays.items():
                (folder / split / name).mkdir(parents=True, exist_ok=True)
                np.save(folder / split / name / f"{i}.npy", array)
    return folder


def test_the_arrays_of_mtan(tmp_path, capsys):
    source = mtan(tmp_path / "nyuv2", {"train": 11, "val": 2})
    assert main(command(source, tmp_path / "out")) == 0
    assert "11 training and 2 validation images with semseg, depth and normals" in capsys.readouterr().out
    tasks = make_tasks({"semseg": {"classes": 13}, "depth": {}, "normals": {}})
    data = NYUD(tmp_path / "out", "train", tasks)
    assert data.ids == [f"train_{i}" for i in range(11)]
    sample, load = data.read(10), lambda name: np.load(source / "train" / name / "10.npy")
    np.testing.assert_allclose(sample["image"] / 255, load("image"), atol=1e-6)
    np.testing.assert_array_equal(sample["semseg"].astype(int), np.where(load("label") < 0, 255, load("label")))
    np.testing.assert_array_equal(sample["depth"], load("depth")[:, :, 0])
    np.testing.assert_allclose(np.linalg.norm(sample["normals"], axis=2)[load("normal").any(axis=2)], 1, atol=1e-5)
    assert check(tmp_path / "out").problems == []


@pytest.mark.parametrize(
    ("name", "value", "told"), [("image", 200.0, "expected 0 to 1"), ("label", 2.5, "classes, -1"), ("depth", None, "")]
)
def test_arrays_of_another_convention(tmp_path, name, value, told, capsys):
    source = mtan(tmp_path / "nyuv2", {"train": 1, "val": 1})
    path = source / "val" / name / "0.npy"
    if value is None:
        np.save(path, np.zeros((3, 4)))
        told = "the depth label of 0.npy is 3 x 4, its image 6 x 8"
    else:
        array = np.load(path)
        array[0] = value
        np.save(path, array)
    assert main(command(source, tmp_path / "out")) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def voc(tmp_path_factory) -> Path:
    """VOC2010, trainval, labels.txt and Annotations_Part, made of rooms with people in the layout of the archive."""
    folder = tmp_path_factory.mktemp("voc")
    rooms = folder / "rooms"
    write_rooms(rooms, train=3, val=1, size=(24, 32), layout="pascal")
    source = folder / "VOCdevkit" / "VOC2010"
    (source / "ImageSets/Main").mkdir(parents=True)
    (rooms / "JPEGImages").rename(source / "JPEGImages")
    for split in ("train", "val"):
        ids = (rooms / f"ImageSets/Context/{split}.txt").read_text()
        (source / f"ImageSets/Main/{split}.txt").write_text(ids + f"{split}_unlabelled\n")
    (rooms / "semseg/VOC12").rename(source / "SegmentationClass")  # of every other picture
    (rooms / "pascal-context/trainval").rename(folder / "trainval")
    (rooms / "human_parts").rename(folder / "Annotations_Part")
    names = dict.fromkeys(range(1, 460), "?") | {number: name for name, number in HAVE_NORMALS.items()}
    free = (number for number, name in names.items() if name == "?")
    for name in VOC_CLASSES[1:]:
        name = {"diningtable": "table"}.get(name, name)
        if name not in names.values():
            names[next(free)] = name
    lines = [f"{number}: {name if name != '?' else f'other {number}'}" for number, name in sorted(names.items())]
    (folder / "labels.txt").write_text("\n".join(lines))
    return folder


def test_voc_with_the_annotations_of_pascal_context(voc, tmp_path, capsys):
    further = ["--context", str(voc / "trainval"), "--labels", str(voc / "labels.txt")]
    parts = ["--parts", str(voc / "Annotations_Part")]
    (voc / "Annotations_Part/train_00001.mat").unlink()
    nothing = np.array([[("train_00002", np.zeros((0, 0)))]], dtype=[("imname", object), ("objects", object)])
    scipy.io.savemat(voc / "Annotations_Part/train_00002.mat", {"anno": nothing})
    assert main(command(voc / "VOCdevkit/VOC2010", tmp_path / "out", *further, *parts)) == 0
    out = capsys.readouterr().out
    assert "3 training and 1 validation images with semseg, edge, human_parts" in out
    assert "2 listed images are left out" in out
    data = PASCAL(tmp_path / "out", "train", make_tasks({"semseg": {"classes": 21}, "edge": {}, "human_parts": {}}))
    assert data.ids == ["train_00000", "train_00001", "train_00002"]
    stored = np.array(Image.open(voc / "VOCdevkit/VOC2010/SegmentationClass/train_00000.png"))
    np.testing.assert_array_equal(data.read(0)["semseg"], stored)
    label_map = scipy.io.loadmat(voc / "trainval/train_00001.mat")["LabelMap"]
    expected = np.zeros(label_map.shape, int)
    for name, value in {"chair": 9, "table": 11, "person": 15, "sofa": 18}.items():
        expected[label_map == HAVE_NORMALS[name]] = value
    np.testing.assert_array_equal(data.read(1)["semseg"], expected)
    assert not data.read(1)["human_parts"].any()  # has no annotation
    classes = json.loads((tmp_path / "out/ImageSets/Parts/train.txt").read_text())
    assert (classes["train_00001"], classes["train_00002"]) == ([], [])
    report = check(tmp_path / "out")
    assert list(report.absent) == ["normals", "saliency"]
    assert report.problems == []


def test_a_list_of_classes_that_lacks_one(voc, tmp_path, capsys):
    (tmp_path / "labels.txt").write_text((voc / "labels.txt").read_text().replace("aeroplane", "plane"))
    further = ["--context", str(voc / "trainval"), "--labels", str(tmp_path / "labels.txt")]
    assert main(command(voc / "VOCdevkit/VOC2010", tmp_path / "out", *further)) == 2
    assert "labels.txt: has no class 'aeroplane'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_other_sources_and_full_folders_are_refused(tmp_path, capsys):
    assert main(command(tmp_path / "nowhere", tmp_path / "out")) == 2
    assert "nowhere: no such file or folder" in capsys.readouterr().err
    (tmp_path / "x.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    assert main(command(tmp_path / "x.mat", tmp_path / "out")) == 2
    assert "x.mat: none of the known sources" in capsys.readouterr().err
    source = mtan(tmp_path / "nyuv2", {"train": 1, "val": 1})
    assert main(command(source, tmp_path)) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def test_a_source_is_found_up_to_two_folders_below(tmp_path, capsys):
    source = mtan(tmp_path / "a/unpacked/nyuv2", {"train": 1, "val": 1})
    for number, place in enumerate((source, source.parent, source.parent.parent)):
        assert main(command(place, tmp_path / f"out{number}")) == 0
        assert check(tmp_path / f"out{number}").columns["train", "depth"].read == 1
    assert main(command(tmp_path, tmp_path / "out")) == 2  # what convert wrote is no source
    err = capsys.readouterr().err
    assert "none of the known sources, here or up to two folders below (holds a, out0, out1, out2)" in err
    mtan(tmp_path / "a/unpacked/other", {"train": 1, "val": 1})
    assert main(command(source.parent, tmp_path / "out")) == 2
    assert "holds several sources" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
