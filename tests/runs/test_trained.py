"""Networks read back from their run folders, and the sheet of what they predict."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.data.show import CAPTION, GAP, HEAD, TILE
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.runs.trained import load_trained
from tests.rooms import tiny_config
from tests.training.networks import MIXED, train_mixed


@pytest.fixture(scope="module")
def trained_folder(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of a genotype, trained for two steps; the genotype file is gone."""
    return train_mixed(rooms, tmp_path_factory.mktemp("trained"), data__eval_batch_size=3)


def test_a_network_read_back_scores_what_the_run_says(trained_folder: Path) -> None:
    trained = load_trained(trained_folder)
    assert dict(Genotype.load(trained_folder / "genotype.json")) == MIXED
    metrics = {name: task.metric() for name, task in trained.tasks.items()}
    with torch.no_grad():
        for batch in trained.data.val_dataloader():
            final = trained.model(batch["image"])["final"]
            for name, task in trained.tasks.items():
                metrics[name].update(task.predict(final[name]), batch[name])
    said = json.loads((trained_folder / "metrics.json").read_text())
    for name, metric in metrics.items():
        for key, value in metric.compute().items():
            assert float(value) == pytest.approx(said[f"{name}/{key}"], rel=1e-6), (name, key)


def test_a_trained_network_stands_in_a_table(trained_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", str(trained_folder), "--layout", "B-1"]) == 0
    name, runs_found, semseg, depth = capsys.readouterr().out.splitlines()[-1].split()
    said = json.loads((trained_folder / "metrics.json").read_text())
    assert (name, runs_found) == ("consensus", "1")
    assert float(semseg) == pytest.approx(100 * said["semseg/miou"], abs=5e-3)
    assert float(depth) == pytest.approx(said["depth/rmse"], rel=1e-3)


def test_the_sheet_shows_image_predictions_and_truth(trained_folder: Path, tmp_path: Path) -> None:
    assert main(["predict", str(trained_folder), "--images", "2", "--out", str(tmp_path / "sheet.png")]) == 0
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    width = round(TILE * 64 / 48)
    trained = load_trained(trained_folder)
    sample = trained.data.val_set()[0]
    depth = trained.tasks["depth"]
    with torch.no_grad():
        logits = trained.model(sample["image"][None])["final"]["depth"]
    expected = [depth.render(logits[0, 0].clamp(min=0).numpy()), depth.render(sample["depth"][0].numpy())]
    for row, picture in enumerate(expected):
        top, left = HEAD + CAPTION + row * (CAPTION + TILE + GAP), GAP + 2 * (width + GAP)
        tile = sheet[top : top + TILE, left : left + width]
        np.testing.assert_array_equal(
            tile, np.asarray(Image.fromarray(picture).resize((width, TILE), Image.Resampling.NEAREST))
        )
    assert not np.array_equal(*expected)


def test_a_sheet_of_several_runs_is_their_sheets_one_above_the_other(
    trained_folder: Path, rooms: Path, tmp_path: Path
) -> None:
    """Figure D-2: the rows of each run, and the truth once."""
    single = tmp_path / "single"
    runs.train(
        tiny_config(rooms, single, tasks={"depth": {"mode": "classification"}}, training__steps=1), progress=False
    )
    for name, folders in {"both": [trained_folder, single], "first": [trained_folder], "second": [single]}.items():
        assert main(["predict", *map(str, folders), "--images", "1", "--out", str(tmp_path / f"{name}.png")]) == 0
    both, first, second = (
        np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int) for name in ("both", "first", "second")
    )
    width, high = round(TILE * 64 / 48) + GAP, CAPTION + TILE + GAP
    row = [slice(HEAD + n * high + CAPTION, HEAD + n * high + CAPTION + TILE) for n in range(3)]
    depth = slice(GAP + 2 * width, 2 * width + width)  # in the sheet of one task it is the second column
    np.testing.assert_array_equal(both[row[0], :], first[row[0], :])
    np.testing.assert_array_equal(both[row[1], depth], second[row[0], GAP + width : 2 * width])
    np.testing.assert_array_equal(both[row[2], :], first[row[1], :])


def test_runs_of_other_images_make_no_sheet(trained_folder: Path, rooms: Path, tmp_path: Path, capsys) -> None:
    fewer = {"data__limit_val": 2, "training__steps": 1}
    runs.train(tiny_config(rooms, tmp_path / "t", **fewer), progress=False)
    assert main(["predict", str(trained_folder), str(tmp_path / "t"), "--out", str(tmp_path / "s.png")]) == 2
    assert "its validation images are not those of" in capsys.readouterr().err
    assert not (tmp_path / "s.png").exists()


def test_what_is_no_trained_network_is_refused(rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tmp_path)]) == 2
    assert "expected the folder of a training run" in capsys.readouterr().err
    runs.search(tiny_config(rooms, tmp_path / "s", training__steps=1), progress=False)
    with pytest.raises(InputError, match="is a search"):
        load_trained(tmp_path / "s")
    for checkpoint in (tmp_path / "s" / "checkpoints").iterdir():
        checkpoint.write_bytes(b"PK")
    with pytest.raises(InputError, match=r"step=1.ckpt: cannot be read"):
        load_trained(tmp_path / "s")
