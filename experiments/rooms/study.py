"""The whole study on `rooms`: every row of the supplement's tables, the distillation modules, and drawn networks.

    python experiments/rooms/study.py
    python experiments/rooms/study.py --rows baseline everywhere atrc random --seeds 10

Writes the data, searches five times, votes, trains all rows, two at a time, and makes the tables, their figures and the
importance of the blocks. Rows that contrasts.yaml names have five seeds (drawn networks ten), the others three. Every
step is a `nas-ctx` command, printed before it runs; what is finished is not run again, so an interrupted study goes on
where it was.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil

PROGRAM = Path(sys.executable).parent / "nas-ctx"
HERE = Path("experiments/rooms")
CONSENSUS = "report/consensus.json"
CONTEXTS = ("global", "local", "t-label", "s-label")
SEEDS = {"random": 10} | dict.fromkeys(("baseline", "everywhere", "atrc", "true-t-label", "true-s-label"), 5)
"""Trainings of the rows in contrasts.yaml; each seed of `random` is another network."""
OTHERS = 3
"""Trainings of the other rows."""
DISTILLATIONS = ("cross-stitch", "nddr", "pad-net", "attentive", "pattern-affinity")
STARTING = threading.RLock()
STOPPED = threading.Event()
CLASSES = {"depth": "{mode: classification}", "normals": "{mode: classification}"}
TASKS = {"semseg": "{classes: 14}", "depth": "{}", "normals": "{}", "edge": "{positive_weight: 0.8}"}


def rows(work: Path) -> dict[str, list[str]]:
    """Folder of a row -> what it changes in study.yaml."""
    voted = f"model.blocks={work / CONSENSUS}"
    return {
        **{f"single/{task}": [f"tasks={{{task}: {options}}}"] for task, options in TASKS.items()},
        "baseline": [],
        **{f"everywhere/{name}": [f"model.blocks={name}"] for name in CONTEXTS},
        "atrc": [voted],
        "atrc-no-self-attention": [voted, "model.self_attention=false"],
        **{f"true-{name}": [f"model.blocks={name}", "model.true_regions=true"] for name in ("t-label", "s-label")},
        **{f"single-classes/{task}": [f"tasks={{{task}: {options}}}"] for task, options in CLASSES.items()},
        **{f"distillation/{name}": [f"model.distillation={name}"] for name in DISTILLATIONS},
        "random": ["model.blocks=random"],
        "mti-net": ["model.blocks=mti-net"],
        "psd": ["model.blocks=psd"],
    }


def main() -> None:
    """Run what is missing of the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("work/rooms/study"), help="folder (default: %(default)s)")
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="train only these, with what they need (default: all)")
    parser.add_argument(
        "--seeds", type=int, help="trainings of every row (default: 3; 5 or 10 where rows are compared)"
    )
    parser.add_argument("--searches", type=int, default=5, help="searches to vote (default: %(default)s)")
    parser.add_argument("--together", type=int, default=2, help="runs side by side (default: %(default)s)")
    parser.add_argument("--train", type=int, default=1000, help="training rooms (default: %(default)s)")
    parser.add_argument("--val", type=int, default=200, help="validation rooms (default: %(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="for searches and trainings alike"
    )
    options = parser.parse_args()
    known = {row.partition("/")[0] for row in rows(options.work)}
    if unknown := sorted(set(options.rows or ()) - known):
        parser.error(f"--rows {unknown[0]}: known rows are {', '.join(sorted(known))}")
    signal.signal(signal.SIGTERM, stop)
    os.chdir(Path(__file__).resolve().parents[2])
    began = time.monotonic()
    common = [f"data.root={options.work / 'data'}", *options.set]
    wanted = {row: of for row, of in rows(options.work).items() if row.partition("/")[0] in (options.rows or known)}

    run(("data", "rooms", options.work / "data", "--train", options.train, "--val", options.val))
    if wanted.keys() & {"atrc", "atrc-no-self-attention"}:
        vote(options.work, common, options.searches, options.together)
    train(options.work, wanted, common, options.seeds, options.together)
    show(options.work, wanted)
    print(f"\n{time.monotonic() - began:.0f} s")


def vote(work: Path, common: Sequence[str], searches: int, together: int) -> None:
    """Search several times; the report has the voted genotype."""
    folders = [work / "search" / f"seed-{seed}" for seed in range(searches)]
    side_by_side(
        together,
        (
            ("search", HERE / "study-search.yaml", "--quiet", "--out", folder, *changes([*common, f"seed={seed}"]))
            for seed, folder in enumerate(folders)
            if not (folder / "metrics.json").exists()
        ),
    )
    run(("report", *folders, "--ties", "probability", "--out", work / "report", "--title", "Rooms: the study"))


def train(
    work: Path, wanted: Mapping[str, Sequence[str]], common: Sequence[str], seeds: int | None, together: int
) -> None:
    """Train every row that is wanted with every seed; ``seeds`` of None: as SEEDS says."""
    counts = {row: seeds or SEEDS.get(row.partition("/")[0], OTHERS) for row in wanted}
    trainings = [
        (work / "runs" / row / f"seed-{seed}", [*common, *of, f"seed={seed}"])
        for seed in range(max(counts.values()))  # a seed after the other: an interrupted study has rows to compare
        for row, of in wanted.items()
        if seed < counts[row]
    ]
    side_by_side(
        together,
        (
            ("train", HERE / "study.yaml", "--quiet", "--out", folder, *changes(of))
            for folder, of in trainings
            if not (folder / "metrics.json").exists()
        ),
    )


def show(work: Path, wanted: Iterable[str]) -> None:
    """Tables, figures, the importance of the blocks and predictions, of what has been trained."""
    voted = work / "runs" / "atrc" / "seed-0"
    if "atrc" in wanted:
        run(("importance", voted, "--out", work / "importance"))
        run(("predict", voted, "--out", work / "predictions.png"))
    asked = ("--contrasts", HERE / "contrasts.yaml") if set(wanted) == set(rows(work)) else ()
    for layout in ("B-1", "E-1", "G-1"):
        out = work / f"table-{layout}.md"
        run(("table", work / "runs", *asked, "--layout", layout, "--format", "markdown", "--out", out))
    run(("table", work / "runs", *asked, "--format", "csv", "--out", work / "table.csv"))
    classes = [work / "runs" / kind / task for kind in ("single", "single-classes") for task in CLASSES]
    if {"single/depth", "single-classes/depth"} <= set(wanted):
        text, figure = work / "figure-D-1.txt", work / "figure-D-1.png"
        run(("table", *classes, "--layout", "B-1", "--out", text, "--figure", figure))
    run(("table", work / "runs", *asked, "--figure", work / "table.png"))


def changes(of: Iterable[str]) -> list[str]:
    """``KEY=VALUE`` words as options of a command."""
    return [word for change in of for word in ("--set", change)]


def run(words: Sequence[object]) -> None:
    """Run one `nas-ctx` command; a failure ends the study with its exit code."""
    arguments = [str(word) for word in words]
    print("$ nas-ctx " + shlex.join(arguments), flush=True)
    shown = words[0] == "table" and "--out" not in words
    with STARTING:
        if STOPPED.is_set():
            raise SystemExit(128 + signal.SIGTERM)
        process = subprocess.Popen([PROGRAM, *arguments], stdout=None if shown else subprocess.DEVNULL)
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):  # a signal just before an endless wait would wait too
            process.wait(1)
    if process.returncode:
        raise SystemExit(process.returncode)


def stop(signal_number: int, _: object) -> None:
    """Hand SIGTERM on to the commands that run: they save, and the study goes on from there when it is run again."""
    with STARTING:  # reentrant: the signal may strike while this very thread starts a command
        STOPPED.set()
        for process in psutil.Process().children():
            process.terminate()
    sys.exit(128 + signal_number)


def side_by_side(count: int, commands: Iterable[Sequence[object]]) -> None:
    """Run commands, ``count`` at a time."""
    with ThreadPoolExecutor(count) as pool:
        try:
            for _ in pool.map(run, commands):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)  # those that run come to their end; the others do not begin
            raise


if __name__ == "__main__":
    main()
