"""Beside the searched genotypes: what a policy that draws every choice uniformly would agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas_ctx.errors import InputError

_LABELS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class RandomPolicy:
    """Percentage agreement and Fleiss' kappa of runs that draw uniformly: exact mean of the first, 95 % ranges of both.

    ``p`` is the probability that such runs agree at least as much as was observed (Monte Carlo, observed one counted).
    """

    expected: float
    percentage: tuple[float, float]
    fleiss: tuple[float, float]
    p: float
    draws: int


def random_policy(
    n_runs: int, n_choices: Sequence[int], observed: float, *, draws: int = 2000, seed: int = 0
) -> RandomPolicy:
    """Simulate ``draws`` sets of ``n_runs`` runs that choose uniformly among ``n_choices[b]`` candidates of block b.

    >>> random_policy(5, [4, 5, 5, 4], observed=0.9, draws=200).expected
    0.225
    """
    choices = np.asarray(n_choices, dtype=np.int64)
    if n_runs < 2 or not len(choices) or (choices < 1).any():
        raise InputError(f"a random policy needs two runs and at least one choice per block, got {n_runs}, {n_choices}")
    rng = np.random.default_rng(seed)
    most, pairs = int(choices.max()), n_runs * (n_runs - 1)
    step = max(1, _LABELS_AT_ONCE // (len(choices) * most * n_runs))
    agreements, kappas = [], []
    for start in range(0, draws, step):
        size = min(step, draws - start)
        votes = np.stack(
            [rng.multinomial(n_runs, [1 / c] * c + [0.0] * (most - c), size=size) for c in choices.tolist()], axis=1
        )
        agree = (votes * (votes - 1)).sum(axis=(1, 2)) / (len(choices) * pairs)
        chance = ((votes.sum(axis=1) / (n_runs * len(choices))) ** 2).sum(axis=1)
        agreements.append(agree)
        with np.errstate(invalid="ignore", divide="ignore"):
            kappas.append(np.where(chance < 1, (agree - chance) / (1 - chance), np.nan))
    agreement, kappa = np.concatenate(agreements), np.concatenate(kappas)
    kappa = kappa[~np.isnan(kappa)]
    tails = [0.025, 0.975]
    return RandomPolicy(
        expected=float((1 / choices).mean()),
        percentage=tuple(np.quantile(agreement, tails).tolist()),
        fleiss=tuple(np.quantile(kappa, tails).tolist()) if len(kappa) else (float("nan"), float("nan")),
        p=float((1 + (agreement >= observed - 1e-12).sum()) / (1 + draws)),
        draws=draws,
    )
