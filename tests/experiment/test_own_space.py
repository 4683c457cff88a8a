"""The experiment of docs/spaces.md with the real nnictl: a space of the user's own is searched and reported on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nas_ctx.cli import main

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "own-space"


def test_searches_of_an_own_space_are_launched_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in EXAMPLE.iterdir():
        shutil.copy(file, tmp_path)
    config = tmp_path / "experiment.yaml"  # two searches are enough to report on
    config.write_text(
        config.read_text().replace("[0, 1, 2]", "[0, 1]").replace("maxTrialNumber: 3", "maxTrialNumber: 2")
    )
    monkeypatch.chdir(tmp_path)
    assert main(["launch", "experiment.yaml", "--home", "out/nni"]) == 0
    told = capsys.readouterr().out
    [folder] = [line.split(": ")[1] for line in told.splitlines() if line.startswith("experiment ") and ": " in line]
    assert f"nas-ctx report {folder} --out report" in told
    for home in ("out/nni", "out/nni/nni-experiments"):
        command = ["report", Path(folder).name, "--nni-home", home, "--out", home.replace("/", "-"), "--no-figures"]
        assert main([*command, "--ties", "order"]) == 0
        report = json.loads((tmp_path / home.replace("/", "-") / "report.json").read_text())
        assert report["candidates"]["by_block"] == {"layer": ["wide", "skip"], "pick": [[0], [1]]}
        assert len(report["runs"]) == 2
        assert isinstance(json.loads((tmp_path / "out-nni" / "consensus.json").read_text())["choices"]["pick"], list)
