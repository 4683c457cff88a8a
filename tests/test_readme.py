"""The Python of the README runs as it stands there; links between pages lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
MARKED = re.compile(r"<!-- test: ([\w-]+) -->\n```python\n(.*?)```", re.DOTALL)
EXAMPLES = dict(MARKED.findall(README.read_text(encoding="utf-8")))


def run(code: str, folder: Path, home: Path | None = None) -> str:
    environment = os.environ | ({} if home is None else {"HOME": str(home)})
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_search_example(tmp_path: Path) -> None:
    """It prints its result and nothing else, and leaves nothing in the home folder but matplotlib's cache."""
    (tmp_path / "home").mkdir()
    said = run(EXAMPLES["readme-search"], tmp_path, tmp_path / "home")
    assert re.fullmatch(r"\[\{'layer': '(wide|skip)'\}\]\n", said)
    assert {path.name for path in (tmp_path / "home").iterdir()} <= {".cache", ".config"}
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_the_report_example(tmp_path: Path) -> None:
    run(EXAMPLES["readme-report"], tmp_path)
    assert "semseg" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [README, *sorted((README.parent / "docs").glob("*.md"))], ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
