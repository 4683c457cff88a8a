"""A trained network outside of its run: predictions of pictures, as files, and files for other programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import nas_ctx
from nas_ctx.cli import main
from nas_ctx.data.rooms import ROOMS_CLASSES
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.metrics import DepthErrors, MeanIoU
from nas_ctx.runs import Network, load_network, load_trained
from nas_ctx.runs.export import FORMATS, export_network
from tests.rooms import tiny_config
from tests.training.networks import MIXED, train_mixed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "use-elsewhere.md"
BLOCKS = dict(re.findall(r"<!-- test: ([\w-]+) -->\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


@pytest.fixture(scope="module")
def run(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with a context of every kind; its images are padded from 48 x 64 to 50 x 65 in evaluation."""
    return train_mixed(rooms, tmp_path_factory.mktemp("network"), data__image_size=[50, 65])


@pytest.fixture(scope="module")
def network(run: Path) -> Network:
    return nas_ctx.load_network(run)


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("format", ["png", "npy"])
def test_files_of_the_validation_set_score_what_the_run_says(
    format: str, run: Path, rooms: Path, tmp_path: Path
) -> None:
    assert main(["predict", str(run), "--val", "--format", format, "--out", str(tmp_path)]) == 0
    miou, errors = MeanIoU(len(ROOMS_CLASSES)), DepthErrors()
    ids = (rooms / "gt_sets" / "val.txt").read_text().split()
    for name in ids:
        semseg, depth = (tmp_path / task / f"{name}.{format}" for task in ("semseg", "depth"))
        if format == "npy":
            classes, metres = np.load(semseg), np.load(depth)
        else:
            assert Image.open(semseg).mode == "P"
            classes, metres = np.asarray(Image.open(semseg)), np.asarray(Image.open(depth)) / 1000
        truth = np.asarray(Image.open(rooms / "segmentation" / f"{name}.png")) - np.uint8(1)
        miou.update(torch.from_numpy(classes.astype(int)), torch.from_numpy(truth.astype(int)))
        there = np.load(rooms / "depth" / f"{name}.npy").astype(np.float32)
        errors.update(torch.from_numpy(metres).float(), torch.from_numpy(np.where(there > 0, there, np.float32(255))))
    said = json.loads((run / "metrics.json").read_text())
    assert float(miou.compute()["miou"]) == pytest.approx(said["semseg/miou"], rel=1e-6)
    assert float(errors.compute()["rmse"]) == pytest.approx(said["depth/rmse"], rel=1e-6 if format == "npy" else 1e-3)
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.json", "semseg", "depth"}


@pytest.mark.parametrize("size", [(37, 91), (120, 45), (1, 1)])
def test_a_picture_of_any_size_gets_predictions_of_its_size(network: Network, size: tuple[int, int]) -> None:
    pixels = photo(*size)
    predicted = network.predict(pixels)
    assert {name: (values.dtype, values.shape) for name, values in predicted.items()} == {
        "semseg": (np.int64, size),
        "depth": (np.float32, size),
    }
    for name, values in network.predict(Image.fromarray(pixels)).items():
        np.testing.assert_array_equal(values, predicted[name])


def test_a_batch_gives_what_its_pictures_give(network: Network) -> None:
    pictures = np.stack([photo(50, 65), photo(50, 65)[::-1]])
    with torch.no_grad():
        batch = network(torch.from_numpy(pictures.transpose(0, 3, 1, 2)).float() / 255)
    for index, picture in enumerate(pictures):
        one = network.predict(picture)
        np.testing.assert_allclose(batch["depth"][index, 0], one["depth"], rtol=1e-4, atol=1e-5)
        assert (batch["semseg"][index].numpy() != one["semseg"]).mean() < 0.01


@pytest.mark.parametrize("wrong", [photo(4, 4) / 255, photo(4, 4)[..., 0], np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(network: Network, wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"image: .* expected RGB as uint8 \(H, W, 3\)"):
        network.predict(wrong)


def test_pictures_are_predicted_without_labels_or_data(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(run, moved)
    text = (moved / "config.yaml").read_text()
    (moved / "config.yaml").write_text(re.sub("root: .*", "root: /nowhere", text))
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.JPG"):
        Image.fromarray(photo(40, 30)).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    Image.fromarray(photo(40, 30)[..., 0]).save(tmp_path / "grey.png")
    words = [str(moved), str(tmp_path / "grey.png"), str(tmp_path / "photos"), "--out", str(tmp_path / "out")]
    assert main(["predict", *words]) == 0
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")}
    assert found == {f"{task}/{name}.png" for task in ("semseg", "depth") for name in ("a", "b", "grey")}
    expected = load_network(run).predict(photo(40, 30))["depth"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out/depth/a.png")), (expected * 1000).round())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.jpg"], "missing.jpg: no such picture or folder"),
        (["empty"], "empty: expected a run folder, or pictures"),
        (["a/x.png", "b/x.png"], "has the name of a/x.png"),
        (["a/x.png", "--val"], "of pictures or of --val"),
        (["a/broken.png"], "a/broken.png: damaged or not of the expected format"),
    ],
)
def test_pictures_that_cannot_be_predicted(
    words: list[str], said: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "a", "b"):
        Path(folder).mkdir()
    for folder in ("a", "b"):
        Image.fromarray(photo(9, 9)).save(f"{folder}/x.png")
    Path("a/broken.png").write_bytes(b"\x89PNG")
    assert main(["predict", str(run), *words, "--out", "out"]) == 2
    assert said in capsys.readouterr().err
    assert not list(Path().glob("out/*/*"))


def test_a_folder_with_other_things_is_left_alone(run: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["predict", str(run), "--val", "--out", str(tmp_path)]) == 2
    assert "holds no predictions.json" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_network_that_is_shown_the_labels_is_of_no_use_elsewhere(rooms: Path, tmp_path: Path) -> None:
    options = {"model__blocks": "t-label", "model__true_regions": True, "training__steps": 1}
    nas_ctx.runs.train(tiny_config(rooms, tmp_path / "t", **options), progress=False)
    with pytest.raises(InputError, match="sees the labels"):
        load_network(tmp_path / "t")


def test_the_page_for_use_elsewhere_holds(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Python, its commands, and its files against the network."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, "work/train/seed-0")
    Path("pictures").mkdir()
    Image.fromarray(photo(50, 65)).save("photo.png")
    shutil.copy("photo.png", "photo.jpg")  # lossless, so that what is predicted can be compared
    shutil.copy("photo.png", "pictures/other.png")
    said = python(BLOCKS["use-in-python"])
    assert said.splitlines() == ["semseg int64 (50, 65)", "depth float32 (50, 65)"]
    for block in ("use-as-files", "use-without"):
        for line in BLOCKS[block].strip().splitlines():
            assert main(line.split()[1:]) == 0, line
    assert Path("predicted/depth/other.png").exists()
    assert len(list(Path("validation/semseg").iterdir())) == 4

    images, classes = torch.rand(2, 3, 50, 65), torch.randint(14, (2, 50, 65))
    names: dict = {"batches": [(images, {"semseg": classes, "depth": torch.ones(2, 1, 50, 65)})]}
    before = load_network("work/train/seed-0").predict(photo(50, 65))["depth"]
    exec(BLOCKS["fine-tune"], names)
    tuned = names["network"]
    assert not tuned.training
    assert not np.array_equal(tuned.predict(photo(50, 65))["depth"], before)
    given = tuned.model((images - tuned.mean) / tuned.deviation)
    assert set(given) == {"final", "auxiliary"}
    assert torch.equal(tuned(images)["semseg"], given["final"]["semseg"].argmax(1))
    assert export_network(tuned, "tuned.safetensors", "safetensors") == 0

    names = {}
    exec(BLOCKS["use-onnx"], names)
    network = load_network("work/train/seed-0")
    close(names["predicted"], network.predict(photo(50, 65)))

    image = torch.from_numpy(photo(96, 128).transpose(2, 0, 1)[None]).float() / 255
    with torch.no_grad():
        program = torch.export.load("network.pt2").module()(image)
    close({name: value.numpy() for name, value in program.items()}, network.predict(photo(96, 128)))

    weights = load_trained("work/train/seed-0").model.state_dict()
    with safe_open("network.safetensors", "pt") as file:
        assert set(file.keys()) == set(weights)
        assert all(torch.equal(file.get_tensor(name), value) for name, value in weights.items())
        assert json.loads(file.metadata()["genotype"]) == MIXED
        assert json.loads(file.metadata()["model"])["backbone"] == "test_efficientnet"


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def close(got: dict, expected: dict) -> None:
    assert set(got) == set(expected)
    for name, values in expected.items():
        assert got[name].dtype == values.dtype
        other = got[name].reshape(values.shape)
        if values.dtype.kind == "i":
            assert (other != values).mean() < 1e-3
        else:
            np.testing.assert_allclose(other, values, atol=1e-4 * max(1, abs(values).max()))


def test_a_file_that_predicts_otherwise_is_not_kept(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, run = FORMATS["safetensors"]

    def other(*given: object) -> dict[str, torch.Tensor]:
        return {name: value + 1 for name, value in run(*given).items()}

    monkeypatch.setitem(FORMATS, "safetensors", (write, other))
    told = r"n.safetensors: is not written: on a random image (semseg|depth): 3250 of 3250 pixels .*please report it"
    with pytest.raises(InputError, match=told):
        export_network(network, tmp_path / "n.safetensors", "safetensors")
    assert not list(tmp_path.iterdir())


def test_a_new_process_exports_what_the_network_predicts(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unfrozen backbone, all kinds of tasks, a custom mask and several local contexts, at another image size."""
    root = tmp_path / "data"
    shutil.copytree(rooms, root)
    (root / "mask").mkdir()
    for path in (root / "segmentation").iterdir():
        Image.fromarray((np.asarray(Image.open(path)) == 1).astype(np.uint8)).save(root / "mask" / path.name)
    tasks = {"semseg": {"classes": 14}, "depth": {"mode": "classification"}, "edge": {}, "normals": {}}
    tasks |= {"mask": {"type": "saliency", "labels": "mask"}}
    choices = {f"{target}/{source}": "none" for target in tasks for source in tasks}
    Genotype(choices | {"mask/depth": "local", "depth/edge": "local"}).save(tmp_path / "g.json")
    size = (40, 72)
    options = {"data__image_size": list(size), "model__blocks": str(tmp_path / "g.json"), "model__freeze": "none"}
    config = tiny_config(root, tmp_path / "run", tasks=tasks, training__lr=0.05, **options)
    nas_ctx.runs.train(config, progress=False)
    monkeypatch.chdir(tmp_path)
    python('from nas_ctx.cli import main; main("export run --format torch-export --out n.pt2".split())')
    network, pixels = load_network("run"), photo(*size)
    image = torch.from_numpy(pixels.transpose(2, 0, 1)[None]).float() / 255
    with torch.no_grad():
        program = torch.export.load("n.pt2").module()(image)
    close({name: chw(value.numpy()) for name, value in program.items()}, network.predict(pixels))


def chw(value: np.ndarray) -> np.ndarray:
    """A prediction of one image, as `predict` lays it out."""
    return np.squeeze(value[0].transpose(1, 2, 0) if value.ndim == 4 else value[0])


def test_export_replaces_no_file_of_another_kind(run: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "n.onnx").write_text("notes")
    for format in FORMATS:
        assert main(["export", str(run), "--format", format, "--out", str(tmp_path / "n.onnx")]) == 2
        assert "exists and is something else" in capsys.readouterr().err
    assert (tmp_path / "n.onnx").read_text() == "notes"


def test_predictions_are_written_through_no_link(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir()
    victim.mkdir()
    (out / "predictions.json").write_text("{}")
    (out / "depth").symlink_to(victim)
    Image.fromarray(photo(20, 30)).save(tmp_path / "photo.png")
    assert main(["predict", str(run), str(tmp_path / "photo.png"), "--out", str(out)]) == 2
    assert f"{out / 'depth'}: is a symbolic link" in capsys.readouterr().err
    assert list(victim.iterdir()) == []
