"""The examples of docs/importing.md run as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nas_ctx.analysis.io.formats.base import BUILT_IN
from nas_ctx.cli import main

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs"
PAGE = (DOCS / "importing.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_page(command, tmp_path, monkeypatch):
    shutil.copytree(DOCS / "examples" / "importing", tmp_path, dirs_exist_ok=True)
    shutil.copytree(HERE / "files", tmp_path, dirs_exist_ok=True)
    for number in (1, 2):
        shutil.copy(HERE / "files" / "optuna.csv", tmp_path / f"optuna-{number}.csv")
    monkeypatch.chdir(tmp_path)
    program, *words = shlex.split(command)
    assert program == "nas-ctx"
    assert main([*words, "--draws", "20", "--no-figures", "--keep-copies"]) == 0
    assert (tmp_path / "report" / "report.html").exists()


def test_the_page_shows_each_kind_of_tool():
    for title in ("DARTS", "NAS-Bench-201", "NNI", "Optuna", "Ray Tune", "NePS", "Weights & Biases", "Keras Tuner"):
        assert title in PAGE
    assert len(COMMANDS) >= len(BUILT_IN) - 2


def test_the_format_of_ones_own(tmp_path):
    (code,) = re.findall(r"<!-- test: own-format -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[{'layer 0': 'c', 'layer 1': 'c', 'layer 2': 's'}, ")
