"""Check the installation: packages, torchvision's operators, NNI's node, ports, disk and GPU; say how to fix it.

Ends with exit code 2 if anything would keep searches or experiments from running.

examples:
  nas-ctx doctor
  nas-ctx doctor /data/runs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nas_ctx.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="DIR", type=Path, nargs="?", default=Path(), help="where runs will be written (default: here)"
    )


def run(options: argparse.Namespace) -> None:
    from nas_ctx.cli.doctor import examine

    findings = examine(options.folder)
    for finding in findings:
        print(f"{finding.state:5s}  {finding.name:17s}  {finding.text}")
        if finding.remedy:
            print(f"{'':26s}{finding.remedy}")
    faults = [finding.name for finding in findings if finding.state == "fault"]
    if faults:
        raise InputError(f"{len(faults)} of {len(findings)} checks failed: {', '.join(faults)}")
