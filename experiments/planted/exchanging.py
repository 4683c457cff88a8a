"""Searches of planted worlds with their exchanges measured: one world with one file, so that a second call resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from searching import SHARP, Plan, gumbel_search
from torch import Tensor, nn

from nas_ctx.analysis import vote
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.evaluation.exchange import Variant, adapt, row_inputs, variants_of
from nas_ctx.files import write_text
from nas_ctx.search import GumbelSearch
from search_spaces.planted import World, random_world

PLAN = Plan(passes=30, batch=4, settings={**SHARP, "warmup_steps": 8})
"""Short searches, which are often wrong: of long ones there is nothing to correct."""
STRENGTHS = (0.0, 0.1, 0.15, 0.25, 0.5)
"""Deviations that a planted block adds to noise of deviation 1: explained variances of 0, 1, 2, 6 and 25 %."""
STEPS, IMAGES, BATCH = 12, 64, 16


def world_of(seed: int, null: bool) -> World:
    """A world of two tasks; unless ``null``, something is planted in each block, in strengths drawn from STRENGTHS."""
    if null:
        return random_world(2, seed=seed, null=True)
    generator = torch.Generator().manual_seed(seed)
    world = random_world(2, seed=seed)
    planted, strengths = {}, {}
    for block in world.planted:
        target, source = block.split("/")
        known = [name for name in CONTEXT_NAMES if name != "none" and (target != source or name != "s-label")]
        drawn = int(torch.randint(len(STRENGTHS), (), generator=generator))
        name = known[int(torch.randint(len(known), (), generator=generator))]
        strengths[block] = STRENGTHS[drawn]
        planted[block] = name if strengths[block] else "none"
    return World(planted, noise=1.0, seed=seed, strengths=strengths)


def measured(seed: int, null: bool, runs: int, folder: Path) -> dict[str, Any]:
    """A world's searches and exchanges: from its file, or made now and kept in it.

    ``errors`` are squared errors per image: by steps of adaptation ("0", "12"), run, block and candidate.
    """
    path = folder / f"{'null' if null else 'mixed'}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    world = world_of(seed, null)
    searches = []
    for run in range(runs):
        torch.manual_seed(1000 * seed + run)
        searches.append(gumbel_search(world, PLAN, 1000 * seed + run))
    genotypes = [dict(search.genotype()) for search in searches]
    blocks = list(world.planted)
    votes = vote([[choices[block] for block in blocks] for choices in genotypes], ties="order", order=CONTEXT_NAMES)
    voted = {block: str(of.choice) for block, of in zip(blocks, votes, strict=True)}
    content = {
        "planted": dict(world.planted),
        "strengths": dict(world.strengths),
        "plan": {**asdict(PLAN), "contexts": list(PLAN.contexts)},
        "genotypes": genotypes,
        "probabilities": [search.genotype().meta["probabilities"] for search in searches],
        "voted": voted,
        "errors": {
            str(steps): [exchanged(search, world, voted, steps, run) for run, search in enumerate(searches)]
            for steps in (0, STEPS)
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content))
    return content


def exchanged(
    search: GumbelSearch, world: World, genotype: Mapping[str, str], steps: int, seed: int
) -> dict[str, dict[str, list[float]]]:
    """Block -> candidate -> squared error of its target on each of IMAGES images, the same ones for all runs."""
    space = search._model.eval()
    for choice in search.choices:
        choice.decide(choice.values.index(genotype[choice.label]), 0)
    tasks = space.tasks
    variants = variants_of(space.network, {task: nn.Identity() for task in tasks})

    def passes(count: int, seed: int) -> Iterator[tuple[Any, Tensor]]:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(count):
            sample = world.sample(BATCH, generator)
            with torch.no_grad(), row_inputs(space.network) as rows:
                space((sample.features, sample.regions))
            yield rows, sample.labels

    def errors(target: str, output: Tensor, labels: Tensor) -> Tensor:
        return (output - labels[:, tasks.index(target)]).square().mean((1, 2, 3))

    def optimizer(variant: nn.Module) -> tuple[torch.optim.Optimizer, Any]:
        weights = torch.optim.Adam(variant.parameters(), PLAN.rate)
        return weights, torch.optim.lr_scheduler.CosineAnnealingLR(weights, max(steps, 1))

    adapt(variants, passes(steps, 10**6 + seed), lambda *of: errors(*of).mean(), optimizer)
    found: dict[str, dict[str, list[float]]] = {block: {name: [] for name in of} for block, of in variants.items()}
    for rows, labels in passes(IMAGES // BATCH, 10**7):
        for block, of in variants.items():
            for name, variant in of.items():
                found[block][name] += _rounded(variant, rows, labels, errors)
    return found


@torch.no_grad()
def _rounded(variant: Variant, rows: Any, labels: Tensor, errors: Any) -> list[float]:
    return np.round(errors(variant.target, variant(rows[variant.target]), labels).double().numpy(), 6).tolist()
