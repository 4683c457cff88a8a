"""The whole job on `rooms`, in minutes: data, five searches, a report, the voted network against its baseline.

`make demo` runs this. Every step is a command that users can type, printed before it runs; what a former call has
finished is reused.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from nas_ctx.metrics import delta_m
from nas_ctx.tasks import TASKS

WORK = Path("work/rooms")
HERE = Path("experiments/rooms")
SEEDS = range(5)
PROGRAM = str(Path(sys.executable).parent / "nas-ctx")


def main() -> int:
    """Run the demo; return the exit code of the first command that fails, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    began = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # NNI checks the working folder; the commands are written as from the project's folder.
    os.chdir(Path(__file__).resolve().parents[2])

    step("1/4  writing the data set")
    command("data", "rooms", WORK / "data", "--train", 160, "--val", 40)

    step("2/4  five searches under nnictl")
    searches = [WORK / "search" / f"seed-{seed}" for seed in SEEDS]
    if all((folder / "metrics.json").exists() for folder in searches):
        print("  done before: reused")
    else:
        command("launch", HERE / "search.nni.yaml", "--home", WORK / "nni")

    step("3/4  how far do they agree?")
    command("report", *searches, "--ties", "probability", "--out", WORK / "report", "--title", "Rooms: five searches")

    step("4/4  training the voted network and the multi-task baseline")
    consensus = WORK / "report" / "consensus.json"
    trainings = {"baseline": "baseline", "consensus": str(consensus)}
    together(
        [
            ("train", HERE / "train.yaml", "--quiet", "--out", WORK / "train" / name, "--set", f"model.blocks={blocks}")
            for name, blocks in trainings.items()
            if not (WORK / "train" / name / "metrics.json").exists()
        ]
    )
    show_result(time.monotonic() - began)
    return 0


def step(words: str) -> None:
    """Say which part of the demo begins."""
    print(f"\n{words}", flush=True)


def command(*words: object) -> None:
    """Run one `nas-ctx` command, and stop with its exit code if it fails."""
    together([words])


def together(commands: Sequence[Sequence[object]]) -> None:
    """Run `nas-ctx` commands side by side; all are stopped when one fails or the demo is interrupted."""
    started = []
    try:
        for words in commands:
            arguments = [str(word) for word in words]
            print("  $ nas-ctx " + " ".join(arguments), flush=True)
            started.append(subprocess.Popen([PROGRAM, *arguments]))
        for process in started:
            if process.wait() != 0:
                sys.exit(process.returncode)
    finally:
        for process in started:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=30)


def show_result(seconds: float) -> None:
    """Print the agreement beside chance, the change against the baseline, and where to look."""
    record = json.loads((WORK / "report" / "report.json").read_text())
    scores = {
        name: json.loads((WORK / "train" / name / "metrics.json").read_text()) for name in ("baseline", "consensus")
    }
    print()
    print(json.dumps(record, indent=1)[:600])
    print(f"\n{seconds:.0f} s")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
