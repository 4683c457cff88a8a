"""The configurations of the two data sets, each run for two steps on small data in the same layout."""

from __future__ import annotations

import itertools
import json
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from nni.experiment.config import ExperimentConfig

from nas_ctx.cli import main
from nas_ctx.config import load_config
from nas_ctx.config.nested import parse_override
from nas_ctx.data.rooms import write_rooms
from nas_ctx.experiment.parameters import check_parameters
from nas_ctx.genotype import Genotype

PROJECT = Path(__file__).resolve().parents[1]
STUDIES = {"nyud": "NYUD_MT", "pascal": "PASCAL_MT"}
FILES = [path for study in STUDIES for path in sorted((PROJECT / "experiments" / study).glob("*.yaml"))]
RUNS = [path for path in FILES if not path.name.endswith(".nni.yaml")]
SMALL = {
    "model.backbone": "test_efficientnet", "model.backbone_options": "{}", "model.pretrained": "false",
    "data.image_size": "[32, 48]", "data.batch_size": "2", "data.workers": "0", "data.limit_val": "2",
    "training.steps": "2", "training.threads": "1",
}  # fmt: skip


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small data where the configurations expect the real data, codebooks, and a voted genotype."""
    folder = tmp_path_factory.mktemp("experiments")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for study, root in STUDIES.items():
            write_rooms(Path(root), train=4, val=2, size=(48, 64), layout=study)
            assert main(["data", "codebook", root, "--out", f"work/{study}/codebook.npy", "--pixels", "2000"]) == 0
            tasks = load_config(PROJECT / "experiments" / study / "train.yaml").tasks
            choices = dict(
                zip(itertools.product(tasks, tasks), itertools.cycle(["local", "none", "t-label", "global"]))
            )
            for report in (f"work/{study}/report", f"work/{study}/hrnet48/report"):
                Genotype({f"{t}/{s}": choice for (t, s), choice in choices.items()}).save(f"{report}/consensus.json")
    return folder


@pytest.mark.parametrize("path", RUNS, ids=name_of)
def test_every_configuration_runs(path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    command = "search" if path.stem.endswith("search") else "train"
    overrides = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    assert main([command, str(path), "--quiet", *overrides]) == 0
    config = load_config(path)
    metrics = json.loads((place / str(config.output) / "metrics.json").read_text())
    assert {name.partition("/")[0] for name in metrics} == {"loss", *config.tasks}


@pytest.mark.parametrize("path", [path for path in RUNS if path.stem.endswith("search")], ids=name_of)
def test_the_paper_s_searches_have_its_settings(path: Path) -> None:
    """Supplement A: rates, schedules, the stop rule; and every candidate is differentiated in every step."""
    settings = load_config(path).search
    assert (settings.arch_lr, settings.temperature, settings.entropy_weight) == (5e-4, (1.0, 0.05), (-0.02, 0.06))
    assert (settings.stop_margin, settings.stop_on, settings.eliminate_margin) == (0.3, "probabilities", None)
    assert (settings.estimator, settings.evaluation, settings.resource_weight) == ("gumbel", "all", 0.0)


@pytest.mark.parametrize("path", [path for path in FILES if path not in RUNS], ids=name_of)
def test_every_experiment_starts_valid_configurations_and_ends(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    _, _, module, command, config, *options = shlex.split(content["trialCommand"])
    assert (module, command) in {("nas_ctx.trial", "search"), ("nas_ctx.trial", "train")}
    words = list(zip(options[::2], options[1::2], strict=True))
    fixed = dict(parse_override(text) for word, text in words if word == "--set")
    spaces = [[(key, value) for value in of["_value"]] for key, of in content["searchSpace"].items()]
    points = list(itertools.product(*spaces))
    outputs = {load_config(PROJECT / config, fixed | dict(point)).output for point in points}
    assert len(points) == content["maxTrialNumber"]
    assert [PROJECT / text for word, text in words if word == "--experiment"] == [path]
    assert all(check_parameters(dict(point), path) for point in points)
    settings = ExperimentConfig.load(path)
    settings.validate()  # by NNI: the next trial takes the next free GPU
    assert settings.trial_gpu_number == settings.training_service.max_trial_number_per_gpu == 1
    assert outputs == {None} or len(outputs) == len(points)  # no two trials in one folder


def test_codebooks_are_directions_of_the_data(place: Path) -> None:
    codewords = np.load(place / "work/nyud/codebook.npy")
    assert codewords.shape == (40, 3)
    np.testing.assert_allclose(np.linalg.norm(codewords, axis=1), 1, rtol=1e-5)
    normals = np.concatenate([np.load(p).reshape(-1, 3) for p in (place / "NYUD_MT/normals").glob("train_*.npy")])
    normals = normals[np.linalg.norm(normals, axis=1) > 0.5]
    rng = np.random.default_rng(0)
    spread = rng.standard_normal((40, 3))
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    angle = {k: np.degrees(np.arccos(np.clip((normals @ c.T).max(1), -1, 1))).mean() for k, c in
             {"learned": codewords, "random": spread}.items()}  # fmt: skip
    assert angle["learned"] < 0.5 * angle["random"]


def test_a_codebook_needs_normals(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(place / "NYUD_MT")
    out = str(tmp_path / "c.npy")
    assert main(["data", "codebook", root, "--out", out, "--codewords", "3"]) == 2
    assert "--codewords 3: expected 4 to 255" in capsys.readouterr().err
    assert main(["data", "codebook", str(tmp_path), "--out", out]) == 2
    assert not Path(out).exists()


PROGRAMS = [path for path in sorted((PROJECT / "experiments").rglob("*.py")) if "__main__" in path.read_text()]


@pytest.mark.parametrize("path", PROGRAMS, ids=name_of)
def test_help_of_a_program_says_what_it_does_and_does_not_do_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [str(path), "--help"])
    monkeypatch.syspath_prepend(str(path.parent))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: ")
    assert "--" in out
