"""What a person sees while a run goes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nas_ctx import runs
from tests.rooms import tiny_config


def test_in_a_log_a_line_after_every_validation(rooms: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    runs.search(tiny_config(rooms, tmp_path / "s"), progress=True)
    lines = capfd.readouterr().out.strip().splitlines()
    assert [line.split(":")[0] for line in lines] == ["step 3 of 6", "  step 6 of 6"]
    assert all("validation loss" in line and "blocks decided" in line for line in lines)


def test_on_a_terminal_one_bar_over_all_steps(
    rooms: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    runs.train(tiny_config(rooms, tmp_path / "t", training__steps=2), progress=True)
    said = capfd.readouterr()
    assert said.out == ""
    assert "training: 100%" in said.err
    assert "2/2" in said.err


def test_quiet_means_quiet(rooms: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    runs.train(tiny_config(rooms, tmp_path / "t", training__steps=2), progress=False)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
