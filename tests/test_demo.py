"""What the demo prints of results, and that its weights are pinned."""

from __future__ import annotations

import configparser
import importlib.util
import io
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from nas_ctx.config import load_config

PROJECT = Path(__file__).resolve().parents[1]
SCORES = {
    "baseline": {"semseg/miou": 0.4, "depth/rmse": 0.8, "normals/mean_angle": 20.0, "edge/ods_f_9": 0.6},
    "consensus": {"semseg/miou": 0.42, "depth/rmse": 0.84, "normals/mean_angle": 19.0, "edge/ods_f_9": 0.6},
}


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, at work in an empty folder."""
    spec = importlib.util.spec_from_file_location("demo", PROJECT / "experiments/rooms/demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WORK", tmp_path)
    monkeypatch.chdir(PROJECT)
    return module


def test_both_networks_stand_in_one_table(demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, scores in SCORES.items():
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "metrics.json").write_text(json.dumps({"loss": 9.0, **scores}))
    demo.show_networks()
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "%" in line]
    assert [row[-2] for row in rows[:4]] == ["+5.00", "-5.00", "+5.00", "+0.00"], "better is positive"
    assert rows[1][:5] == ["depth", "rmse", "↓", "0.8000", "0.8400"]
    assert rows[4][:2] == ["delta_m", "+1.25"]


def test_steps_are_shown_under_the_name_of_their_network(demo: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    demo.show_steps("baseline", io.StringIO("  step 200 of 400: validation loss 10.7\nloss   9.99\n"))
    assert capsys.readouterr().out == "  baseline:  step 200 of 400: validation loss 10.7\n"


def test_the_weights_are_those_of_the_extra_and_have_a_checksum() -> None:
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    extra = [line for line in setup["options.extras_require"]["weights"].splitlines() if not line.startswith("#")]
    pinned = [
        line for line in (PROJECT / "experiments/rooms/weights.txt").read_text().splitlines() if line[:1] not in "#"
    ]
    assert len(pinned) == 1
    requirement, checksum = pinned[0].split(" --hash=sha256:")
    assert requirement in extra
    assert re.fullmatch("[0-9a-f]{64}", checksum)
    package = requirement.partition("==")[0]
    for name in ("search", "train"):
        assert load_config(PROJECT / f"experiments/rooms/{name}.yaml").model.weights == f"package:{package}"
