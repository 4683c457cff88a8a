"""Configurations: what is refused, with which line, and what comes back from the file that a run writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nas_ctx.cli import main
from nas_ctx.config import Config, check_config, load_config, parse_override, set_dotted, to_yaml
from nas_ctx.errors import InputError

MINIMAL = {"data": {"root": "d"}, "tasks": {"depth": {}}}


def test_defaults_are_the_papers() -> None:
    """Supplement A: minibatch 8, 40 000 iterations, SGD 0.9 / 5e-4, the search's rates and schedules."""
    config = check_config(MINIMAL, "x")
    training, search = config.training, config.search
    assert (config.data.batch_size, training.steps) == (8, 40_000)
    assert (training.momentum, training.weight_decay) == (0.9, 0.0005)
    assert (search.arch_lr, search.temperature, search.entropy_weight) == (0.0005, (1.0, 0.05), (-0.02, 0.06))
    assert search.stop_margin == 0.3
    assert config.model.backbone == "hrnet_w18_small_v2"


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("sead", 1, "sead: unknown key; known: data, model, output, search, seed, tasks, training"),
        ("data.rot", "d", "data.rot: unknown key; known: augment, batch_size"),
        ("search.gradient_clip", 1.0, "search.gradient_clip: unknown key"),
        ("training.lr", "fast", "training.lr: 'fast': input should be a valid number"),
        ("training.lr", -1, "training.lr: -1: input should be greater than 0"),
        ("training.lr", float("nan"), "training.lr: nan: input should be a finite number"),
        ("training.steps", 0, "training.steps: 0:"),
        ("training.steps", True, "training.steps: True: input should be a valid integer"),
        ("seed", 1.5, "seed: 1.5: input should be a valid integer"),
        ("search.temperature", [1, 0], "search.temperature: (1.0, 0.0): expected two positive numbers"),
        ("search.evaluate", "most", "search.evaluate: 'most': input should be 'all' or 'sparse'"),
        ("data.image_size", [1, 2, 3], "data.image_size: [1, 2, 3]:"),
        ("tasks", {}, "tasks: {}:"),
        ("data", 3, "data: 3: input should be an object"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, key: str, value: object, line: str) -> None:
    content = yaml.safe_load(yaml.safe_dump(MINIMAL))
    set_dotted(content, key, value)
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: {line}")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match=r"^x: data: missing$"):
        check_config({"tasks": {"depth": {}}}, "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "not YAML"),
        ("- 1\n- 2", "expected keys and values, got list"),
        ("", "expected keys and values, got NoneType"),
        ("seed: 1\nseed: 2", "key 'seed' stands twice"),
        ("seed: !!python/object/apply:os.system ['echo']", "not YAML"),
        ("a: &a [*a]", "not YAML|ircular|recurs|missing|unknown"),
        ("\x00", "not YAML"),
    ],
)
def test_files_that_are_no_configuration_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        load_config(tmp_path / "none.yaml")


def test_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    """YAML 1.1, which PyYAML reads, takes 5e-4 for a word."""
    path = tmp_path / "c.yaml"
    path.write_text("data: {root: d}\ntasks: {depth: {}}\ntraining: {lr: 5e-4, weight_decay: 1E-5}")
    config = load_config(path, [parse_override("search.arch_lr=2e-3")])
    assert (config.training.lr, config.training.weight_decay, config.search.arch_lr) == (5e-4, 1e-5, 2e-3)


def test_overrides_reach_what_the_file_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {root: d}\ntasks: {depth: {}}")
    config = load_config(path, {"seed": 7, "training.steps": 3, "output": "runs/{seed}"})
    assert (config.seed, config.training.steps, config.output) == (7, 3, "runs/7")
    with pytest.raises(InputError, match=r"tasks\.depth is|data\.root is 'd', which has no keys"):
        load_config(path, {"data.root.x": 1})


@pytest.mark.parametrize("text", ["training.lr", "=3", "a=[1"])
def test_malformed_overrides_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        parse_override(text)


def test_the_written_configuration_reads_back_equal(tmp_path: Path) -> None:
    content = {**MINIMAL, "output": "runs/{seed}", "seed": 3, "search": {"stop_margin": None, "evaluate": "sparse"}}
    config = check_config(content, "x")
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    assert load_config(path) == config
    assert isinstance(config, Config)


def test_the_command_answers_with_one_line_and_exit_code_2(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("sead: 1\ndata: {root: d}\ntasks: {depth: {}}")
    assert main(["search", str(path)]) == 2
    said = capfd.readouterr()
    assert said.err.count("\n") == 1
    assert "sead" in said.err
    assert said.out == ""


def test_a_file_extends_another(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "data: {root: d, workers: 7}\ntasks: {depth: {}, edge: {}}\ntraining: {lr: 0.5, steps: 3}\nseed: 4\n"
    )
    (tmp_path / "b.yaml").write_text("extends: a.yaml\ntasks: {edge: {}}\ntraining: {lr: 0.25}\n")
    (tmp_path / "c.yaml").write_text("extends: b.yaml\nmodel: {blocks: local}\n")
    config = load_config(tmp_path / "c.yaml", {"training.steps": 9})
    assert (config.data.workers, config.seed, list(config.tasks)) == (7, 4, ["edge"])
    assert (config.training.lr, config.training.steps, config.model.blocks) == (0.25, 9, "local")
    (tmp_path / "a.yaml").write_text("extends: c.yaml\n")
    with pytest.raises(InputError, match=r"a.yaml: extends: 'c.yaml': the file extends itself"):
        load_config(tmp_path / "c.yaml")
    (tmp_path / "d.yaml").write_text("extends: [a.yaml]\n")
    with pytest.raises(InputError, match=r"d.yaml: extends: .*expected the name of a file"):
        load_config(tmp_path / "d.yaml")
