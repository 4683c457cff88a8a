"""What the blocks could choose from is on the page, also what no run chose."""

from __future__ import annotations

import re
from pathlib import Path

from nas_ctx.analysis import reliability, write_report

RUNS = [
    {"a/a": "local", "a/b": "none", "b/a": "local", "b/b": "none"},
    {"a/a": "local", "a/b": "local", "b/a": "local", "b/b": "none"},
]


def page(folder: Path, candidates: list[str] | None) -> str:
    runs = [{f"layer{i}": choice for i, choice in enumerate(run.values())} for run in RUNS]
    record = reliability(runs, candidates=candidates)
    return re.sub(r"\s+", " ", Path(write_report(record, folder)).read_text())


def test_candidates_that_nobody_chose(tmp_path: Path) -> None:
    text = page(tmp_path / "known", ["none", "local", "<b>", "t-label"])
    assert "2 runs · 4 blocks · 4 choices, 2 of them made" in text
    figure = text[text.index('id="votes"') :]
    assert "offered and never chosen: &lt;b&gt;, t-label" in figure[: figure.index("</figure>")]


def test_candidates_that_are_not_known(tmp_path: Path) -> None:
    text = page(tmp_path / "unknown", None)
    assert "2 runs · 4 blocks · 2 choices</p>" in text
    assert "never chosen" not in text
