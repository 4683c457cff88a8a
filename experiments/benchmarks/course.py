"""The course of a search: the state of its choices at some moments, from a run folder or from a simulated search."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import NamedTuple

import torch

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.contexts import candidates
from nas_ctx.models.grid import label
from nas_ctx.search import Choice, Choices, SearchSettings
from nas_ctx.search.schedule import LinearSchedule

TASKS = ["semseg", "depth", "normals", "edge"]


class Moment(NamedTuple):
    """The state of the choices at a moment: temperature, and per label alpha and the index of what is decided."""

    temperature: float
    alpha: dict[str, list[float]]
    decided: dict[str, int]


def simulated(
    points: int, steps: int, spread: float, noise: float, seed: int, eliminate_margin: float | None = None
) -> list[Moment]:
    """``points`` moments of the paper's search and its last one, gone through in ``steps`` steps.

    Fewer steps than the paper's 40 000 take a rate that is larger in proportion. ``spread`` is the standard deviation
    of the candidates' losses, ``noise`` that of what is added to them anew at each step.
    """
    settings = SearchSettings()
    generator = torch.Generator().manual_seed(seed)
    names = {label(t, s): list(candidates(t, s, CONTEXT_NAMES)) for t in TASKS for s in TASKS}
    choices = Choices({name: Choice(name, values) for name, values in names.items()}, seed=seed)
    losses = {c.label: spread * torch.randn(len(c.values), generator=generator) for c in choices}
    adam = torch.optim.Adam([c.alpha for c in choices], lr=settings.arch_lr * 40_000 / steps)
    temperature, entropy_weight = LinearSchedule(*settings.temperature), LinearSchedule(*settings.entropy_weight)
    found = []
    moments = {steps * (2 * point + 1) // (2 * points) for point in range(points)}
    for step in range(steps):
        if step in moments:
            found.append(_moment(choices, temperature.at(step, steps)))
        choices.sample(step, temperature.at(step, steps))
        seen = {name: mean + noise * torch.randn(len(mean), generator=generator) for name, mean in losses.items()}
        terms = [seen[c.label][index] * weight for c in choices for index, weight in c.active() if weight is not None]
        adam.zero_grad()
        (sum(terms, torch.zeros(())) + entropy_weight.at(step, steps) * choices.mean_entropy()).backward()
        adam.step()
        choices.forget()
        choices.decide(settings.stop_margin, step + 1)
        if eliminate_margin is not None:
            choices.eliminate(eliminate_margin)
        if all(c.decided for c in choices):
            break
    found += [_moment(choices, 0.05)] * (points + 1 - len(found))
    return found


def _moment(choices: Choices, temperature: float) -> Moment:
    return Moment(
        temperature, {c.label: c.alpha.tolist() for c in choices}, {c.label: c.best_index for c in choices if c.decided}
    )


def recorded(points: int, run: Path) -> list[Moment]:
    """``points`` moments of a search's run folder, and its last one."""
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    genotype = json.loads((run / "genotype.json").read_text())
    columns: dict[str, list[str]] = {}
    for column in rows[0]:
        if "=" in column:
            columns.setdefault(column.split("=")[0], []).append(column)

    def moment(row: dict[str, str]) -> Moment:
        alpha = {name: torch.tensor([float(row[c]) for c in of]).log().tolist() for name, of in columns.items()}
        decided = {
            name: columns[name].index(f"{name}={genotype['choices'][name]}")
            for name, step in genotype["meta"]["decided_at"].items()
            if step < int(row["step"])
        }
        return Moment(float(row["temperature"]), alpha, decided)

    return [moment(rows[len(rows) * (2 * point + 1) // (2 * points)]) for point in range(points)] + [moment(rows[-1])]


def put(choices: Choices, moment: Moment) -> None:
    """Bring the choices into the state of a moment."""
    for choice in choices:
        index = moment.decided.get(choice.label, -1)
        choice.load_state_dict({"alpha": torch.tensor(moment.alpha[choice.label]), "state": torch.tensor([index, 0])})
