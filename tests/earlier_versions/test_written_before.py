"""Files written by earlier versions are still read, and mean what they meant."""

from __future__ import annotations

import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image

from nas_ctx.cli import main
from nas_ctx.genotype import Genotype
from nas_ctx.runs.trained import load_trained
from tests.earlier_versions.write import ROOMS

HERE = Path(__file__).parent
SCHEMA = HERE.parents[1] / "docs" / "report.schema.json"
SEARCHES = ["search-0", "search-1", "search-2"]
BLOCKS = ["semseg/semseg", "semseg/depth", "depth/semseg", "depth/depth"]
CHOICES = {
    "search-0": ["t-label", "s-label", "global", "local"],
    "search-1": ["local", "local", "global", "global"],
    "search-2": ["t-label", "local", "s-label", "t-label"],
}
VOTED = ["t-label", "local", "global", "global"]  # in the last block, a tie, by the mean of the final probabilities


@pytest.fixture(scope="module", params=sorted(HERE.glob("written_by_*")), ids=lambda path: path.name)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of one version's files, with the checkpoints unpacked and the data set rendered again."""
    folder = tmp_path_factory.mktemp("work") / "written"
    shutil.copytree(request.param, folder)
    for packed in folder.glob("*/checkpoints/*.xz"):
        packed.with_suffix("").write_bytes(lzma.decompress(packed.read_bytes()))
        packed.unlink()
    assert main(["data", "rooms", str(folder / "rooms"), *ROOMS]) == 0
    return folder


@pytest.fixture(autouse=True)
def inside(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where the files lie: the configurations hold relative paths."""
    monkeypatch.chdir(written)


def read_json(path: str | Path) -> Any:
    return json.loads(Path(path).read_text())


def nas_ctx(*arguments: str | Path) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def near(scores: dict[str, float]) -> Any:
    """Equal up to what another processor or version of torch may change in the last digits."""
    return pytest.approx(scores, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", ["search-0/genotype.json", "train-genotype/genotype.json", "atrc.json", "flat.json"])
def test_genotypes_of_every_form(name: str) -> None:
    assert dict(Genotype.load(name)) == dict(zip(BLOCKS, CHOICES["search-0"], strict=True))


def test_what_travels_along_with_a_genotype() -> None:
    meta = Genotype.load("search-2/genotype.json").meta
    assert (meta["seed"], meta["steps"]) == (2, 6)
    assert meta["decided_at"]["semseg/semseg"] == 3
    assert sum(meta["probabilities"]["semseg/semseg"].values()) == pytest.approx(1)


@pytest.mark.parametrize("paths", [SEARCHES, ["experiment"], ["ratings.csv"]], ids=["folders", "experiment", "csv"])
def test_a_report_comes_to_the_same_numbers(paths: list[str], tmp_path: Path) -> None:
    nas_ctx("report", *paths, "--ties", "order", "--draws", 50, "--no-figures", "--out", tmp_path / "report")
    now, before = read_json(tmp_path / "report/report.json"), read_json("report.json")
    assert now["blocks"] == BLOCKS
    assert [run["choices"] for run in now["runs"]] == [CHOICES[name] for name in SEARCHES]
    for key in ("percentage_agreement", "lights_kappa", "fleiss_kappa"):
        assert statistic(now, key) == pytest.approx(statistic(before, key))
    if paths != ["ratings.csv"]:  # a table holds nothing but choices
        scores = [read_json(f"{name}/metrics.json") for name in SEARCHES]
        assert [run["metrics"]["depth/rmse"] for run in now["runs"]] == [each["depth/rmse"] for each in scores]


def statistic(report: Any, key: str) -> float:
    return next(entry["value"] for entry in report["statistics"] if entry["key"] == key)


def test_a_report_reads_probabilities_and_histories(tmp_path: Path) -> None:
    nas_ctx("report", *SEARCHES, "--ties", "probability", "--draws", 50, "--no-figures", "--out", tmp_path / "report")
    assert list(Genotype.load(tmp_path / "report/consensus.json").values()) == VOTED
    assert read_json(tmp_path / "report/report.json")["course"]["steps"] == [1, 2, 3, 4, 5, 6]


def test_a_comparison_comes_to_the_same_numbers(tmp_path: Path) -> None:
    nas_ctx("compare", *SEARCHES[:2], "--with", *SEARCHES[1:], "--draws", 50, "--no-figures", "--out", tmp_path / "c")
    now, before = read_json(tmp_path / "c/comparison.json"), read_json("comparison.json")
    for key in ("percentage_agreement", "lights_kappa"):
        values = [
            next((each["first"], each["second"]) for each in comparison["differences"] if each["key"] == key)
            for comparison in (now, before)
        ]
        assert values[0] == pytest.approx(values[1])


@pytest.mark.parametrize("name", ["report.json", "comparison.json"])
def test_json_of_reports_fits_the_schema_of_today(name: str) -> None:
    jsonschema.Draft202012Validator(read_json(SCHEMA)).validate(read_json(name))


@pytest.mark.parametrize("place", ["search-0", "train-genotype", "atrc.json", "consensus.json"])
def test_show(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    nas_ctx("show", place)
    said = capsys.readouterr().out
    assert "4 blocks" in said
    assert all(choice in said for choice in (VOTED if place == "consensus.json" else CHOICES["search-0"]))


def test_a_table_of_trainings(capsys: pytest.CaptureFixture[str]) -> None:
    nas_ctx("table", "train-baseline", "train-genotype", "--format", "csv")
    said = capsys.readouterr().out
    for name in ("train-baseline", "train-genotype"):
        assert repr(read_json(f"{name}/metrics.json")["depth/rmse"]) in said


def test_predictions(tmp_path: Path) -> None:
    nas_ctx("predict", "train-baseline", "--images", 2, "--out", tmp_path / "sheet.png")
    assert np.asarray(Image.open(tmp_path / "sheet.png")).std() > 0


def test_stored_weights_score_what_they_scored() -> None:
    trained = load_trained("train-baseline")
    metrics = {name: task.metric() for name, task in trained.tasks.items()}
    for batch in trained.data.val_dataloader():
        with torch.no_grad():
            final = trained.model(batch["image"])["final"]
        for name, task in trained.tasks.items():
            metrics[name].update(task.predict(final[name]), batch[name])
    stored = read_json("train-baseline/metrics.json")
    for name, metric in metrics.items():
        found = {f"{name}/{key}": float(value) for key, value in metric.compute().items()}
        assert found == near({key: stored[key] for key in found})


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "train-genotype", "--out", "sheet.png"],
        ["importance", "train-genotype", "--out", "importance"],
        ["search", "search-2-unfinished/config.yaml", "--quiet", "--out", "search-2-unfinished"],
    ],
)
def test_networks_with_contexts_are_refused_in_a_line(command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Their auxiliary heads read other features since, and so their weights have no use."""
    assert main(command) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "networks with contexts are others since version 0.1.0: begin again" in line
    assert not Path(command[-1]).exists() or command[0] == "search"


def test_a_training_starts_from_the_weights_of_a_search(tmp_path: Path) -> None:
    nas_ctx(
        "train", "search.yaml", "--quiet", "--set", "training.steps=1", "--set", "model.blocks=atrc.json",
        "--set", "model.start_from=search-2-unfinished", "--out", tmp_path / "run",
    )  # fmt: skip
    assert set(read_json(tmp_path / "run/metrics.json")) == set(read_json("train-genotype/metrics.json"))


def test_a_codebook(tmp_path: Path) -> None:
    nas_ctx(
        "train", "search.yaml", "--quiet", "--set", "training.steps=1", "--out", tmp_path / "run",
        "--set", "tasks={normals: {codebook: codebook.npy, codewords: 12}}",
    )  # fmt: skip
    assert "normals/mean_angle" in read_json(tmp_path / "run/metrics.json")
