"""Searches and trainings from configurations: what they leave behind, what they repeat, what they refuse."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from nas_ctx import runs
from nas_ctx.analysis import load_runs
from nas_ctx.cli import main
from nas_ctx.config import load_config
from nas_ctx.errors import InputError
from nas_ctx.evaluation.contrasts import read_contrasts
from nas_ctx.genotype import Genotype
from tests.rooms import tiny, tiny_config

BLOCKS = {"semseg/semseg", "semseg/depth", "depth/semseg", "depth/depth"}


@pytest.fixture(scope="module")
def searched(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a search of six steps."""
    folder = tmp_path_factory.mktemp("searched") / "run"
    runs.search(tiny_config(rooms, folder, seed=3), progress=False)
    return folder


def test_a_search_leaves_a_whole_run_folder(searched: Path) -> None:
    genotype = Genotype.load(searched / "genotype.json")
    assert set(genotype) == BLOCKS
    assert (genotype.meta["seed"], genotype.meta["steps"]) == (3, 6)
    rows = list(csv.DictReader((searched / "history.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert "semseg/depth=s-label" in rows[0]
    assert "semseg/semseg=s-label" not in rows[0]  # on the diagonal it equals t-label
    for label, choice in genotype.items():
        last = {name.partition("=")[2]: float(p) for name, p in rows[-1].items() if name.startswith(f"{label}=")}
        assert last == pytest.approx(genotype.meta["probabilities"][label], rel=1e-6)
        assert last[str(choice)] == max(last.values())
    metrics = json.loads((searched / "metrics.json").read_text())
    assert {"loss", "semseg/miou", "depth/rmse"} <= set(metrics)
    assert load_config(searched / "config.yaml").seed == 3
    environment = json.loads((searched / "environment.json").read_text())
    assert environment["versions"]["torch"] == torch.__version__.partition("+")[0] or environment["versions"]["torch"]
    assert list((searched / "checkpoints").glob("*.ckpt"))
    validated = list(csv.DictReader((searched / "validation.csv").open()))
    assert [row["step"] for row in validated] == ["3", "6"]
    assert float(validated[-1]["loss"]) == metrics["loss"]
    losses = list(csv.DictReader((searched / "losses.csv").open()))
    assert [row["step"] for row in losses] == ["1", "2", "3", "4", "5", "6"]
    assert list(losses[0]) == ["step", "total", "semseg", "semseg/auxiliary", "depth", "depth/auxiliary"]


def test_the_same_seed_gives_the_same_search_to_the_last_digit(rooms: Path, tmp_path: Path, searched: Path) -> None:
    runs.search(tiny_config(rooms, tmp_path / "again", seed=3), progress=False)
    runs.search(tiny_config(rooms, tmp_path / "other", seed=4), progress=False)
    for name in ("history.csv", "genotype.json", "metrics.json"):
        assert (tmp_path / "again" / name).read_bytes() == (searched / name).read_bytes(), name
    assert (tmp_path / "other" / "history.csv").read_bytes() != (searched / "history.csv").read_bytes()


@pytest.mark.parametrize("blocks", ["baseline", "local", "s-label", "none", "searched"])
def test_networks_of_every_kind_train(rooms: Path, tmp_path: Path, searched: Path, blocks: str) -> None:
    if blocks == "searched":
        blocks = str(searched / "genotype.json")
    scores = runs.train(tiny_config(rooms, tmp_path / "t", model__blocks=blocks, training__steps=2), progress=False)
    assert scores == pytest.approx(json.loads((tmp_path / "t" / "metrics.json").read_text()))
    assert scores["depth/rmse"] > 0


def test_training_lowers_the_loss(rooms: Path, tmp_path: Path) -> None:
    config = tiny_config(
        rooms, tmp_path / "t", training__steps=60, training__validate_every=5, data__augment=False, training__lr=0.02
    )
    runs.train(config, progress=False)
    losses = [float(row["loss"]) for row in csv.DictReader((tmp_path / "t" / "validation.csv").open())]
    assert losses[-1] < 0.8 * losses[0]


def test_a_search_can_start_from_trained_weights(rooms: Path, tmp_path: Path) -> None:
    """Backbone, heads and logits begin where a baseline ended; at a rate near 0 no step moves them."""
    runs.train(tiny_config(rooms, tmp_path / "t", training__steps=2), progress=False)
    still = {"model__start_from": str(tmp_path / "t"), "training__lr": 1e-30, "training__steps": 1}
    runs.search(tiny_config(rooms, tmp_path / "s", **still), progress=False)
    trained, searched = (
        torch.load(tmp_path / name / "checkpoints" / file, weights_only=True)["state_dict"]
        for name, file in (("t", "step=2.ckpt"), ("s", "step=1.ckpt"))
    )
    weights = [name for name in trained if name.endswith(".weight") and not name.startswith("_metrics")]
    assert any("logits" in name for name in weights)
    for name in weights:
        ours = searched[name.replace("_model.", "training_module._model.network.")]
        assert torch.equal(ours, trained[name]), name
    # From a search: the candidates too, but neither alpha nor decisions.
    runs.search(
        tiny_config(rooms, tmp_path / "u", **still | {"model__start_from": str(tmp_path / "s")}), progress=False
    )
    again = torch.load(tmp_path / "u" / "checkpoints" / "step=1.ckpt", weights_only=True)["state_dict"]
    values = [name for name in searched if name.endswith(".value.0.conv.weight") or ".value.0." in name]
    assert values
    assert all(torch.equal(again[name], searched[name]) for name in values if name.endswith("weight"))
    with pytest.raises(InputError, match=r"model\.start_from: .* is of another backbone"):
        runs.search(
            tiny_config(rooms, tmp_path / "o", model__start_from=str(tmp_path / "t"), model__backbone="test_resnet"),
            progress=False,
        )


def test_a_search_that_may_stop_early_says_what_that_saved(
    rooms: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    early = {"search__stop_when_decided": True, "search__arch_lr": 5.0, "training__steps": 30}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(tiny(rooms, tmp_path / "s", **early)))
    assert main(["search", str(tmp_path / "c.yaml"), "--quiet"]) == 0
    steps = Genotype.load(tmp_path / "s" / "genotype.json").meta["steps"]
    assert steps < 30
    assert f"{30 - steps} of 30 steps were not needed" in capfd.readouterr().out


def test_reports_come_after_every_validation(rooms: Path, tmp_path: Path) -> None:
    told: list[dict[str, float]] = []
    runs.search(tiny_config(rooms, tmp_path / "s"), report=told.append, progress=False)
    assert len(told) == 2
    assert {"loss", "mean_entropy", "blocks_decided", "depth/rmse"} <= set(told[0])
    assert told[-1]["step"] == told[-1]["steps"] == 2 * told[0]["step"]


def test_a_resumed_search_ends_like_one_that_was_never_stopped(rooms: Path, tmp_path: Path, searched: Path) -> None:
    class Stop(Exception):
        pass

    def stop_after_the_first(scores: dict[str, float]) -> None:
        checkpoints = list((tmp_path / "s" / "checkpoints").glob("*.ckpt"))
        if checkpoints:
            raise Stop

    config = tiny_config(rooms, tmp_path / "s", seed=3)
    with pytest.raises(Stop):
        runs.search(config, report=stop_after_the_first, progress=False)
    assert not (tmp_path / "s" / "metrics.json").exists()
    runs.search(config, progress=False)
    for name in ("history.csv", "genotype.json", "metrics.json"):
        assert (tmp_path / "s" / name).read_bytes() == (searched / name).read_bytes(), name


def test_a_finished_folder_and_a_foreign_one_are_refused(rooms: Path, tmp_path: Path, searched: Path) -> None:
    with pytest.raises(InputError, match="holds a finished run"):
        runs.search(tiny_config(rooms, searched, seed=3), progress=False)
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(InputError, match="is not empty and holds no run"):
        runs.search(tiny_config(rooms, tmp_path), progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"data__root": "/no/such/folder"}, "/no/such/folder"),
        ({"model__space": "relationl"}, "unknown space 'relationl'"),
        ({"model__backbone": "resnet9000"}, "resnet9000"),
        ({"model__start_from": "/no/such/run"}, "/no/such/run"),
    ],
)
def test_a_refused_run_leaves_no_folder_and_a_taken_folder_hides_no_mistake(
    rooms: Path, tmp_path: Path, searched: Path, override: dict, words: str
) -> None:
    for folder in (tmp_path / "s", searched):
        with pytest.raises(InputError, match=words):
            runs.search(tiny_config(rooms, folder, seed=3, **override), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ended_before_its_first_step_gives_way_to_the_corrected_one(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("nas_ctx.runs.run.make_trainer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runs.search(tiny_config(rooms, tmp_path / "s"), progress=False)
    with pytest.raises(InputError, match="has not finished"):
        load_runs([tmp_path / "s"])
    runs.search(tiny_config(rooms, tmp_path / "s", training__steps=2), progress=False)
    assert len(load_runs([tmp_path / "s"])) == 1


def test_an_unfinished_run_of_another_configuration_is_refused(rooms: Path, tmp_path: Path) -> None:
    runs.search(tiny_config(rooms, tmp_path / "s", seed=3), progress=False)
    (tmp_path / "s" / "metrics.json").unlink()
    with pytest.raises(InputError, match=r"another configuration \(seed, training.lr differ\)"):
        runs.search(tiny_config(rooms, tmp_path / "s", seed=4, training__lr=0.5), progress=False)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"tasks": {"sem": {}}}, "unknown task 'sem'; known: depth"),
        ({"data__name": "kitti"}, "kitti.*known: .*nyud"),
        ({"data__root": "/no/such/folder"}, "/no/such/folder"),
        ({"model__backbone": "resnet9000"}, "resnet9000"),
        ({"model__contexts": ["none", "far"]}, "unknown context 'far'"),
        (
            {"model__blocks": "nowhere.json"},
            "blocks: 'nowhere.json': expected baseline, mti-net, psd, random, global",
        ),
        ({"training__precision": "7-bit"}, "training: .*7-bit"),
    ],
)
def test_what_there_is_not_is_refused(rooms: Path, tmp_path: Path, override: dict, words: str) -> None:
    run = runs.train if "model__blocks" in override else runs.search
    config = tiny_config(rooms, tmp_path / "s", **override)
    with pytest.raises(InputError, match=words):
        run(config, progress=False)


@pytest.mark.parametrize("space", ["relational", "search_spaces.windows:Windows"])
def test_a_misspelt_genotype_file_is_answered_with_one_that_exists(rooms: Path, tmp_path: Path, space: str) -> None:
    (tmp_path / "consensus.json").touch()
    config = tiny_config(rooms, tmp_path / "t", model__blocks=str(tmp_path / "consensus.jsn"), model__space=space)
    with pytest.raises(InputError, match=r"did you mean '.*/consensus\.json'\?$"):
        runs.train(config, progress=False)


def test_a_run_needs_a_folder(rooms: Path) -> None:
    with pytest.raises(InputError, match="output: missing"):
        runs.search(tiny_config(rooms, None), progress=False)


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(
    rooms: Path, tmp_path: Path, searched: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(searched, tmp_path / "s")
    (tmp_path / "s" / "metrics.json").unlink()
    newest = tmp_path / "s" / "checkpoints" / "step=6.ckpt"
    newest.write_bytes(newest.read_bytes()[:2000])
    runs.search(tiny_config(rooms, tmp_path / "s", seed=3), progress=False)
    assert "step=6.ckpt: cannot be read" in capfd.readouterr().err
    for name in ("history.csv", "genotype.json", "metrics.json"):
        assert (tmp_path / "s" / name).read_bytes() == (searched / name).read_bytes(), name


def test_a_genotype_of_other_tasks_is_refused(rooms: Path, tmp_path: Path) -> None:
    Genotype({"semseg/semseg": "none"}).save(tmp_path / "g.json")
    with pytest.raises(InputError, match="too few for the tasks semseg, depth"):
        runs.train(tiny_config(rooms, tmp_path / "t", model__blocks=str(tmp_path / "g.json")), progress=False)


def test_experiments_of_the_project_are_valid() -> None:
    for path in Path("experiments").rglob("*.yaml"):
        if path.name == "contrasts.yaml":
            assert read_contrasts(path)
        elif not path.name.endswith(".nni.yaml"):
            load_config(path)
        else:
            assert {"trialCommand", "searchSpace", "maxTrialNumber"} <= set(yaml.safe_load(path.read_text()))
