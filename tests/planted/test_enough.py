"""How many searches are enough: when the rule stops, what counts as another vote, and both sources of runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from nas_ctx.analysis.early_vote import Rule
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (["local"] * 15, (4, 0)),
        (["local"] * 4 + ["none"] * 11, (4, 1)),  # the leader of four is not that of fifteen
        (["local", "none", "global"] * 5, (12, 0)),  # nothing dominates, early and late
        (["local", "none"] * 7 + ["none"], (15, 0)),  # all are needed, and then it is the vote of all
    ],
)
def test_stops(choices: list[str], expected: tuple[int, int]) -> None:
    from enough import stopped

    assert stopped([[choice] for choice in choices], [CONTEXT_NAMES], Rule()) == expected


def test_recorded_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of null.py, a list of worlds, and of study.py, rows of worlds; runs without a dissenter need four."""
    from enough import main

    runs = [{"task0/task0": "local", "task0/task1": "none"}] * 15
    (tmp_path / "null.json").write_text(json.dumps([runs, runs]))
    rows = {"noise 1": {"choices": [{f"world3:{b}": c for b, c in run.items()} for run in runs]}}
    (tmp_path / "noise.json").write_text(json.dumps(rows))
    files = [str(tmp_path / "null.json"), str(tmp_path / "noise.json")]
    monkeypatch.setattr(sys, "argv", ["enough.py", "--draws", "3", "--recorded", *files])
    main()
    for row in capsys.readouterr().out.splitlines()[2:]:
        assert re.search(r"\| 2 \| [34]\.0 \| [34] to [34] \| [78]\d% \| 0\.0% \| 0\.0% \|$", row), row
    monkeypatch.setattr(sys, "argv", ["enough.py", "--most", "9", "--recorded", files[0]])
    with pytest.raises(InputError, match=r"null\.json: expected 9 runs of each world"):
        main()


def test_the_documented_table_is_the_scripts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first rows again, with fewer tables: as many searches to within the error of the mean."""
    from enough import HEAD, WORLDS, line, simulated

    page = (ROOT / "docs" / "planted-worlds.md").read_text()
    assert HEAD in page
    [(name, shares), *_] = WORLDS.items()
    documented = {row.split(" | ")[1]: row for row in page.splitlines() if row.startswith(f"| {name} |")}
    for blocks in (1, 16):
        again = line(name, simulated(shares, blocks, 15, 40, 1), lambda n: [CONTEXT_NAMES] * n, Rule())
        means = [float(row.split(" | ")[2]) for row in (again, documented[str(blocks)])]
        assert abs(means[0] - means[1]) < 0.5
