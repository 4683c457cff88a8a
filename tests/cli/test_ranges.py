"""Numbers that no command takes are refused in a line, before a file is read or made."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_ctx.cli import main

RATINGS = "block,r1,r2\na,x,y\nb,y,x\n"


@pytest.mark.parametrize("value", ["-1", "4294967296", "9" * 400])
@pytest.mark.parametrize("option", ["--seed", "--draws"])
@pytest.mark.parametrize("command", ["report", "compare"])
def test_of_reports(command: str, option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text(RATINGS)
    table, out = str(tmp_path / "t.csv"), tmp_path / "out"
    words = [command, table, *(["--with", table] if command == "compare" else []), "--out", str(out), option, value]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"nas-ctx {command}: {option} ")
    assert "expected" in line
    assert not out.exists()


@pytest.mark.parametrize("words", [["--seed", "-1"], ["--train", "-1"], ["--size", "0", "9"], ["--val", "9" * 30]])
def test_of_rooms(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rooms"
    assert main(["data", "rooms", str(out), *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize("level", ["0", "1", "nan", "-1", "1e300"])
def test_of_levels(level: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text(RATINGS)
    assert main(["report", str(tmp_path / "t.csv"), "--level", level, "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("words", [["report", "\x00", "--out", "x"], ["search", "a\x00b"], ["show", "\x00"]])
def test_of_characters(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "null character" in capsys.readouterr().err


@pytest.mark.parametrize("size", [["16385", "8"], ["8", "9" * 5000], ["0", "8"], ["-1", "8"]])
def test_of_exports(size: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A side of a million pixels ended with a traceback of torch's."""
    with pytest.raises(SystemExit) as left:
        main(["export", str(tmp_path), "--format", "safetensors", "--out", str(tmp_path / "x"), "--size", *size])
    assert left.value.code == 2
    assert "expected pixels, 1 to 16384" in capsys.readouterr().err
