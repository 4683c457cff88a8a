"""The Python of the README runs as it stands there; links between pages lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
MARKED = re.compile(r"<!-- test: ([\w-]+) -->\n```python\n(.*?)```", re.DOTALL)
EXAMPLES = dict(MARKED.findall(README.read_text(encoding="utf-8")))


def run(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_search_example(tmp_path: Path) -> None:
    assert re.search(r"\[\{'layer': '(wide|skip)'\}\]", run(EXAMPLES["readme-search"], tmp_path))


def test_the_report_example(tmp_path: Path) -> None:
    run(EXAMPLES["readme-report"], tmp_path)
    assert "semseg" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [README, *sorted((README.parent / "docs").glob("*.md"))], ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
