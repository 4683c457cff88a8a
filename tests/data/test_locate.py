"""Data as people have them: in folders of archives, with lists and pictures of other programs."""

from __future__ import annotations

import shutil
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from nas_ctx.cli import main
from nas_ctx.data import NYUD
from nas_ctx.data.check import check, detect
from nas_ctx.data.reading import read_array, read_image, read_lines, read_mat
from nas_ctx.data.rooms import write_rooms
from nas_ctx.errors import InputError
from nas_ctx.tasks import make_tasks


@pytest.fixture
def copy(rooms, tmp_path) -> Path:
    return shutil.copytree(rooms, tmp_path / "archive" / "data" / "NYUD_MT")


@pytest.mark.parametrize("above", [0, 1, 2])
def test_a_data_set_is_found_below_its_folder(copy, above, capsys):
    root = (copy, *copy.parents)[above]
    assert len(NYUD(root, "train", {})) == 6
    assert NYUD(root, "train", {}).root == copy
    assert main(["data", "check", str(root)]) == 0
    assert capsys.readouterr().out.endswith("no problems\n")


def test_one_of_several_data_sets_has_to_be_named(copy):
    shutil.copytree(copy, copy.parent / "other")
    with pytest.raises(InputError, match=r"several data sets \(.*NYUD_MT, .*other\); name one of them"):
        NYUD(copy.parent, "train", {})
    with pytest.raises(InputError, match="several data sets"):
        detect(copy.parent)
    assert detect(copy) is NYUD


def test_two_layouts_in_a_folder(copy):
    write_rooms(copy.parent / "PASCAL_MT", train=1, val=1, size=(24, 32), layout="pascal")
    assert len(NYUD(copy.parent, "train", {})) == 6  # a configuration names the layout
    with pytest.raises(InputError, match=r"NYUD_MT, .*PASCAL_MT"):
        check(copy.parent)


def test_no_folder_and_an_archive_are_told(tmp_path, capsys):
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.endswith("nowhere: no such folder\n")
    (tmp_path / "NYUD_MT.tgz").write_bytes(b"\x1f\x8b")
    with pytest.raises(
        InputError, match=r"NYUD_MT\.tgz: is a file, expected the folder of a data set; unpack an archive"
    ):
        check(tmp_path / "NYUD_MT.tgz")


@pytest.mark.parametrize("suffix", [".png", ".jpeg", ".JPG"])
def test_images_by_other_names(copy, suffix):
    expected = NYUD(copy, "train", {}).read(0)["image"]
    for path in (copy / "images").iterdir():
        if suffix == ".png":
            Image.open(path).save(path.with_suffix(suffix))
            path.unlink()
        else:
            path.rename(path.with_suffix(suffix))
    np.testing.assert_array_equal(NYUD(copy, "train", {}).read(0)["image"], expected)
    assert check(copy).problems == []


@pytest.mark.parametrize(
    "form",
    [
        lambda ids: "\ufeff" + "".join(f"{name}\r\n" for name in ids),
        lambda ids: "\n".join(f"{name}.jpg" for name in ids),
        lambda ids: "\n".join(f"/images/{name}.jpg /segmentation/{name}.png" for name in ids),
        lambda ids: "\n".join(f"/somewhere/NYUD_MT/images/{name}.jpg" for name in ids),
    ],
    ids=["byte-order mark", "suffixes", "two paths", "absolute"],
)
def test_lists_of_other_programs(copy, form):
    path = copy / "gt_sets/train.txt"
    ids = path.read_text().split()
    path.write_bytes(form(ids).encode())
    assert NYUD(copy, "train", {}).ids == ids
    assert check(copy).problems == []


def test_ids_with_blanks_and_dots_stay_whole(copy):
    path = copy / "gt_sets/train.txt"
    (copy / "images/train_00000.jpg").rename(copy / "images/my room.v1.2.jpg")
    path.write_text("my room.v1.2\n")
    assert NYUD(copy, "train", {}).read(0)["image"].shape == (48, 64, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(copy, orientation):
    """Against Pillow's own table of what each orientation means: the stored picture is the upright one, turned back."""
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:24, :32] = 255
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # of Image.Transpose
    picture = Image.fromarray(upright)
    stored = picture if undo is None else picture.transpose(undo)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = copy / "images/train_00000.jpg"
    stored.save(path, quality=100, exif=exif)
    read = read_image(path)
    assert read.shape == upright.shape
    assert np.abs(read.astype(int) - upright).mean() < 2
    line = next(line for line in check(copy).lines() if line.split()[:2] == ["train", "image"])
    assert ("1 turned upright" in line) == (orientation > 1)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("x.jpg", read_image),
        ("x.npy", read_array),
        ("x.mat", lambda path: read_mat(path, "LabelMap", np.shape)),
        ("x.txt", read_lines),
    ],
)
def test_pointers_of_git_lfs_are_called_so(tmp_path, name, read):
    (tmp_path / name).write_text(
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
    )
    with pytest.raises(InputError, match=rf"{name}: is a pointer of Git LFS"):
        read(tmp_path / name)


def test_an_id_in_both_splits_is_told(copy):
    (copy / "gt_sets/val.txt").write_text("val_00000\ntrain_00001\n")
    assert check(copy).problems == ["val: id 'train_00001' is listed in train too"]


def test_ten_thousand_images_open_at_once_and_take_no_memory(copy):
    """Opening reads the list only: an id is 60 bytes, an image here 9 kB."""
    path = copy / "gt_sets/train.txt"
    path.write_text("".join(f"scene_{number:06d}\n" for number in range(10_000)))
    (copy / "images/scene_009999.jpg").symlink_to(copy / "images/train_00000.jpg")
    tasks = make_tasks({"semseg": {"classes": 14}, "depth": {}, "normals": {}, "edge": {}})
    started = time.process_time()
    tracemalloc.start()
    data = NYUD(copy, "train", tasks)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - started < 2
    assert held < 200 * 10_000
    assert len(data) == 10_000
    assert read_image(data.image_path(data.ids[-1])).shape == (48, 64, 3)
