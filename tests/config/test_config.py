"""Configurations: what is refused, with which line, and what comes back from the file that a run writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nas_ctx.cli import main
from nas_ctx.config import Config, check_config, flattened, load_config, to_yaml
from nas_ctx.config.nested import parse_override, set_dotted
from nas_ctx.errors import InputError

MINIMAL = {"data": {"root": "d"}, "tasks": {"depth": {}}}


@pytest.mark.parametrize(
    "change",
    [{"plugin_folder": "a\x00"}, {"plugins": ["\x00"]}, {"model": {"backbone_options": {"x": [{"\x00": 1}]}}}],
)
def test_null_characters_are_refused_by_key(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps({**MINIMAL, **change}))
    with pytest.raises(InputError, match=rf"x\.yaml: {next(iter(change))}.*: holds a null character"):
        load_config(path)


def test_defaults_are_the_papers() -> None:
    """Supplement A: minibatch 8, 40 000 iterations, SGD 0.9 / 5e-4, the search's rates and schedules."""
    config = check_config(MINIMAL, "x")
    training, search = config.training, config.search
    assert (config.data.batch_size, training.steps) == (8, 40_000)
    assert (training.momentum, training.weight_decay) == (0.9, 0.0005)
    assert (search.arch_lr, search.temperature, search.entropy_weight) == (0.0005, (1.0, 0.05), (-0.02, 0.06))
    assert search.stop_margin == 0.3
    assert config.model.backbone == "hrnet_w18_small_v2.ms_in1k"


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("sead", 1, "sead: unknown key; known: data, model, output, "),
        ("data.rot", "d", "data.rot: unknown key; known: augment, batch_size"),
        ("training.lr", "fast", "training.lr: 'fast': input should be a valid number"),
        ("training.lr", -1, "training.lr: -1: input should be greater than 0"),
        ("training.lr", float("nan"), "training.lr: nan: input should be a finite number"),
        ("training.steps", 0, "training.steps: 0:"),
        ("training.steps", True, "training.steps: True: input should be a valid integer"),
        ("seed", 1.5, "seed: 1.5: input should be a valid integer"),
        ("search.temperature", [1, 0], "search.temperature.1: 0: input should be greater than 0"),
        ("search.evaluate", "most", "search.evaluate: 'most': input should be 'all' or 'partial'"),
        (
            "search.evaluate",
            "sparse",
            "search.evaluate: 'sparse': has gone, it recovered less; 'partial' takes its place",
        ),
        ("data.image_size", [1, 2, 3], "data.image_size: [1, 2, 3]:"),
        ("data.image_size", [32], "data.image_size: [32]: expected more values than 1"),
        ("search.temperature", [], "search.temperature: []: expected more values than 0"),
        ("tasks", {}, "tasks: {}:"),
        ("data", 3, "data: 3: expected keys and values"),
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


@pytest.mark.parametrize(
    ("key", "meant"),
    [("sead", "seed"), ("data.rot", "root"), ("search.gradient_clip", "training.gradient_clip"), ("zzz", None)],
)
def test_who_misspells_a_key_is_told_what_was_meant(key: str, meant: str | None) -> None:
    content = yaml.safe_load(yaml.safe_dump(MINIMAL))
    set_dotted(content, key, 1)
    with pytest.raises(InputError) as caught:
        check_config(content, "x")
    said = str(caught.value).partition("; did you mean ")[2]
    assert said == ("" if meant is None else f"{meant!r}?")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("training.lr=fast", "--set training.lr: 'fast': input should be a valid number"),
        ("trainin.lr=1", "--set trainin: unknown key;"),
        ("training.lrr=1", "--set training.lrr: unknown key;"),
        ("data={}", "--set data.root: missing"),
        ("search.temperature=[1, 0]", "--set search.temperature.1: 0: input should be greater than 0"),
        ("data.root.x=1", "--set data.root.x: data.root is 'd', which has no keys"),
        ("output=runs/{sede}", "--set output: 'runs/{sede}': {sede}: no such key; did you mean 'seed'?"),
    ],
)
def test_the_override_is_blamed_for_its_own_mistakes_and_the_file_for_the_others(
    tmp_path: Path, override: str, line: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(MINIMAL))
    with pytest.raises(InputError) as caught:
        load_config(path, [parse_override(override)])
    assert str(caught.value).startswith(line)
    with pytest.raises(InputError) as caught:
        load_config(path, [parse_override(override)], {parse_override(override)[0]: "trial parameter"})
    assert str(caught.value).startswith(line.replace("--set", "trial parameter"))
    path.write_text(yaml.safe_dump({**MINIMAL, "seed": -1}))
    with pytest.raises(InputError) as caught:
        load_config(path, [parse_override("training.lr=1")])
    assert str(caught.value).startswith(f"{path}: seed: -1")


def test_a_folder_is_named_after_any_key() -> None:
    content = {**MINIMAL, "seed": 3, "training": {"lr": 5e-4}, "model": {"blocks": "a/b.json", "start_from": None}}
    template = "w/{training.lr}/{seed}-{model.blocks}-{model.start_from}-{model.pretrained}"
    assert check_config({**content, "output": template}, "x").output == "w/0.0005/3-a_b.json-null-true"
    for wrong in ("{data.image_size}", "{tasks}", "{output}", "{}"):
        with pytest.raises(InputError, match=r"^x: output: .*(no such key|single value)"):
            check_config({**content, "output": wrong}, "x")


def test_a_refused_configuration_costs_no_import_of_torch_or_nni(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(MINIMAL))
    code = (
        "import sys; from nas_ctx.cli import main\n"
        f"assert main([sys.argv[1], {str(path)!r}, '--set', 'training.lr=fast']) == 2\n"
        "print({'torch', 'nni'} & set(sys.modules))"
    )
    for command in ("search", "train"):
        done = subprocess.run([sys.executable, "-c", code, command], capture_output=True, text=True, check=False)
        assert done.stdout == "set()\n", done.stderr
        assert done.stderr.startswith(f"nas-ctx {command}: --set training.lr: 'fast'")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("data.root", "{folder}/nowhere", "data.root: {folder}/nowhere: no such folder"),
        ("data.name", "kitty", "data.name: unknown data set 'kitty'; known: nyud, pascal"),
        ("model.start_from", "{folder}", "model.start_from: {folder}: holds no checkpoint to start from"),
        ("output", None, "output: missing"),
        ("output", "{folder}", "output: {folder}: is not empty and holds no run"),
        ("plugins", ["none_of_that_name"], "plugins: 'none_of_that_name': no module of that name"),
    ],
)
def test_what_files_and_folders_refuse_costs_no_import_of_torch_or_nni(
    rooms: Path, tmp_path: Path, key: str, value: object, words: str
) -> None:
    content = {"data": {"root": str(rooms)}, "tasks": {"depth": {}}, "output": str(tmp_path / "run")}
    text = yaml.safe_dump(value).replace("{folder}", str(tmp_path))
    set_dotted(content, key, yaml.safe_load(text))
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(content))
    code = (
        "import sys; from nas_ctx.cli import main\n"
        f"assert main(['search', {str(path)!r}]) == 2\n"
        "print({'torch', 'nni', 'pytorch_lightning'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr
    assert words.replace("{folder}", str(tmp_path)) in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match=r"^x: data: missing$"):
        check_config({"tasks": {"depth": {}}}, "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "not YAML"),
        ("- 1\n- 2", "expected keys and values, got list"),
        ("", "expected keys and values, got NoneType"),
        ("seed: 1\nseed: 2", "duplicate key 'seed'"),
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
    content = {**MINIMAL, "output": "runs/{seed}", "seed": 3, "search": {"stop_margin": None, "evaluate": "all"}}
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


def test_every_key_is_in_the_documentation_with_a_meaning() -> None:
    """What a run folder's complete config.yaml has, the page has."""
    site = Path(__file__).parents[2] / "docs" / "_sphinx"
    pytest.importorskip("docutils")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from configuration_keys import table; print(*table(), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(site)], capture_output=True, text=True, check=True)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    documented = {key.strip("`"): (values, default, meaning) for key, values, default, meaning in rows}
    config = check_config({"data": {"root": "d"}, "tasks": {"depth": {}}}, "x")
    written = flattened(config)
    written["tasks"] = written.pop("tasks.depth")
    assert documented.keys() == written.keys()
    for key, (values, default, meaning) in documented.items():
        assert values, key
        assert len(meaning.split()) >= 2, key
        if key not in ("data.root", "tasks"):
            assert yaml.safe_load(default.strip("`")) == written[key], key
    assert documented["training.momentum"][0] == "number >= 0, < 1"


def test_former_names_work_and_warn() -> None:
    from nas_ctx import config

    with pytest.warns(DeprecationWarning, match="known_keys"):
        assert config.known_keys(["search"])[0] == "search.arch_lr"
    with pytest.warns(DeprecationWarning, match="names_code"):
        assert not config.names_code(check_config(MINIMAL, "x"))


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ("{depth: &a {x: *a}}", "stands in what it names"),
        ("{depth: {since: 2001-01-01}}", None),
        ("{1: {}}", r"tasks\.1: 1: input should be a valid string"),
        ("{depth: {1: 2}}", r"tasks\.depth\.1: 1: input should be a valid string"),
        ("{depth: }", "tasks.depth: None: expected keys and values"),
        ("{depth: {x: " + "[" * 90 + "]" * 90 + "}}", None),
        ("{depth: {x: " + "[" * 900 + "]" * 900 + "}}", "not YAML"),
    ],
)
def test_options_are_what_json_can_hold(tmp_path: Path, tasks: str, words: str | None) -> None:
    """They go into config.yaml, checkpoints and records, and come back from there."""
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{root: d}}\ntasks: {tasks}\n")
    if words is None:
        to_yaml(load_config(path))
        return
    with pytest.raises(InputError, match=words):
        load_config(path)
