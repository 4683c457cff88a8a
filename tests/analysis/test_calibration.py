"""The calibration script runs, goes on where it was, and its rows are those of the table in docs/statistics.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "experiments" / "analysis" / "calibration.py"


def calibrate(out: Path) -> str:
    command = [sys.executable, str(SCRIPT), "--tables", "6", "--only", "own", "nested", "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_rows_are_written_once_and_shown_as_the_table_of_the_documentation(tmp_path):
    first = calibrate(tmp_path)
    row = tmp_path / "own-something-6.json"
    found = json.loads(row.read_text())
    assert found["tables"] == 6
    assert 0 <= found["apart"] <= found["more_than_chance"] <= 1
    row.write_text(json.dumps({**found, "more_than_chance": 0.123}))
    again = calibrate(tmp_path)
    assert "| 12.3 |" in again
    assert "| 12.3 |" not in first
    documented = (ROOT / "docs" / "statistics.md").read_text()
    for line in (line for line in first.splitlines() if line.startswith("| ")):
        assert line.split(" | ")[0] in documented
