"""What docs/spaces.md shows runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

from nas_ctx.testing import check_space

PAGE = Path(__file__).resolve().parents[2] / "docs" / "spaces.md"
EXAMPLES = dict(
    re.findall(r"<!-- test: ([\w-]+) -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
)


def test_a_search_of_any_space_is_reported(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PAGE.parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLES["any-space"]], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cell/0_1" in (tmp_path / "work" / "nb201" / "report" / "report.html").read_text(encoding="utf-8")


def test_a_space_of_the_grid_in_a_few_lines() -> None:
    names: dict = {}
    exec(EXAMPLES["own-grid"], names)
    check_space(names["Windows"])
