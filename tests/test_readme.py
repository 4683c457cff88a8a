"""The Python of the README and of the page on own parts runs as it stands there; links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
MARKED = re.compile(r"<!-- test: ([\w-]+) -->\n```python\n(.*?)```", re.DOTALL)
PAGES = (README, README.parent / "docs" / "your-own.md")
EXAMPLES = dict(example for page in PAGES for example in MARKED.findall(page.read_text(encoding="utf-8")))


def run(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_search_example(tmp_path: Path) -> None:
    assert re.search(r"\[\{'layer': '(wide|skip)'\}\]", run(EXAMPLES["readme-search"], tmp_path))


def test_the_report_example(tmp_path: Path) -> None:
    run(EXAMPLES["readme-report"], tmp_path)
    assert "semseg" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_the_example_of_an_own_context(rooms: Path, tmp_path: Path) -> None:
    (tmp_path / "experiments").symlink_to(README.parent / "experiments")
    (tmp_path / "work" / "rooms").mkdir(parents=True)
    (tmp_path / "work" / "rooms" / "data").symlink_to(rooms)
    assert "semseg/depth" in run(EXAMPLES["own-context"], tmp_path)
    assert (tmp_path / "work" / "own-context" / "metrics.json").exists()


def test_the_example_of_an_own_space(tmp_path: Path) -> None:
    said = run(EXAMPLES["own-space"], tmp_path)
    assert "['depth/depth', 'depth/semseg', 'semseg/depth', 'semseg/semseg']" in said


@pytest.mark.parametrize("page", [README, *sorted((README.parent / "docs").glob("*.md"))], ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
