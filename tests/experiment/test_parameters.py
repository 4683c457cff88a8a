"""Which parameters a trial takes from NNI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas_ctx.errors import InputError
from nas_ctx.experiment.parameters import check_parameters

SPACE = {
    "seed": {"_type": "randint", "_value": [0, 9]},
    "training.lr": {"_type": "loguniform", "_value": [0.001, 0.1]},
    "model.backbone": {"_type": "choice", "_value": ["resnet18", "mine:Backbone"]},
    "data.image_size": {"_type": "choice", "_value": [[32, 48], [64, 96]]},
    "model.head": {"_type": "choice", "_value": ["conv", None]},
    "plugins": {"_type": "choice", "_value": [["mine"], ["yours"]]},
}


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump({"searchSpace": SPACE}))
    return path


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"seed": 3},
        {"seed": 12, "training.lr": 0.5},  # numbers load nothing; the configuration has its bounds
        {"model.backbone": "mine:Backbone", "data.image_size": [64, 96], "model.head": None},
    ],
    ids=str,
)
def test_what_the_file_lists_is_taken(parameters: dict[str, Any], experiment: Path) -> None:
    assert check_parameters(parameters, experiment) == parameters


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model.backbone_options": {"args": "id", "shell": True}}, "model.backbone_options: .* lists only "),
        ({"model.backbone_options.args": "id"}, "lists only "),
        ({"model.backbone.x": "id"}, "lists only "),
        ({"model": {"backbone": "subprocess:check_output"}}, "trial parameter model: .* lists only "),
        ({"tasks.depth.type": "os:system"}, "lists only "),
        ({"tasks": {"x": {"type": "os:system"}}}, "lists only "),
        ({"output": "/tmp/elsewhere"}, "trial parameter output: "),
        ({"Seed": 1}, "did you mean 'seed'"),
        ({"seed ": 1}, "lists only "),
        ({"seed": 1, "training.steps": 2}, "training.steps: .* lists only "),
        ({"model.backbone": "subprocess:check_output"}, "'subprocess:check_output': not in .*one of .*'mine:Backbone'"),
        ({"model.backbone": ["mine:Backbone"]}, "not in "),
        ({"model.head": {"conv": "os:system"}}, "not in "),
        ({"data.image_size": ["os:system", 96]}, "not in "),
        ({"seed": "os:system"}, "'os:system': not in .*expected a number"),
        ({"seed": None}, "expected a number"),
        ({"seed": [1]}, "expected a number"),
        ({"plugins": ["mine"]}, "plugins: names code, which a trial cannot"),
        ({"plugin_folder": "/tmp"}, "plugin_folder: names code"),
        ({"plugins.0": "os"}, "names code"),
        ("seed", "trial parameters 'seed': expected keys and values"),
        ([["seed", 1]], "expected keys and values"),
    ],
    ids=str,
)
def test_anything_else_is_refused(parameters: Any, message: str, experiment: Path) -> None:
    with pytest.raises(InputError, match=message):
        check_parameters(parameters, experiment)


def test_without_a_search_space_nothing_is_taken(tmp_path: Path) -> None:
    assert check_parameters({}, None) == {}
    with pytest.raises(InputError, match=r"trial parameters seed, a: .*--experiment FILE"):
        check_parameters({"seed": 1, "a": 2}, None)
    for content in (
        {},
        {"searchSpace": [1]},
        {"searchSpace": {"seed": [1]}},
        {"searchSpace": {"seed": {"_type": "x"}}},
    ):
        path = tmp_path / "bad.yaml"
        path.write_text(yaml.safe_dump(content))
        with pytest.raises(InputError, match=r"bad\.yaml: searchSpace: "):
            check_parameters({"seed": 1}, path)
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        check_parameters({"seed": 1}, tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["space.json", "space.yaml"])
def test_a_search_space_in_a_file_of_its_own(name: str, tmp_path: Path) -> None:
    write = json.dumps if name.endswith("json") else yaml.safe_dump
    (tmp_path / name).write_text(write({"seed": SPACE["seed"]}))
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump({"search_space_file": name}))
    assert check_parameters({"seed": 3}, path) == {"seed": 3}
    with pytest.raises(InputError, match=r"experiment\.yaml lists only seed"):
        check_parameters({"model.backbone": "os:system"}, path)


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', '{"a": []}', "{", "", '"x"'])
def test_damaged_notes_are_no_notes(tmp_path: Path, text: str) -> None:
    from nas_ctx.experiment.launch import _notes
    from nas_ctx.experiment.manager import known_experiment

    (tmp_path / "launched.json").write_text(text)
    assert _notes(tmp_path) == {}
    (tmp_path / "nni-experiments").mkdir()
    (tmp_path / "nni-experiments" / ".experiment").write_text(text)
    assert known_experiment("a", 8080, tmp_path, {}).pid is None


def test_what_the_launcher_notes_is_for_its_user_only(tmp_path: Path) -> None:
    """It repeats the experiment's file, whose mode may be 0600."""
    from nas_ctx.experiment import launch

    config = tmp_path / "experiment.yaml"
    config.write_text("experimentName: secret\n")
    launch._note(config, tmp_path, launch.Experiment("abc", 8080, tmp_path, {}, None))
    assert "secret" not in (tmp_path / "launched.json").read_text()  # a digest tells whether the file has changed
    assert (tmp_path / "launched.json").stat().st_mode & 0o777 == 0o600
