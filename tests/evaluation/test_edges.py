"""``nas-ctx score-edges``: files of any program, against the metric on tensors and against counting by hand."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas_ctx.cli import main
from nas_ctx.evaluation.edges import score_edges
from nas_ctx.metrics import ods_f, ois_f

COUNT, SIZE = 3, (24, 32)


@pytest.fixture
def maps(tmp_path) -> tuple[Path, Path, torch.Tensor, torch.Tensor]:
    """Folders of .npy predictions and .png truths with ignored pixels, and the same as tensors."""
    rng = np.random.default_rng(4)
    bytes_ = rng.integers(0, 256, (COUNT, *SIZE), dtype=np.uint8)
    truth = (rng.random((COUNT, *SIZE)) < 0.1).astype(np.uint8)
    truth[:, :2] = 255
    for folder in ("predicted", "true"):
        (tmp_path / folder).mkdir()
    for i in range(COUNT):
        np.save(tmp_path / f"predicted/{i}.npy", bytes_[i] / np.float32(255))
        Image.fromarray(truth[i]).save(tmp_path / f"true/{i}.png")
    probability = torch.from_numpy(bytes_.astype(np.float32) / np.float32(255))
    return tmp_path / "predicted", tmp_path / "true", probability, torch.from_numpy(truth).float()


def test_scores_are_those_of_the_metric(maps):
    predicted, true, probability, label = maps
    found = score_edges(predicted, true, max_dist=0.02)
    assert found.ods_f == pytest.approx(float(ods_f(probability, label, 0.02)), abs=1e-12)
    assert found.ois_f == pytest.approx(float(ois_f(probability, label, 0.02)), abs=1e-12)


def test_pictures_and_arrays_score_the_same(maps):
    """Predictions as bytes in PNG files, the truth as 0 and 255 where nothing is ignored."""
    predicted, true, probability, label = maps
    for i in range(COUNT):
        (predicted / f"{i}.npy").unlink()
        Image.fromarray(np.rint(probability[i].numpy() * 255).astype(np.uint8)).save(predicted / f"{i}.png")
        Image.fromarray((label[i].numpy() == 1).astype(np.uint8) * np.uint8(255)).save(true / f"{i}.png")
    expected = ods_f(probability, (label == 1).float(), 0.02)
    assert score_edges(predicted, true, max_dist=0.02).ods_f == pytest.approx(float(expected), abs=1e-12)


def test_the_command_writes_the_curve_with_several_processes(maps, tmp_path, capsys):
    predicted, true, probability, label = maps
    words = ["score-edges", str(predicted), str(true), "--max-dist", "0.02", "--jobs", "2", "--thresholds", "4"]
    out = ["--csv", str(tmp_path / "curve.csv"), "--figure", str(tmp_path / "curve.png")]
    assert main([*words, *out]) == 0
    said = capsys.readouterr().out
    assert f"odsF {float(ods_f(probability, label, 0.02, 4)):.4f}" in said
    assert f"oisF {float(ois_f(probability, label, 0.02, 4)):.4f}   of 3 images" in said
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["threshold"] for row in rows] == ["0.2", "0.4", "0.6", "0.8"]
    for row in rows:
        matched, predicted_count, true_count = (int(row[name]) for name in ("matched", "predicted", "true"))
        assert float(row["precision"]) == pytest.approx(matched / predicted_count, rel=1e-5)
        assert float(row["recall"]) == pytest.approx(matched / true_count, rel=1e-5)
        assert float(row["f"]) == pytest.approx(2 * matched / (predicted_count + true_count), rel=1e-5)
    assert Image.open(tmp_path / "curve.png").size > (100, 100)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda p, t: np.save(p / "9.npy", np.zeros(SIZE)), r"9\.npy: no truth of this name"),
        (
            lambda p, t: (p / "1.npy").unlink(),
            r"predicted: holds no prediction of 1 of 3 truths, .* is '1'; --list FILE",
        ),
        (lambda p, t: np.save(p / "0.npy", np.zeros((3, 4))), r"0\.npy: is 3 x 4, its truth 24 x 32 pixels"),
        (lambda p, t: np.save(p / "0.npy", np.full(SIZE, 1.5)), "values of 1.5 to 1.5, expected 0 to 1"),
        (lambda p, t: np.save(p / "0.npy", np.full(SIZE, np.nan)), "expected 0 to 1"),
        (lambda p, t: np.save(p / "0.npy", np.eye(*SIZE, dtype=np.uint8)), "up to 1, expected 255 where"),
        (lambda p, t: Image.fromarray(np.full(SIZE, 7, np.uint8)).save(t / "0.png"), r"0\.png: holds values up to 7"),
        (lambda p, t: Image.new("L", SIZE).save(p / "0.png"), r"0\.png: has the name of .*0\.npy"),
        (lambda p, t: [Image.new("L", SIZE[::-1]).save(path) for path in t.iterdir()], "no boundary in any of 3"),
        (lambda p, t: [path.unlink() for path in p.iterdir()], "predicted: holds no file of .png or .npy"),
    ],
)
def test_files_that_do_not_fit_are_told(maps, change, told, capsys):
    predicted, true, *_ = maps
    change(predicted, true)
    assert main(["score-edges", str(predicted), str(true), "--jobs", "1"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1

    assert re.search(told, err)


def test_options_out_of_range_are_told(maps, tmp_path, capsys):
    words = ["score-edges", str(maps[0]), str(maps[1])]
    for more, told in (
        (["--max-dist", "0"], "--max-dist 0: expected"),
        (["--thresholds", "0"], "--thresholds 0: expected 1"),
        (["--figure", str(tmp_path / "x.bmp")], "expected a .png, .svg or .pdf file"),
    ):
        assert main([*words, *more]) == 2
        assert told in capsys.readouterr().err


def test_a_list_names_what_is_scored_and_must_have_been_predicted(maps, tmp_path, capsys):
    predicted, true, probability, label = maps
    words = ["score-edges", str(predicted), str(true), "--jobs", "1", "--list", str(tmp_path / "val.txt")]
    (predicted / "0.npy").unlink()  # of another split
    (tmp_path / "val.txt").write_text("images/2.jpg\n1\n")
    assert main(words) == 0
    assert f"odsF {float(ods_f(probability[1:], label[1:])):.4f}" in capsys.readouterr().out
    (tmp_path / "val.txt").write_text("2\n")
    assert main(words) == 0
    assert "of 1 image\n" in capsys.readouterr().out
    (tmp_path / "val.txt").write_text("0\n1\n2\n")
    assert main(words) == 2
    assert "holds no prediction of 1 of 3 ids of" in capsys.readouterr().err
