"""What the documentation shows is what the code does."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import nas_ctx.analysis as analysis

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page", ["reading-a-report.md", "statistics.md"])
def test_examples(page):
    failed, tried = doctest.testfile(str(DOCS / page), module_relative=False)
    assert tried > 2
    assert failed == 0


def test_every_function_is_on_the_page_of_statistics():
    text = (DOCS / "statistics.md").read_text()
    functions = [name for name in analysis.__all__ if name.islower() and callable(getattr(analysis, name))]
    reports = {
        "compare",
        "comparison_verdict",
        "load_runs",
        "reliability",
        "verdict",
        "write_comparison",
        "write_report",
    }
    assert [name for name in functions if name not in text and name not in reports] == []


@pytest.mark.parametrize("page", ["reading-a-report.md", "statistics.md"])
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text()):
        assert (DOCS / link).exists(), link
