"""The benchmarks of the grid run and print what they promise. Sizes are tiny: the figures mean nothing here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "experiments" / "benchmarks"


@pytest.mark.long
@pytest.mark.parametrize(
    ("script", "options", "keys"),
    [
        (
            "search_step.py",
            ["--size", "16", "20", "--backbone", "test_resnet"],
            {"time_ratio", "memory_ratio", "derived_ratio", "recompute_memory_ratio", "floor_ratio"},
        ),
        (
            "whole_search.py",
            ["--size", "9", "12", "--backbone", "test_resnet", "--points", "2", "--schedule-steps", "200"],
            {"time_ratio", "partial_time_ratio", "gumbel_darts_ratio", "derived_ratio", "differentiated", "decided"},
        ),
        ("local_attention.py", ["--size", "24", "32"], {"time_ratio", "memory_ratio", "error"}),
        ("frozen.py", ["--size", "32", "48", "--batch", "2"], {"baseline", "search", "measured_on"}),
        ("growth.py", ["--size", "6", "8"], {"blocks", "pixels", "window_positions", "batch"}),
    ],
)
def test_prints_one_json_object(script, options, keys):
    command = [sys.executable, FOLDER / script, "--json", "--repeats", "1", *options]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert keys <= json.loads(output).keys()
