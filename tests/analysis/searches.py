"""Simulated searches, written as run folders: what a report is made from, without any network."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.genotype import Genotype

FOUR_TASKS = ("semseg", "depth", "normals", "edge")
NINE_TASKS = (*FOUR_TASKS, "saliency", "human_parts", "albedo", "shading", "keypoints")


def candidates(block: str) -> tuple[str, ...]:
    target, source = block.split("/")
    return CONTEXT_NAMES[:4] if target == source else CONTEXT_NAMES


def drawn_genotypes(runs: int, tasks=FOUR_TASKS, *, faithful: float = 0.75, seed: int = 0) -> list[dict[str, str]]:
    """Genotypes that follow one hidden truth with probability ``faithful`` per block and are uniform else."""
    rng = np.random.default_rng(seed)
    blocks = [f"{target}/{source}" for target in tasks for source in tasks]
    truth = {block: str(rng.choice(candidates(block))) for block in blocks}
    return [
        {b: truth[b] if rng.random() < faithful else str(rng.choice(candidates(b))) for b in blocks}
        for _ in range(runs)
    ]


def write_runs(
    root: Path, runs: int = 5, tasks=FOUR_TASKS, *, faithful: float = 0.75, seed: int = 0, steps=200
) -> list[Path]:
    """Run folders with genotype, history and metrics; every block's logits drift to its choice and are then decided."""
    rng = np.random.default_rng(seed + 1)
    folders = []
    for number, choices in enumerate(drawn_genotypes(runs, tasks, faithful=faithful, seed=seed)):
        folder = root / f"seed-{number}"
        folder.mkdir(parents=True)
        Genotype(choices, {"seed": number}).save(folder / "genotype.json")
        at = np.arange(0, steps * 10, 10)
        columns, names, entropy = [], [], np.zeros(steps)
        for block, choice in choices.items():
            names_here = candidates(block)
            logits = np.cumsum(rng.normal(0, 0.02, (steps, len(names_here))), axis=0)
            logits[:, names_here.index(choice)] += np.linspace(0, rng.uniform(1, 3), steps) ** 1.5
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            p[-1, names_here.index(choice)] += 1
            p[-1] /= p[-1].sum()
            two = np.sort(p, axis=1)[:, -2:]
            decided = np.flatnonzero((two[:, 1] - two[:, 0] > 0.6) & (p.argmax(axis=1) == names_here.index(choice)))
            entropy -= (p * np.log(p)).sum(axis=1) / len(choices)
            if len(decided):
                p[decided[0] :] = np.eye(len(names_here))[names_here.index(choice)]
            columns.append(p)
            names += [f"{block}={name}" for name in names_here]
        table = np.column_stack([at, np.linspace(1, 0.05, steps), np.linspace(-0.02, 0.06, steps), entropy, *columns])
        with (folder / "history.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "temperature", "entropy_weight", "mean_entropy", *names])
            writer.writerows([[int(row[0]), *map(repr, row[1:].tolist())] for row in table])
        score = 0.4 + 0.05 * rng.random()
        (folder / "metrics.json").write_text(json.dumps({"score": score, "miou": score / 2}))
        (folder / "environment.json").write_text(json.dumps({"seed": number, "torch": "2.13.0"}))
        folders.append(folder)
    return folders


def write_csv(path: Path, genotypes: list[dict[str, str]], separator: str = ",") -> Path:
    rows = [["block", *(f"run {i}" for i in range(len(genotypes)))]]
    rows += [[block, *(genotype[block] for genotype in genotypes)] for block in genotypes[0]]
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return path


def foreign_genotypes(runs: int = 7, blocks: int = 24, seed: int = 0) -> list[dict[str, str]]:
    """Choices of some other architecture search: operations on edges of cells, with names that need escaping."""
    rng = np.random.default_rng(seed)
    operations = ["sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "max_pool_3x3", "skip & <connect>", "none"]
    labels = [f"cell{i // 8}.edge{i % 8}" for i in range(blocks)]
    truth = rng.choice(operations, blocks)
    return [
        {
            label: str(t if rng.random() < 0.5 else rng.choice(operations))
            for label, t in zip(labels, truth, strict=True)
        }
        for _ in range(runs)
    ]
