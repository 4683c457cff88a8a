"""Train networks of contexts on small rooms, and keep their scores: the table behind `search_spaces.tabular`.

    nas-ctx data rooms work/tabular/data --size 64 96 --train 400 --val 100
    python experiments/tabular/train.py --out work/tabular/table.csv                            # all 400, once
    python experiments/tabular/train.py --out work/tabular/table.csv --every 20 --seeds 1 2     # 20, twice more
    python experiments/tabular/train.py --out work/tabular/table.csv --network none local s-label none --seeds 1 2 3

The features of the frozen backbone are computed once for all networks. A line is written when a network is done, and
what the file has is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from nas_ctx.config import load_config
from nas_ctx.config.nested import parse_override
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.data import DataModule
from nas_ctx.models import MultiTaskNetwork
from nas_ctx.models.relational import fixed
from nas_ctx.runs.devices import silence_lightning
from nas_ctx.tasks import make_tasks
from nas_ctx.training import MultiTaskModule
from nas_ctx.training.networks import make_backbone
from search_spaces.tabular import BLOCKS, METRICS, Genotype, genotypes, offered

from nni.nas.evaluator.pytorch import Trainer  # isort: skip

SETTINGS = Path(__file__).with_name("settings.yaml")


def shuffled() -> list[Genotype]:
    """All 400 in an order in which every stretch of neighbours is a random sample."""
    everything = genotypes()
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))
    return [everything[index] for index in order]


class Trainings:
    """What all networks have in common: tasks, images in main memory, the backbone with its features."""

    def __init__(self, changes: Mapping[str, Any]) -> None:
        self.config = load_config(SETTINGS, changes)
        self.tasks = make_tasks(self.config.tasks)
        data = DataModule.from_config(self.config.data, self.tasks)
        self.train, self.val = (
            [dataset[i] for i in range(len(dataset))] for dataset in (data.train_set(), data.val_set())
        )
        self.backbone = make_backbone(self.config.model)
        self.backbone.cache_features()

    def __call__(self, choices: Sequence[str], seed: int) -> dict[str, float]:
        """Train the network of a genotype; ``seed`` decides its initial weights and the order of the images."""
        torch.manual_seed(seed)
        order = torch.Generator().manual_seed(seed)
        network = MultiTaskNetwork(self.backbone, self.tasks, fixed(dict(zip(BLOCKS, choices, strict=True))))
        module = MultiTaskModule(self.tasks, self.config.training)
        module.set_model(network)
        trainer = Trainer(
            accelerator="cpu", max_steps=self.config.training.steps, max_epochs=-1, limit_val_batches=0,
            gradient_clip_val=self.config.training.gradient_clip, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(
            module, DataLoader(self.train, self.config.data.batch_size, shuffle=True, drop_last=True, generator=order)
        )
        scorer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
        scorer.validate(module, DataLoader(self.val, self.config.data.eval_batch_size), verbose=False)
        return {metric: module.scores[metric] for metric in METRICS.values()}


def describe_space() -> str:
    """What each block offers."""
    return "; ".join(f"{block}: {', '.join(offered(block))}" for block in BLOCKS)


def missing(path: Path, wanted: Sequence[Genotype], seeds: Sequence[int]) -> Iterator[tuple[Genotype, int]]:
    """The trainings that the file does not have."""
    done: set[tuple[Genotype, int]] = set()
    if path.exists():
        with path.open(newline="") as file:
            done = {(tuple(row[block] for block in BLOCKS), int(row["seed"])) for row in csv.DictReader(file)}
    return ((choices, seed) for seed in seeds for choices in wanted if (choices, seed) not in done)


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="CSV file")
    parser.add_argument("--every", type=int, default=1, help="train each N-th genotype (default: all)")
    parser.add_argument("--network", nargs=len(BLOCKS), action="append", choices=CONTEXT_NAMES, metavar="CONTEXT",
                        help=f"train this genotype: contexts of {', '.join(BLOCKS)}")  # fmt: skip
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", action="append", default=[], type=parse_override, metavar="KEY=VALUE", dest="changes")
    options = parser.parse_args()
    silence_lightning()
    torch.set_num_threads(1)
    wanted = list(map(tuple, options.network)) if options.network else shuffled()[:: options.every]
    if unknown := [genotype for genotype in wanted if genotype not in genotypes()]:
        parser.error(f"--network {' '.join(unknown[0])}: not of this space; {describe_space()}")
    todo = list(missing(options.out, wanted, options.seeds))
    train = Trainings(dict(options.changes))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for number, (choices, seed) in enumerate(todo, 1):
        began = time.process_time()
        scores = train(choices, seed)
        row = {**dict(zip(BLOCKS, choices, strict=True)), "seed": seed, **scores}
        new = not options.out.exists()
        with options.out.open("a", newline="") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(
            f"{number} of {len(todo)}: {' '.join(choices)}, seed {seed}: {scores}, {time.process_time() - began:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
