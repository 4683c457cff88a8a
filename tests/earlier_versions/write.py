"""Write the files that tests/earlier_versions reads, with the version of nas_ctx that is installed.

    python tests/earlier_versions/write.py

makes tests/earlier_versions/written_by_<version>/: run folders of searches and trainings, one of them unfinished, the
record of an NNI experiment, genotypes, ratings, a codebook, and the JSON of a report and of a comparison. Run it once
for a version whose formats differ from those of the last folder, and commit the folder: files written before are never
written again.

Checkpoints are stored as ``.ckpt.xz``, a seventh of their size. Absolute paths are replaced by ``/home/user``.
"""

from __future__ import annotations

import csv
import json
import lzma
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import yaml

from nas_ctx import __version__
from nas_ctx.genotype import Genotype

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
ROOMS = ["--train", "4", "--val", "2", "--size", "32", "32", "--seed", "3"]

SEARCH = {
    "output": "search-{seed}",
    "data": {"root": "rooms", "image_size": [32, 32], "batch_size": 2, "eval_batch_size": 2, "workers": 0},
    "tasks": {"semseg": {"classes": 14}, "depth": {}},
    "model": {
        "backbone": "test_resnet",
        "backbone_options": {"channels": [4, 4, 4, 4], "stem_width": 4, "out_indices": [1, 2]},
        "pretrained": False,
    },
    "training": {
        "steps": 6, "validate_every": 3, "checkpoint_every": 3, "log_every": 1, "threads": 1, "accelerator": "cpu",
    },
    "search": {"arch_lr": 0.5, "stop_margin": 0.2},
}  # fmt: skip
EXPERIMENT = {
    "experimentName": "compatibility",
    "trialCodeDirectory": ".",
    "trialCommand": "python -m nas_ctx.trial search search.yaml",
    "searchSpace": {"seed": {"_type": "choice", "_value": list(SEEDS)}},
    "tuner": {"name": "GridSearch", "classArgs": {"optimize_mode": "minimize"}},
    "maxTrialNumber": len(SEEDS),
    "trialConcurrency": 1,
    "trainingService": {"platform": "local"},
}


def main() -> None:
    written = HERE / f"written_by_{__version__.replace('.', '_')}"
    if written.exists():
        sys.exit(f"{written}: exists; files written before are never written again")
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        make_runs()
        make_analyses()
        collect(Path(work).resolve(), written)


def nas_ctx(*arguments: str) -> None:
    """Run one command of nas-ctx in the working folder."""
    subprocess.run([sys.executable, "-m", "nas_ctx.cli", *arguments], check=True)


def make_runs() -> None:
    """Three searches by NNI, one of them once more as it was after its third step; two trainings."""
    nas_ctx("data", "rooms", "rooms", *ROOMS)
    nas_ctx("data", "codebook", "rooms", "--out", "codebook.npy", "--codewords", "12")
    Path("search.yaml").write_text(yaml.safe_dump(SEARCH, sort_keys=False))
    Path("experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False))
    nas_ctx("launch", "experiment.yaml", "--home", "nni")
    shutil.copytree("search-2", "search-2-unfinished")
    interrupt(Path("search-2-unfinished"), after=3)
    train = ["train", "search.yaml", "--quiet", "--set"]
    nas_ctx(*train, "output=train-baseline")
    nas_ctx(*train, "output=train-genotype", "--set", "model.blocks=search-0/genotype.json")


def interrupt(run: Path, after: int) -> None:
    """Take from a finished search what it wrote later than its checkpoint of the step ``after``."""
    for name in ("genotype.json", "metrics.json"):
        (run / name).unlink()
    for name in ("history.csv", "validation.csv"):
        head, *rows = (run / name).read_text().splitlines(keepends=True)
        (run / name).write_text("".join([head, *(row for row in rows if int(row.partition(",")[0]) <= after)]))
    log = (run / "run.log").read_text()
    (run / "run.log").write_text(log[: log.index("\n", log.index(f"step {after}: validation")) + 1])
    for checkpoint in (run / "checkpoints").iterdir():
        if checkpoint.name != f"step={after}.ckpt":
            checkpoint.unlink()


def make_analyses() -> None:
    """Genotypes of every form, ratings, a report, a comparison."""
    folders = [f"search-{seed}" for seed in SEEDS]
    genotypes = [Genotype.load(Path(folder, "genotype.json")) for folder in folders]
    Path("atrc.json").write_text(json.dumps(genotypes[0].to_atrc()) + "\n")
    Path("flat.json").write_text(json.dumps(dict(genotypes[0])) + "\n")
    with open("ratings.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["block", *folders])
        writer.writerows([block, *(genotype[block] for genotype in genotypes)] for block in genotypes[0])
    few = ["--draws", "200", "--no-figures", "--out"]
    nas_ctx("report", *folders, "--ties", "probability", *few, "report")
    nas_ctx("compare", *folders[:2], "--with", *folders[1:], *few, "comparison")


def collect(work: Path, written: Path) -> None:
    """Copy what is read again to ``written``."""
    for run in sorted([*work.glob("search-*"), *work.glob("train-*")]):
        newest = max((run / "checkpoints").iterdir(), key=lambda path: path.name)
        finished_search = run.name.startswith("search") and (run / "metrics.json").exists()
        shutil.copytree(run, written / run.name, ignore=shutil.ignore_patterns("checkpoints", ".*"))
        if not finished_search:
            (written / run.name / "checkpoints").mkdir()
            packed = written / run.name / "checkpoints" / f"{newest.name}.xz"
            packed.write_bytes(lzma.compress(newest.read_bytes(), preset=9))
    for name in ("search.yaml", "atrc.json", "flat.json", "ratings.csv", "codebook.npy"):
        shutil.copy(name, written)
    for name in ("report/report.json", "report/consensus.json", "comparison/comparison.json"):
        shutil.copy(name, written)
    (database,) = work.glob("nni/nni-experiments/[a-z0-9]*/db/nni.sqlite")
    (written / "experiment" / "db").mkdir(parents=True)
    shutil.copy(database, written / "experiment" / "db")
    clean_database(written / "experiment" / "db" / "nni.sqlite", str(work))


def clean_database(path: Path, work: str) -> None:
    """Take the paths of this machine out of an experiment's record, and all states of its profile but the last."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from ExperimentProfile where rowid < (select max(rowid) from ExperimentProfile)")
        for table, column in (
            ("ExperimentProfile", "params"),
            ("ExperimentProfile", "logDir"),
            ("TrialJobEvent", "logPath"),
            ("MetricData", "data"),
        ):
            connection.execute(f"update {table} set {column} = replace({column}, ?, '/home/user')", (work,))
        connection.commit()
        connection.execute("vacuum")


if __name__ == "__main__":
    main()
