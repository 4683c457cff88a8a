"""How the searches went: when blocks were decided, and what their agreement was at each step on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.io.history import common_steps
from nas_ctx.analysis.io.runs import Run
from nas_ctx.analysis.stats.agreement import fleiss_parts, percentage_parts
from nas_ctx.analysis.stats.ratings import Floats, Integers, RatingMatrix
from nas_ctx.analysis.stats.stability import winners_of


@dataclass(frozen=True)
class Trajectory:
    """The runs that carry histories, step by step.

    ``steps`` (n_steps,) are at most 120 of the logged ones. ``percentage``, ``fleiss`` and ``same_vote`` (n_steps,) are
    the agreement of the then most probable choices and the share of blocks in which their vote was already the final
    one; ``entropy`` (n_runs, n_steps) is each run's mean entropy in nats. ``decided`` and ``settled`` hold per block
    the step of each run (None: never decided). ``probabilities[block]`` (n_steps, n_choices) is the mean over the runs,
    columns named by ``choices[block]``. ``stable_from`` is the step from which on the vote was the final one.
    """

    runs: tuple[str, ...]
    steps: Integers
    percentage: Floats
    fleiss: Floats
    same_vote: Floats
    entropy: Floats
    blocks: tuple[str, ...]
    decided: dict[str, tuple[int | None, ...]]
    settled: dict[str, tuple[int, ...]]
    choices: dict[str, tuple[str, ...]]
    probabilities: dict[str, Floats]
    stable_from: int


def trajectory_of(runs: Sequence[Run], blocks: Sequence[str]) -> Trajectory | None:
    """The course of those ``runs`` that carry a history, over the ``blocks`` that all of these log alike; else None."""
    carrying = [(run, run.history) for run in runs if run.history is not None]
    histories = [history for _, history in carrying]
    logged = [
        block
        for block in blocks
        if len({history.choices.get(block) for history in histories}) == 1 and block in histories[0].choices
    ]
    if not logged:
        return None
    steps = common_steps(histories)
    rows = [history.at(steps) for history in histories]
    leading = np.stack(
        [
            np.stack([history.leading(block)[at] for block in logged], axis=-1)
            for history, at in zip(histories, rows, strict=True)
        ]
    )  # (n_runs, n_steps, n_blocks)
    words = tuple(dict.fromkeys(word for block in logged for word in histories[0].choices[block]))
    number = {word: code for code, word in enumerate(words)}
    for b, block in enumerate(logged):
        to_words = np.array([number[word] for word in histories[0].choices[block]])
        leading[:, :, b] = to_words[leading[:, :, b]]
        for r, (history, at) in enumerate(zip(histories, rows, strict=True)):
            # Where two choices lead alike, as at the start, a run prefers none and so agrees with nobody.
            leading[r, history.undecided(block)[at], b] = len(words) + r
    labels = (*words, *(f"run {r} prefers none" for r in range(len(histories))))
    percentage, fleiss, won = [], [], []
    for s in range(len(steps)):
        now = RatingMatrix(leading[:, s], labels)
        once = np.ones((1, len(logged)))
        several = now.n_runs > 1
        percentage.append(percentage_parts(now, once).value[0] if several else np.nan)
        fleiss.append(fleiss_parts(now, once).value[0] if several else np.nan)
        won.append(winners_of(now.votes.T))
    same = np.array([(winners == won[-1]).all(axis=0).mean() for winners in won])
    unstable = np.flatnonzero(same < 1)
    return Trajectory(
        runs=tuple(run.name for run, _ in carrying),
        steps=steps,
        percentage=np.array(percentage),
        fleiss=np.array(fleiss),
        same_vote=same,
        entropy=np.stack([history.mean_entropy[at] for history, at in zip(histories, rows, strict=True)]),
        blocks=tuple(logged),
        decided={block: tuple(run.decided_at(block) for run, _ in carrying) for block in logged},
        settled={block: tuple(history.settled_at(block) for history in histories) for block in logged},
        choices={block: histories[0].choices[block] for block in logged},
        probabilities={
            block: np.mean([h.probabilities[block][at] for h, at in zip(histories, rows, strict=True)], axis=0)
            for block in logged
        },
        stable_from=int(steps[unstable[-1] + 1]) if len(unstable) else int(steps[0]),
    )
