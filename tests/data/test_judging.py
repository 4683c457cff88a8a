"""Labels that no run can learn from: ``nas-ctx data check`` and the start of a run judge by the same rules."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from nas_ctx.cli import main
from nas_ctx.data import PASCAL, DataModule
from nas_ctx.data.check import check
from nas_ctx.data.rooms import write_rooms
from nas_ctx.errors import InputError
from nas_ctx.tasks import make_tasks

SIZE = (48, 64)
OPTIONS = {"nyud": {"semseg": {"classes": 14}}, "pascal": {"semseg": {"classes": 21}}}


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    root = tmp_path_factory.mktemp("judged") / "people"
    write_rooms(root, train=6, val=3, size=SIZE, layout="pascal")
    return root


@pytest.fixture
def copies(rooms, people, tmp_path):
    return {name: shutil.copytree(source, tmp_path / name) for name, source in (("nyud", rooms), ("pascal", people))}


def arrays(folder, change):
    for path in folder.glob("*.npy"):
        np.save(path, change(np.load(path)))


def pictures(folder, change):
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            changed = change(np.array(image))
        if isinstance(changed, Image.Image):
            changed.save(path, bits=getattr(changed, "bits", None) or 8)
        else:
            Image.fromarray(changed).save(path)


def millimetres(metres):
    return (metres * 1000).astype(np.uint16)


def as_bytes(normals):
    return ((normals + 1) * 127.5).round().astype(np.uint8)


def semseg_of_pascal(root):
    for folder in ("VOC12", "pascal-context"):
        pictures(root / "semseg" / folder, lambda s: s // 5 + 21)


UNUSABLE = {
    "edges of 255": (
        "nyud", "edge", lambda root: arrays(root / "edge", lambda e: e * 255),
        "holds values up to 255 and no 1",
    ),
    "depth in millimetres": (
        "nyud", "depth", lambda root: arrays(root / "depth", millimetres),
        "expected metres: of millimetres, a thousandth",
    ),
    "normals in bytes": (
        "nyud", "normals", lambda root: arrays(root / "normals", as_bytes),
        "expected unit vectors, v / 127.5 - 1 of bytes",
    ),
    "normals in 0..1": (
        "nyud", "normals", lambda root: arrays(root / "normals", lambda n: (n + 1) / 2),
        "2 v - 1 of values coded as (n + 1) / 2",
    ),
    "normals of a wrong code": (
        "pascal", "normals", lambda root: pictures(root / "normals_distill", lambda b: b // 2 + 128),
        "vectors have neither length 1 nor 0",
    ),
    "saliency of 0 and 1": (
        "pascal", "saliency", lambda root: pictures(root / "sal_distill", lambda s: s // 255),
        "holds 0 and 1: expected grey from 0 to 255",
    ),
    "classes beyond": (
        "nyud", "semseg", lambda root: pictures(root / "segmentation", lambda s: s + 90),
        "expected 1..14, and 0 for ignored",
    ),
    "classes beyond in PASCAL": ("pascal", "semseg", semseg_of_pascal, "expected 0..20, and 255 for"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE)
def test_check_and_the_start_of_a_run_find_what_cannot_be_learned_from(case, copies):
    layout, task, damage, told = UNUSABLE[case]
    data = DataModule(layout, copies[layout], make_tasks({task: OPTIONS[layout].get(task, {})}), SIZE, batch_size=1)
    assert data.judge() == []
    damage(copies[layout])
    with pytest.raises(InputError, match=task) as error:
        data.judge()
    assert told in str(error.value)
    problems = check(copies[layout]).problems
    for split in ("train", "val"):
        assert any(problem.startswith(f"{split}: {task}") for problem in problems), problems


def test_classes_are_told_in_the_numbers_that_files_hold(copies, tmp_path, capsys):
    for split, change in (("train", 255), ("val", 15)):
        path = copies["nyud"] / f"segmentation/{split}_00000.png"
        values = np.array(Image.open(path))
        values[0, 0] = change
        Image.fromarray(values).save(path)
    data = DataModule("nyud", copies["nyud"], make_tasks({"semseg": {"classes": 14}}), SIZE, batch_size=1)
    for told, refused in (("holds 255", data.judge), ("holds 15", lambda: list(data.val_dataloader()))):
        with pytest.raises(InputError, match=f"_00000.*{told}; expected 1..14, and 0 for ignored"):
            refused()
    own = make_tasks({"materials": {"type": "semseg", "classes": 3, "labels": "segmentation"}})
    with pytest.raises(InputError, match=r"materials label holds \d+; expected 0..2, and 255 for ignored"):
        list(DataModule("nyud", copies["nyud"], own, SIZE, batch_size=1).val_dataloader())


def test_depths_and_normals_that_are_not_finite_are_ignored_and_no_fault(copies):
    depth, normals = (copies["nyud"] / f"{kind}/train_00000.npy" for kind in ("depth", "normals"))
    for path, place in ((depth, (0, slice(10))), (normals, (slice(10), 0, 0))):
        values = np.load(path)
        values[place] = np.nan
        np.save(path, values)
    report = check(copies["nyud"])
    assert report.problems == []
    assert report.columns["train", "depth"].ignored == 10
    read = DataModule("nyud", copies["nyud"], make_tasks({"normals": {}}), SIZE, batch_size=1).train_set().read(0)
    assert not read["normals"][:10, 0].any()  # of a vector without x nothing is left
    np.save(depth, np.full_like(np.load(depth), np.nan))
    assert check(copies["nyud"]).problems == ["train: depth label of 'train_00000': has no valid pixel"]


def only_class_3(root):
    pictures(root / "segmentation", lambda s: np.full_like(s, 4))


NOTHING = {
    "no boundary": ("nyud", "edge", lambda root: arrays(root / "edge", np.zeros_like)),
    "nothing salient": ("pascal", "saliency", lambda root: pictures(root / "sal_distill", np.zeros_like)),
    "no class but 3": ("nyud", "semseg", only_class_3),
    "no valid pixel": ("nyud", "normals", lambda root: arrays(root / "normals", np.zeros_like)),
}


@pytest.mark.parametrize("told", NOTHING)
def test_labels_that_hold_nothing_are_told(told, copies):
    layout, task, damage = NOTHING[told]
    damage(copies[layout])
    problems = check(copies[layout]).problems
    expected = [f"{split}: {task}: {told} in any of {count} labels" for split, count in (("train", 6), ("val", 3))]
    assert [problem for problem in problems if told in problem] == expected
    tasks = make_tasks({task: OPTIONS[layout].get(task, {})})
    odd = DataModule(layout, copies[layout], tasks, SIZE, batch_size=1).judge()
    told_at_start = [f"{told} in any of the {count} labels looked at" for count in (6, 3)]
    assert [line.split(f"{task}: ")[1] for line in odd] == told_at_start


def test_single_labels_of_a_wrong_unit_are_told_and_do_not_end_a_run(copies):
    path = copies["nyud"] / "depth/train_00003.npy"
    np.save(path, np.load(path) * 1000)
    odd = DataModule("nyud", copies["nyud"], make_tasks({"depth": {}}), SIZE, batch_size=1).judge()
    assert len(odd) == 1
    assert "train: depth: 1 of 6 labels looked at, such as that of 'train_00003': depths up to" in odd[0]


def one_bit(values):
    return Image.fromarray(values > 127)


def palette(values):
    image = Image.fromarray((values > 127).astype(np.uint8))
    image.putpalette([0, 0, 0, 128, 0, 0])
    return image


def four_bits(values):
    return Image.fromarray((values // 17).astype(np.uint8))


@pytest.mark.parametrize("stored", [one_bit, palette])
def test_masks_of_saliency_are_read_however_they_are_stored(stored, copies):
    tasks = make_tasks({"saliency": {}})
    before = [PASCAL(copies["pascal"], "train", tasks).read(i)["saliency"] for i in range(6)]
    assert any(label.any() for label in before)
    for path in (copies["pascal"] / "sal_distill").glob("*.png"):
        stored(np.array(Image.open(path))).save(path)
    after = [PASCAL(copies["pascal"], "train", tasks).read(i)["saliency"] for i in range(6)]
    np.testing.assert_array_equal(before, after)
    assert check(copies["pascal"]).problems == []


def test_classes_in_grey_of_four_bits_are_the_numbers_stored(tmp_path):
    import struct
    import zlib

    from nas_ctx.data.reading import read_grey

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def png(rows, width, bits):  # Portable Network Graphics, second edition: one channel, no filter
        head = struct.pack(">IIBBBBB", width, len(rows), bits, 0, 0, 0, 0)
        body = zlib.compress(b"".join(b"\0" + row for row in rows))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")

    path = tmp_path / "label.png"
    path.write_bytes(png([bytes([0x01, 0x2F])], width=4, bits=4))
    np.testing.assert_array_equal(read_grey(path), [[0, 1, 2, 15]])
    path.write_bytes(png([bytes([0b00011011])], width=4, bits=2))
    np.testing.assert_array_equal(read_grey(path), [[0, 1, 2, 3]])


@pytest.mark.parametrize("index", ["missing ids", "ids with endings", "no index"])
def test_people_are_found_whatever_the_index_of_parts_looks_like(index, copies):
    root, tasks = copies["pascal"], make_tasks({"human_parts": {}})
    before = [PASCAL(root, "train", tasks).read(i)["human_parts"] for i in range(6)]
    assert any(label.any() for label in before)
    path = root / "ImageSets/Parts/train.txt"
    known = json.loads(path.read_text())
    if index == "no index":
        path.unlink()
    else:
        path.write_text(json.dumps({f"{k}.jpg": v for k, v in known.items()} if index == "ids with endings" else {}))
    after = [PASCAL(root, "train", tasks).read(i)["human_parts"] for i in range(6)]
    np.testing.assert_array_equal(before, after)


def test_a_run_is_refused_in_one_line_before_anything_is_written(copies, tmp_path, capsys):
    arrays(copies["nyud"] / "depth", millimetres)
    config = tmp_path / "run.yaml"
    config.write_text(
        f"data: {{root: {copies['nyud']}, image_size: [48, 64], batch_size: 2, workers: 0}}\n"
        "tasks: {depth: {}}\nmodel: {backbone: test_resnet, pretrained: false}\n"
        "training: {steps: 1, accelerator: cpu}\n"
    )
    assert main(["train", str(config), "--out", str(tmp_path / "run")]) == 2
    assert "expected metres" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()
    assert main(["train", str(config), "--dry-run"]) == 2
    assert "expected metres" in capsys.readouterr().err


def test_check_of_a_configuration_knows_its_classes(copies, tmp_path, capsys):
    config = tmp_path / "run.yaml"
    config.write_text(f"data: {{root: {copies['nyud']}}}\ntasks: {{semseg: {{classes: 9}}}}\n")
    assert main(["data", "check", str(config)]) == 2
    out = capsys.readouterr().out
    assert "PROBLEM train: semseg label of 'train_00000': " in out
    assert "; expected 1..9, and 0 for ignored" in out
    assert "class (stored as class + 1): %" in out
    line = next(line for line in out.splitlines() if line.split()[:2] == ["train", "semseg"])
    stored = [np.array(Image.open(path)) for path in (copies["nyud"] / "segmentation").glob("train_*.png")]
    assert f" {min(s[s > 0].min() for s in stored)} to {max(s.max() for s in stored)} " in line
    assert "depth" not in out


def run_file(tmp_path, data, **changes):
    """A configuration of a training of two images a step, with changes of its section ``data``."""
    config = tmp_path / "run.yaml"
    keys = {"root": str(data), "image_size": [48, 64], "batch_size": 2, "workers": 0, **changes}
    config.write_text(
        f"data: {json.dumps(keys)}\ntasks: {{depth: {{}}}}\nmodel: {{backbone: test_resnet, pretrained: false}}\n"
        f"training: {{steps: 1, accelerator: cpu}}\noutput: {tmp_path / 'run'}\n"
    )
    return str(config)


def smaller_label(root):
    path = root / "depth/train_00002.npy"
    np.save(path, np.load(path)[:24, :32])


def larger_image(root):
    path = root / "images/train_00004.jpg"
    with Image.open(path) as image:
        image.resize((80, 60)).save(path)
    np.save(root / "depth/train_00004.npy", np.ones((60, 80), np.float32))


STOPS = {
    "label of another size": (
        smaller_label,
        {},
        "the depth label of 'train_00002' is 24 x 32, its image 48 x 64 pixels",
    ),
    "several sizes": (larger_image, {"augment": False}, "images of one batch differ in size"),
    "few images": (lambda root: None, {"batch_size": 7}, "6 training images are fewer than batch_size 7"),
}


@pytest.mark.parametrize("case", STOPS)
def test_what_stops_a_run_is_told_by_its_dry_run_its_start_and_check(case, copies, tmp_path, capsys):
    damage, changes, told = STOPS[case]
    damage(copies["nyud"])
    config = run_file(tmp_path, copies["nyud"], **changes)
    for command in (["train", config, "--dry-run"], ["train", config], ["data", "check", config]):
        assert main(command) == 2, command
        out, err = capsys.readouterr()
        # check lists a label in its own words
        assert told in out + err or (command[0] == "data" and "is 24 x 32, its image 48 x 64 pixels" in out)
        assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_images_of_several_sizes_are_no_fault_where_they_are_cropped_or_come_one_by_one(copies, tmp_path):
    larger_image(copies["nyud"])
    for changes in ({}, {"augment": False, "batch_size": 1}, {"augment": False, "image_size": [64, 80]}):
        assert main(["train", run_file(tmp_path, copies["nyud"], **changes), "--dry-run"]) == 0


def test_check_lists_an_index_of_parts_that_a_run_refuses(copies, capsys):
    (copies["pascal"] / "ImageSets/Parts/val.txt").write_text("val_00000\nval_00001\n")
    report = check(copies["pascal"])
    assert len(report.problems) == 1
    assert "Parts/val.txt: not JSON at line 1" in report.problems[0]
    assert "expected JSON of the form {id: [class numbers]}, or no such file" in report.problems[0]
    assert report.absent == {}
    assert ("train", "human_parts") in report.columns


def test_check_of_a_configuration_lists_labels_that_are_not_there(copies, tmp_path, capsys):
    shutil.rmtree(copies["nyud"] / "depth")
    assert check(copies["nyud"]).absent == {"depth": ["train", "val"]}
    assert main(["data", "check", run_file(tmp_path, copies["nyud"])]) == 2
    assert "/depth: no such folder, task 'depth' needs its labels" in capsys.readouterr().out
    config = tmp_path / "parts.yaml"
    config.write_text(f"data: {{root: {copies['nyud']}}}\ntasks: {{human_parts: {{}}}}\n")
    assert main(["data", "check", str(config)]) == 2
    assert "unknown label of the nyud layout 'human_parts'" in capsys.readouterr().out


def test_label_files_of_another_type_are_named(copies):
    root = copies["nyud"]
    for path in (root / "edge").glob("*.npy"):
        Image.fromarray(np.load(path).astype(np.uint8)).save(path.with_suffix(".png"))
        path.unlink()
    told = "edge holds .png, expected ID.npy (or set tasks.edge.labels: edge)"
    assert check(root).problems == [f"{split}: edge: no image has a label: {told}" for split in ("train", "val")]
    with pytest.raises(InputError, match=r"no image has a label: edge holds \.png, expected ID\.npy"):
        DataModule("nyud", root, make_tasks({"edge": {}}), SIZE, batch_size=1).judge()
    assert DataModule("nyud", root, make_tasks({"edge": {"labels": "edge"}}), SIZE, batch_size=1).judge() == []
    for path in (copies["pascal"] / "human_parts").glob("*.mat"):
        path.rename(path.with_suffix(".npz"))
    problems = check(copies["pascal"]).problems
    assert any(
        p.endswith("human_parts: no image has a label: human_parts holds .npz, expected ID.mat") for p in problems
    )


def test_a_file_that_two_labels_come_from_is_listed_once(copies):
    (copies["pascal"] / "pascal-context/trainval/val_00000.mat").write_bytes(b"MATLAB 5.0 no")
    assert len(check(copies["pascal"]).problems) == 1
