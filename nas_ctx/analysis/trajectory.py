"""How the searches went: when blocks were decided, and what their agreement was at each step on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.analysis.io.history import SearchHistory, common_steps
from nas_ctx.analysis.io.runs import Run
from nas_ctx.analysis.stats.agreement import agreeing_pairs, fleiss_parts
from nas_ctx.analysis.stats.ratings import Floats, Integers, RatingMatrix
from nas_ctx.analysis.stats.stability import winners_of
from nas_ctx.analysis.stats.weights import once


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
    """The trajectory of the ``runs`` with a history, over the ``blocks`` that all of these log alike; else None."""
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
    leading = _leading(histories, rows, logged)
    matrices = [RatingMatrix(codes, tuple(range(int(leading.max()) + 1))) for codes in leading]
    several = len(carrying) > 1
    wins = [winners_of(matrix.votes.T) for matrix in matrices]
    same = np.array([(winners == wins[-1]).all(axis=0).mean() for winners in wins])
    unstable = np.flatnonzero(same < 1)
    return Trajectory(
        runs=tuple(run.name for run, _ in carrying),
        steps=steps,
        percentage=np.array([_percentage(m) if several else np.nan for m in matrices]),
        fleiss=np.array([fleiss_parts(m, once(m)).value[0] if several else np.nan for m in matrices]),
        same_vote=same,
        entropy=np.stack([history.mean_entropy[row] for history, row in zip(histories, rows, strict=True)]),
        blocks=tuple(logged),
        decided={block: tuple(run.decided_at(block) for run, _ in carrying) for block in logged},
        settled={block: tuple(history.settled_at(block) for history in histories) for block in logged},
        choices={block: histories[0].choices[block] for block in logged},
        probabilities={
            block: np.mean([h.probabilities[block][row] for h, row in zip(histories, rows, strict=True)], axis=0)
            for block in logged
        },
        stable_from=int(steps[unstable[-1] + 1]) if len(unstable) else int(steps[0]),
    )


def _percentage(matrix: RatingMatrix) -> float:
    """Percentage agreement without its chance level, which each label would add to."""
    return float(agreeing_pairs(matrix).sum()) / (matrix.n_blocks * matrix.n_runs * (matrix.n_runs - 1))


def _leading(histories: Sequence[SearchHistory], rows: Sequence[Integers], blocks: Sequence[str]) -> Integers:
    """(n_steps, n_runs, n_blocks): the code of the most probable choice, the same for all blocks that have it.

    Where two choices tie for the lead, as at the start, a run prefers none: it has a code of its own, which agrees with
    no other run.
    """
    words = list(dict.fromkeys(word for block in blocks for word in histories[0].choices[block]))
    codes = np.empty((len(rows[0]), len(histories), len(blocks)), dtype=np.int64)
    for b, block in enumerate(blocks):
        numbers = np.array([words.index(word) for word in histories[0].choices[block]])
        for r, (history, row) in enumerate(zip(histories, rows, strict=True)):
            leading = numbers[history.leading(block)[row]]
            codes[:, r, b] = np.where(history.undecided(block)[row], len(words) + r, leading)
    return codes
