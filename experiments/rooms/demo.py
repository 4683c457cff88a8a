"""The whole job on `rooms`, in minutes: data, warm-up, five searches, a report, the voted network and its baseline.

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

from nas_ctx.config import load_config
from nas_ctx.metrics import delta_m
from nas_ctx.tasks import make_tasks

WORK = Path("work/rooms")
HERE = Path("experiments/rooms")
SEEDS = range(5)
WARM_UP_STEPS = 240
TRAINED = ("baseline", "consensus")
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

    step("1/5  writing the data set")
    command("data", "rooms", WORK / "data", "--train", 200, "--val", 40)

    step("2/5  warming up the weights of the supernet, every choice still open")
    warm_up = WORK / "warm-up"
    settings = {
        "model.start_from": "null",
        "training.steps": WARM_UP_STEPS,
        "training.lr": 0.03,
        "search.warmup_steps": WARM_UP_STEPS,
        "search.stop_margin": "null",
    }
    if (warm_up / "metrics.json").exists():
        print("  done before: reused")
    else:
        overrides = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        command("search", HERE / "search.yaml", "--out", warm_up, *overrides)

    step("3/5  five searches under nnictl")
    searches = [WORK / "search" / f"seed-{seed}" for seed in SEEDS]
    if all((folder / "metrics.json").exists() for folder in searches):
        print("  done before: reused")
    else:
        command("launch", HERE / "search.nni.yaml", "--home", WORK / "nni")

    step("4/5  how far do they agree?")
    command("report", *searches, "--ties", "probability", "--out", WORK / "report", "--title", "Rooms: five searches")

    step("5/5  training the voted network and the multi-task baseline")
    consensus = WORK / "report" / "consensus.json"
    blocks = {"baseline": "baseline", "consensus": consensus}
    unfinished = [name for name in TRAINED if not (WORK / "train" / name / "metrics.json").exists()]
    config = HERE / "train.yaml"
    together(
        [
            ("train", config, "--quiet", "--out", WORK / "train" / name, "--set", f"model.blocks={blocks[name]}")
            for name in unfinished
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
    record = json.loads((WORK / "report" / "report.json").read_text(encoding="utf-8"))
    tasks = make_tasks(load_config(HERE / "train.yaml").tasks)
    scores = {
        name: json.loads((WORK / "train" / name / "metrics.json").read_text(encoding="utf-8")) for name in TRAINED
    }
    main_scores = {
        name: {task: values[f"{task}/{tasks[task].metric_name}"] for task in tasks} for name, values in scores.items()
    }

    print("\nAgreement of the five searches, and what chance would give:")
    print(*(f"  {sentence}" for sentence in record["verdict"]), sep="\n")

    print("\nThe voted network against the multi-task baseline, on the validation rooms:")
    for task in tasks:
        metric = f"{task} {tasks[task].metric_name}"
        print("  " + f"{metric:20}" + "   ".join(f"{name} {main_scores[name][task]:.4f}" for name in TRAINED))
    directions = {name: task.higher_is_better for name, task in tasks.items()}
    change = delta_m(main_scores["consensus"], main_scores["baseline"], directions)
    print(f"  delta_m {change:+.2f} % (one training each: no more than a sign of life)")
    print(f"\nReport: {WORK / 'report' / 'report.html'}   ({seconds:.0f} s)")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
