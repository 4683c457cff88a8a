"""Searches until the vote is stable, with the real nnictl: by its own file and by ``nas-ctx launch --until-stable``."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import nni
import pytest
import yaml

from nas_ctx.cli import main
from nas_ctx.errors import InputError
from nas_ctx.experiment import launch
from nas_ctx.experiment.until_stable import with_tuner
from nas_ctx.tuner import UntilStable

TRIAL = """
import nni
seed = nni.get_next_parameter()["seed"]
assert seed != 7, "a search that fails"
choices = {"a/a": "local", "a/b": "none"}
candidates = dict.fromkeys(choices, ["none", "local", "global"])
nni.report_final_result({"default": 0.5, "genotype": choices, "candidates": candidates})
"""


def experiment_file(folder: Path, **changes: Any) -> Path:
    (folder / "code").mkdir()
    (folder / "code" / "trial.py").write_text(TRIAL)
    path = folder / "experiment.yaml"
    content = {
        "trialCodeDirectory": "code",
        "trialCommand": "python trial.py",
        "searchSpace": {"seed": {"_type": "choice", "_value": [7, 1]}},
        "tuner": {"name": "GridSearch"},
        "maxTrialNumber": 2,
        "trialConcurrency": 1,
        "trainingService": {"platform": "local"},
    }
    path.write_text(yaml.safe_dump({**content, **changes}))
    return path


def test_launch_until_stable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seed 7 fails; when three agree, no two others can outvote them."""
    path = experiment_file(tmp_path)
    assert main(["launch", str(path), "--home", str(tmp_path / "home"), "--until-stable", "--most", "5"]) == 2
    out, err = capsys.readouterr()
    assert "the vote of 3 runs: in 2 of 2 blocks 5 would keep the leader (95 % each)\n" in out
    assert "trial 3 (seed 9) succeeded" in out  # 7 and 1, and then new ones
    assert "1 of 4 trials did not succeed" in err


@pytest.mark.long
def test_plain_nnictl_ends_the_experiment(tmp_path: Path) -> None:
    """The tuner in the user's own file; when three agree, another may have begun."""
    tuner = {"codeDirectory": ".", "className": "nas_ctx.tuner.UntilStable", "classArgs": {"least": 2, "most": 5}}
    space = {"seed": {"_type": "choice", "_value": [10]}}
    path = experiment_file(tmp_path, tuner=tuner, maxTrialNumber=30, trialConcurrency=2, searchSpace=space)
    experiment = launch.create(path, tmp_path / "home")
    try:
        deadline = time.monotonic() + 120
        while experiment.status() != "DONE" and time.monotonic() < deadline:
            time.sleep(0.5)
        trials = experiment.trials()
        assert experiment.status() == "DONE"  # where a tuner without more trials leaves TUNER_NO_MORE_TRIAL for ever
        assert {trial.status for trial in trials} == {"SUCCEEDED"}
        # A trial that ends before NNI has noted its start is heard by nobody, and gives no vote.
        seeds = [trial.parameters["seed"] for trial in trials if trial.parameters]
        assert 3 <= len(seeds) <= 5
        assert len({*seeds}) == len(seeds)
        assert {*seeds} <= {*range(10, 10 + len(trials))}
    finally:
        experiment.stop()


def votes(*choices: str) -> list[dict[str, Any]]:
    return [{"default": 0.0, "genotype": {"a/a": "none", "a/b": choice}} for choice in choices]


def given(tuner: UntilStable) -> int:
    """How many more trials the tuner would give at once."""
    return len(tuner.generate_multiple_parameters(list(range(100))))


def test_the_tuner_by_hand() -> None:
    tuner = UntilStable(least=2, most=6)
    tuner.update_search_space({"seed": {"_type": "choice", "_value": [3, 5]}})
    assert [tuner.generate_parameters(number) for number in range(3)] == [{"seed": 3}, {"seed": 5}, {"seed": 6}]
    for result in votes("local", "global", "local"):
        tuner.receive_trial_result(0, {}, result)
    assert given(tuner) == 3  # open: all that are allowed

    resumed = UntilStable(least=2, most=6)
    resumed.import_data([{"parameter": {"seed": 0}, "value": json.loads(json.dumps(v))} for v in votes(*["local"] * 5)])
    with pytest.raises(nni.NoMoreTrialError, match="stable"):
        resumed.generate_parameters(0)

    failing = UntilStable(least=2, most=6)
    assert failing.generate_parameters(0) == {"seed": 0}
    for number in range(2):
        failing.trial_end(number, success=False)
    assert given(failing) == 0

    with pytest.raises(InputError, match="final result has no genotype"):
        UntilStable().receive_trial_result(0, {}, 0.5)
    with pytest.raises(InputError, match="expected the seed alone, as a choice of whole numbers"):
        UntilStable().update_search_space({"seed": {"_type": "choice", "_value": [0]}, "lr": {"_type": "uniform"}})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--until-stable", "--least", "1"], r"least: 1, most: 15: expected 2 <= least <= most <= 200"),
        (["--until-stable", "--least", "9", "--most", "4"], r"least: 9, most: 4: expected"),
        (["--until-stable", "--level", "95"], r"level: 95\.0: expected a number between 0\.5 and 1"),
        (["--most", "9"], r"--most: for --until-stable only"),
    ],
)
def test_what_makes_no_rule(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["launch", str(experiment_file(tmp_path)), "--home", str(tmp_path / "home"), *arguments]) == 2
    assert re.search(words, capsys.readouterr().err)
    assert not (tmp_path / "home").exists()


def test_the_file_with_our_tuner(tmp_path: Path) -> None:
    """Paths still lead where they led, nobody else can read the copy, and another space than seeds is refused."""
    path = experiment_file(tmp_path, tuner_gpu_indices=[0], assessor={"name": "Medianstop"})
    copy = with_tuner(path, tmp_path / "home", 3, 15, 0.9)
    content = yaml.safe_load(copy.read_text())
    assert content["trialCodeDirectory"] == str(tmp_path / "code")
    assert (content["maxTrialNumber"], content["assessor"]) == (15, {"name": "Medianstop"})
    assert content["tuner"]["classArgs"] == {"least": 3, "most": 15, "level": 0.9}
    assert copy.stat().st_mode & 0o77 == 0
    # Where a launch that was killed finds its experiment.
    assert with_tuner(path, tmp_path / "home", 3, 15, 0.9) == copy
    path.write_text(path.read_text().replace("- 7", "- 0.5"))
    with pytest.raises(InputError, match="expected the seed alone"):
        with_tuner(path, tmp_path / "home", 3, 15, 0.9)
