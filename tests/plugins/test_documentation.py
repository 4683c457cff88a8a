"""The pages on own parts and on tasks: their files are written and their commands run, in their order."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nas_ctx import cli

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"<!-- (file: (?P<file>\S+)|run) -->\n```\w+\n(?P<text>.*?)```", re.DOTALL)
SHORT = ["--set", "training.steps=3", "--set", "training.validate_every=3"]


def parts_of(page: str) -> list[tuple[str | None, str]]:
    return [(match["file"], match["text"]) for match in BLOCK.finditer((DOCS / page).read_text(encoding="utf-8"))]


def execute(line: str) -> None:
    program, *words = shlex.split(line.removeprefix("$ "))
    if program == "nas-ctx":
        short = SHORT if words[0] in ("search", "train") else []
        assert cli.main([*words, *short]) == 0, line
    elif program == "pytest":
        module = importlib.import_module(words[0].removesuffix(".py"))
        tests = [test for name, test in vars(module).items() if name.startswith("test_")]
        assert tests
        for test in tests:
            test()
    else:
        assert program == "python", line
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        print(done.stdout)


def test_every_file_and_command_of_the_page_works(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(folder))  # as `pytest` and `python` have it
    ran = 0
    for name, text in parts_of("custom-components.md"):
        if name is not None:
            (folder / name).write_text(text, encoding="utf-8")
        else:
            for line in text.strip().splitlines():
                execute(line)
                ran += 1
    assert ran == 14
    assert "semseg" in (folder / "work/report/report.html").read_text(encoding="utf-8")
    assert (folder / "work/mean/metrics.json").exists()
    assert "near/miou" in (folder / "work/near/seed-0/metrics.json").read_text(encoding="utf-8")
    said = capsys.readouterr().out
    assert re.search(r"\{'shape/shape': '\S+', .*'row/row': '\S+'\}", said)
    assert "0 choices are left" in said


def test_the_task_of_the_page_on_tasks_passes_its_check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    parts = [(name, text) for name, text in parts_of("tasks.md") if name is not None]
    assert [name for name, _ in parts] == ["my_albedo.py", "test_my_albedo.py"]
    for name, text in parts:
        (folder / name).write_text(text, encoding="utf-8")
    execute("$ pytest test_my_albedo.py")
