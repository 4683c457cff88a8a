"""Label folders named in the configuration, class statistics, and annotations in unusual forms."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from nas_ctx.cli import main
from nas_ctx.data import DATASETS, NYUD, PASCAL, DataModule
from nas_ctx.data.check import check
from nas_ctx.data.judging import judge
from nas_ctx.data.rooms import write_rooms
from nas_ctx.errors import InputError
from nas_ctx.tasks import make_tasks
from tests.data.test_pascal import annotation

SIZE = (48, 64)
MATERIALS = {"type": "semseg", "classes": 12, "labels": "materials"}


@pytest.fixture
def copies(rooms, tmp_path):
    write_rooms(tmp_path / "pascal", train=3, val=2, size=SIZE, layout="pascal")
    return {"nyud": shutil.copytree(rooms, tmp_path / "nyud"), "pascal": tmp_path / "pascal"}


def ids(root, split="train"):
    return next(root.glob(f"*/{split}.txt"), root / f"ImageSets/Context/{split}.txt").read_text().split()


def write_materials(root, classes=12):
    rng = np.random.default_rng(0)
    (root / "materials").mkdir()
    written = {}
    for name in (name for split in ("train", "val") for name in ids(root, split)):
        written[name] = rng.integers(0, classes, SIZE, dtype=np.uint8)
        written[name][:3] = 255
        Image.fromarray(written[name]).save(root / f"materials/{name}.png")
    return written


@pytest.mark.parametrize("layout", ["nyud", "pascal"])
def test_a_second_class_map_needs_no_code(layout, copies):
    root = copies[layout]
    written = write_materials(root)
    tasks = make_tasks({"semseg": {"classes": 21}, "materials": MATERIALS})
    dataset = DATASETS[layout](root, "train", tasks)
    for index, name in enumerate(dataset.ids):
        np.testing.assert_array_equal(dataset.read(index)["materials"], written[name])
    batch = next(iter(DataModule(layout, root, tasks, SIZE, batch_size=2).train_dataloader()))
    assert batch["materials"].shape == (2, *SIZE)
    report = check(root, tasks=tasks)
    assert report.problems == []
    assert report.columns["val", "materials"].read == len(ids(root, "val"))
    with pytest.raises(InputError, match=r"stuff: no such folder, which tasks\.materials\.labels names"):
        DATASETS[layout](root, "train", make_tasks({"materials": {**MATERIALS, "labels": "stuff"}}))
    with pytest.raises(InputError, match=r"tasks\.materials\.labels: 3, expected text"):
        make_tasks({"materials": {**MATERIALS, "labels": 3}})


PAGE = (Path(__file__).resolve().parents[2] / "docs/data.md").read_text(encoding="utf-8")


def test_the_page_shows_how(tmp_path, monkeypatch, capsys):
    """Its lists, its masks of 0 and 255, and its configuration, which a search accepts."""
    monkeypatch.chdir(tmp_path)
    blocks = dict(re.findall(r"<!-- test: (own-\w+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))
    rng = np.random.default_rng(0)
    for folder in ("images", "classes", "person"):
        (tmp_path / "my-data" / folder).mkdir(parents=True)
    for name in (f"{number:04}" for number in range(10)):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(f"my-data/images/{name}.jpg")
        Image.fromarray(rng.integers(0, 16, (40, 50), np.uint8)).save(f"my-data/classes/{name}.png")
        Image.fromarray(rng.integers(0, 2, (40, 50), np.uint8) * np.uint8(255)).save(f"my-data/person/{name}.png")
    exec(blocks["own-split"], {})
    lists = [(tmp_path / f"my-data/gt_sets/{split}.txt").read_text().split() for split in ("train", "val")]
    assert list(map(len, lists)) == [8, 2]
    assert sorted(lists[0] + lists[1]) == [f"{number:04}" for number in range(10)]
    Path("my-search.yaml").write_text(blocks["own-configuration"])
    assert main(["data", "check", "my-search.yaml"]) == 0
    assert capsys.readouterr().out.endswith("no problems\n")
    for wrong in ("my-data", "person.yaml"):  # what is not looked at is not called fine
        Path("person.yaml").write_text(blocks["own-configuration"].replace("labels: person", "labels: people"))
        assert main(["data", "check", wrong]) == 2
        said = capsys.readouterr()
        assert "no problems" not in said.out
        assert ("nas-ctx data check CONFIG" in said.err) == (wrong == "my-data")
    assert "people: no such folder, which tasks.person.labels names" in said.out
    without = ["--set", "model.pretrained=false", "--set", "model.weights=null", "--set", "data.workers=0"]
    assert main(["search", "my-search.yaml", *without, "--dry-run"]) == 0


def test_every_kind_of_label_can_be_in_a_folder_of_its_own(copies):
    root = copies["nyud"]
    for kind in ("depth", "normals", "edge"):
        shutil.copytree(root / kind, root / f"my/{kind}")
    kinds = {f"my_{kind}": {"type": kind, "labels": f"my/{kind}"} for kind in ("depth", "normals", "edge")}
    sample = DATASETS["nyud"](root, "train", make_tasks({"depth": {}, "normals": {}, "edge": {}, **kinds})).read(0)
    for kind in ("depth", "normals", "edge"):
        np.testing.assert_array_equal(sample[f"my_{kind}"], sample[kind])
    (root / f"my/depth/{ids(root)[0]}.npy").unlink()
    dataset = DATASETS["nyud"](root, "train", make_tasks(kinds))
    assert dataset.read(0)["my_depth"] is None
    assert dataset.unlabelled("my_depth") == ids(root)[:1]
    assert dataset.unlabelled("my_edge") == []


def test_a_configuration_with_a_second_class_map_is_checked_and_trained(copies, tmp_path, capsys):
    write_materials(copies["nyud"], classes=10)
    config = tmp_path / "run.yaml"
    config.write_text(
        f"data: {{root: {copies['nyud']}, image_size: [32, 32], batch_size: 2, workers: 0}}\n"
        f"tasks: {{depth: {{}}, materials: {json.dumps(MATERIALS)}}}\n"
        "model: {backbone: test_resnet, pretrained: false}\n"
        "training: {steps: 1, accelerator: cpu, threads: 1}\n"
    )
    assert main(["data", "check", str(config)]) == 0
    out = capsys.readouterr().out
    assert out.count("never: 10, 11 (a class that is neither true nor predicted counts 0 in the mean IoU)") == 2
    assert main(["train", str(config), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("materials/miou"))
    absent = json.loads((tmp_path / "run/details.json").read_text())["materials"]["absent_classes"]
    assert set(absent) <= {10, 11}
    assert (f"classes {', '.join(map(str, absent))} are neither true nor predicted" in line) == bool(absent)


def test_the_shares_of_classes_are_those_of_the_files(rooms):
    lines = list(check(rooms).lines())
    for split in ("train", "val"):
        values = np.concatenate(
            [np.asarray(Image.open(rooms / f"segmentation/{n}.png")).ravel() for n in ids(rooms, split)]
        )
        classes = values[values > 0].astype(int) - 1
        place = next(k for k, line in enumerate(lines) if line.split()[:2] == [split, "semseg"])
        shares = dict(
            part.split(": ") for part in lines[place + 1].split("   ")[3:] if ": " in part and "class" not in part
        )
        for number in range(14):
            count = np.count_nonzero(classes == number)
            assert (str(number) in shares) == (count > 0)
            if count:
                assert float(shares[str(number)]) == pytest.approx(100 * count / len(classes), rel=0.05)
        _, _, never = lines[place + 2].partition("never: ")
        assert {int(n) for n in never.partition(" (")[0].split(", ") if n} == set(range(14)) - set(classes)


def test_255_is_ignored_in_human_parts(copies):
    """255 in a label folder: it is neither refused as an unknown class nor counted as a part."""
    root = copies["pascal"]
    (root / "parts").mkdir()
    for place, name in enumerate(ids(root)):
        label = np.full(SIZE, 255, np.uint8)
        label[:20] = place  # of the first image only background
        Image.fromarray(label).save(root / f"parts/{name}.png")
    tasks = make_tasks({"human_parts": {"labels": "parts"}})
    data = DataModule("pascal", root, tasks, SIZE, batch_size=3, augment=False)
    labels = [data.train_set()[index]["human_parts"] for index in range(3)]
    assert (labels[0] == 255).all()
    for place in (1, 2):
        assert set(labels[place].unique().tolist()) == {place, 255}
    assert not [
        problem for problem in check(root, tasks=tasks).problems if problem.startswith("train: human_parts label")
    ]


def test_annotations_without_objects_or_with_an_unknown_part(copies):
    root = copies["pascal"]
    (root / "ImageSets/Parts/train.txt").unlink()
    first, second = ids(root)[:2]
    savemat(root / f"human_parts/{first}.mat", {"anno": annotation()})
    mask = np.ones(SIZE, np.uint8)
    savemat(root / f"human_parts/{second}.mat", {"anno": annotation(("person", 15, mask, [("tail", mask)]))})
    dataset = PASCAL(root, "train", make_tasks({"human_parts": {}}))
    np.testing.assert_array_equal(dataset.read(0)["human_parts"], np.zeros(SIZE))
    with pytest.raises(InputError, match=rf"human_parts/{second}\.mat: unknown part of a person 'tail'; known: hair, "):
        dataset.read(1)
    assert [problem for problem in check(root).problems if "unknown part of a person" in problem]


def test_an_archive_of_arrays_under_the_name_of_one_is_called_so(copies):
    root = copies["nyud"]
    with (root / "depth/train_00000.npy").open("wb") as file:
        np.savez(file, depth=np.ones(SIZE))
    with pytest.raises(InputError, match=r"train_00000\.npy: .*a zip archive, as np\.savez writes"):
        DATASETS["nyud"](root, "train", make_tasks({"depth": {}})).read(0)


def test_a_layout_with_one_more_reader_needs_nothing_else(copies):
    """A subclass that adds a reader and its folder is judged, read and checked."""

    class WithFar(NYUD):
        def readers(self):
            return {**super().readers(), "far": lambda name: super(WithFar, self).readers()["depth"](name) + 1}

        def label_folders(self, task):
            return super().label_folders("depth" if task == "far" else task)

    tasks = make_tasks({"far": {"type": "depth"}})
    dataset = WithFar(copies["nyud"], "train", tasks)
    assert judge(dataset) == []
    assert dataset.unlabelled("far") == []
    assert check(copies["nyud"], layout=WithFar, tasks=tasks).problems == []
    (copies["nyud"] / "depth/train_00001.npy").unlink()
    assert dataset.read(1)["far"] is None
