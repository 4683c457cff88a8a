"""The whole job on `rooms`, in minutes: data, five searches, a report, the voted network and its baseline.

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
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from nas_ctx.config import load_config
from nas_ctx.metrics import delta_m
from nas_ctx.tasks import make_tasks

WORK = Path("work/rooms")
HERE = Path("experiments/rooms")
SEARCHES = [WORK / "search" / f"seed-{seed}" for seed in range(5)]
TRAINED = {"baseline": "baseline", "consensus": str(WORK / "report" / "consensus.json")}
PROGRAM = str(Path(sys.executable).parent / "nas-ctx")

CLOSING = """
Shown: the path from data to a vote, how far to trust the vote, and a network with the voted contexts beside one
  without any, on rooms that neither has seen.
Not shown: that the voted network is better. There is one training each, of a few minutes: a sign of life. A
  comparison needs several seeds, and the paper's searches take 40 000 steps.

Next, your own data (docs/data.md has the layouts), and a world whose right answer is known:
  nas-ctx data check DIR
  python experiments/planted/recovery.py --tasks 2 --runs 2"""


def main() -> int:
    """Run the demo; return the exit code of the first command that fails, or 0."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # NNI checks the working folder; the commands are written as from the project's folder.
    os.chdir(Path(__file__).resolve().parents[2])
    clock: dict[str, float] = {}

    with step("1/4  writing the data set", clock, "data"):
        together({"": ("data", "rooms", WORK / "data", "--train", 400, "--val", 60)})

    with step("2/4  five searches under nnictl, on ImageNet features", clock, "searches"):
        if all((folder / "metrics.json").exists() for folder in SEARCHES):
            print("  done before: reused")
        else:
            together({"": ("launch", HERE / "search.nni.yaml", "--home", WORK / "nni")})

    with step("3/4  how far do they agree?", clock, "report"):
        title = "Rooms: five searches"
        together({"": ("report", *SEARCHES, "--ties", "probability", "--out", WORK / "report", "--title", title)})

    with step("4/4  training the voted network and the multi-task baseline, side by side", clock, "trainings"):
        together(
            {
                name: ("train", HERE / "train.yaml", "--out", folder_of(name), "--set", f"model.blocks={blocks}")
                for name, blocks in TRAINED.items()
                if not (folder_of(name) / "metrics.json").exists()
            }
        )
    show_agreement()
    show_networks()
    print(f"\nReport: {WORK / 'report' / 'report.html'}")
    spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in clock.items())
    print(f"The clock: {spent}; together {sum(clock.values()):.0f} s")
    print(CLOSING)
    return 0


@contextlib.contextmanager
def step(words: str, clock: dict[str, float], name: str) -> Iterator[None]:
    """Say which part of the demo begins, and note in ``clock`` the seconds it took."""
    print(f"\n{words}", flush=True)
    began = time.monotonic()
    yield
    clock[name] = time.monotonic() - began


def folder_of(network: str) -> Path:
    """The run folder of a trained network."""
    return WORK / "train" / network


def together(commands: Mapping[str, Sequence[object]]) -> None:
    """Run `nas-ctx` commands side by side; all are stopped when one fails or the demo is interrupted.

    What a named one prints of its steps is shown after its name.
    """
    started, readers = [], []
    try:
        for name, words in commands.items():
            arguments = [str(word) for word in words]
            print("  $ nas-ctx " + " ".join(arguments), flush=True)
            process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE if name else None, text=True)
            started.append(process)
            if process.stdout is not None:
                readers.append(threading.Thread(target=show_steps, args=(name, process.stdout), daemon=True))
                readers[-1].start()
        for process in started:
            if process.wait() != 0:
                sys.exit(process.returncode)
        for reader in readers:
            reader.join()
    finally:
        for process in started:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=30)


def show_steps(name: str, output: IO[str]) -> None:
    """Print the lines of a training that tell its step, under the name of its network."""
    for line in output:
        if line.startswith("  step "):
            print(f"  {name + ':':10} {line.strip()}", flush=True)


def show_agreement() -> None:
    """Print how far the searches agree, beside what chance gives, and what the vote chose."""
    record = json.loads((WORK / "report" / "report.json").read_text(encoding="utf-8"))
    print("\nAgreement of the five searches, and what chance would give")
    print(*(f"  {sentence}" for sentence in record["verdict"]), sep="\n")
    choices = Counter(json.loads(Path(TRAINED["consensus"]).read_text(encoding="utf-8"))["choices"].values())
    print("  The vote: " + ", ".join(f"{count} x {choice}" for choice, count in choices.most_common()))


def show_networks() -> None:
    """Print the main scores of both networks, and the change, on the validation rooms."""
    tasks = make_tasks(load_config(HERE / "train.yaml").tasks)
    scores = {name: json.loads((folder_of(name) / "metrics.json").read_text(encoding="utf-8")) for name in TRAINED}
    main_scores = {
        name: {task: values[f"{task}/{tasks[task].metric_name}"] for task in tasks} for name, values in scores.items()
    }
    print("\nThe networks on the validation rooms")
    print(f"  {'':22} {'baseline':>10} {'consensus':>10} {'change':>9}")
    directions = {name: task.higher_is_better for name, task in tasks.items()}
    before, after = main_scores["baseline"], main_scores["consensus"]
    for task, of in tasks.items():
        metric = f"{task} {of.metric_name} {'↑' if of.higher_is_better else '↓'}"
        change = delta_m({task: after[task]}, {task: before[task]}, directions)
        print(f"  {metric:22} {before[task]:10.4f} {after[task]:10.4f} {change:+7.2f} %")
    print(f"  {'delta_m':44} {delta_m(after, before, directions):+7.2f} %   (better is positive)")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
