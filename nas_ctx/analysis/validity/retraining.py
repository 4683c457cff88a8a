"""What trained networks of random genotypes say: how much the choices matter at all, each block's, and the vote.

One genotype trained several times shows the noise of training, several genotypes show the space. A one-way model with
random effects splits the variance; a block's effect is that of having the voted candidate there instead of another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nas_ctx.analysis.stats.ratings import Floats
from nas_ctx.errors import InputError

LEAST_DEGREES = 5
"""Of freedom that a regression on all blocks must leave; with fewer each block is estimated by itself."""
Ends = tuple[float, float]
NONE: Ends = (math.nan, math.nan)


@dataclass(frozen=True)
class TrainedScore:
    """A trained network.

    Attributes:
        genotype: block -> candidate.
        scores: task -> main score, better where higher once multiplied by its sign.
        signs: task -> 1 where higher is better, else -1.
        random: whether its genotype was drawn at random.
    """

    name: str
    genotype: Mapping[str, str]
    scores: Mapping[str, float]
    signs: Mapping[str, float]
    random: bool


@dataclass(frozen=True)
class BlockEffect:
    """What the voted candidate of a block adds to its target's score, in percent of the mean, against random others.

    Attributes:
        low, high: simultaneous over the blocks; nan where they cannot be estimated.
        voted, others: numbers of genotypes.
    """

    block: str
    mean: float
    low: float
    high: float
    voted: int
    others: int


@dataclass(frozen=True)
class Retraining:
    """What a set of trainings says. Scores are means over tasks of the change against the mean network, in percent.

    Attributes:
        genotypes, trainings: how many random ones, and how many trainings in all.
        noise, noise_interval: deviation between trainings of one genotype.
        share, share_interval: of the variance between random genotypes, once each is trained, that is not noise.
        p: of the F test whether genotypes differ at all.
        effects: of the blocks; empty with fewer than three random genotypes.
        method: how these were estimated.
        vote, vote_runs: mean score of the voted genotype, and how often it was trained.
        beaten, beaten_interval: share of the random genotypes whose mean is below the vote's.
        scores: (name, score, kind) of every training; the kind is "random", "voted" or "other".
    """

    genotypes: int
    trainings: int
    noise: float
    noise_interval: Ends
    share: float
    share_interval: Ends
    p: float
    effects: tuple[BlockEffect, ...]
    method: str
    vote: float
    vote_runs: int
    beaten: float
    beaten_interval: Ends
    scores: tuple[tuple[str, float, str], ...]


def retraining(trained: Sequence[TrainedScore], voted: Mapping[str, str], level: float = 0.95) -> Retraining:
    """Split the variance of ``trained`` networks, estimate the blocks' effects, and place the ``voted`` genotype.

    Raises:
        InputError: networks of other blocks than the vote's, or of different tasks.
    """
    tasks = set(trained[0].scores) if trained else set()
    for network in trained:
        if set(network.genotype) != set(voted):
            raise InputError(f"{network.name}: its blocks are not those of the vote")
        if set(network.scores) != tasks:
            raise InputError(f"{network.name}: has the tasks {sorted(network.scores)}, others {sorted(tasks)}")
    changes = _changes(trained)
    total = np.array([np.mean([changes[task][i] for task in sorted(tasks)]) for i in range(len(trained))])
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for index, network in enumerate(trained):
        groups.setdefault(tuple(sorted(network.genotype.items())), []).append(index)
    mine = tuple(sorted(voted.items()))
    random = {key: of for key, of in groups.items() if key != mine and all(trained[i].random for i in of)}
    noise, degrees = _noise(total, list(groups.values()))
    means = np.array([total[of].mean() for of in random.values()])
    sizes = np.array([len(of) for of in random.values()])
    effects, method = _effects([dict(key) for key in random], list(random.values()), changes, voted, level)
    vote = float(total[groups[mine]].mean()) if mine in groups else math.nan
    below = int((means < vote).sum())
    return Retraining(
        len(random), len(trained), math.sqrt(noise), _noise_interval(noise, degrees, level),
        *_between(means, sizes, noise, degrees, level), effects, method, vote, len(groups.get(mine, [])),
        below / len(means) if len(means) and mine in groups else math.nan,
        _share_interval(below, len(means), level) if len(means) and mine in groups else NONE,
        tuple(
            (network.name, float(score), "voted" if tuple(sorted(network.genotype.items())) == mine
             else "random" if network.random else "other")
            for network, score in zip(trained, total, strict=True)
        ),
    )  # fmt: skip


def _changes(trained: Sequence[TrainedScore]) -> dict[str, Floats]:
    """Task -> (trainings,): change against the mean over all trainings, in percent; better is positive."""
    found = {}
    for task in trained[0].scores if trained else ():
        values = np.array([network.scores[task] for network in trained])
        found[task] = 100 * trained[0].signs[task] * (values - values.mean()) / abs(values.mean())
    return found


def _noise(total: Floats, groups: Sequence[Sequence[int]]) -> tuple[float, int]:
    """Variance within genotypes, over all of them, and its degrees of freedom."""
    squares = sum(float(((total[list(of)] - total[list(of)].mean()) ** 2).sum()) for of in groups)
    degrees = sum(len(of) - 1 for of in groups)
    return (squares / degrees if degrees else math.nan), degrees


def _noise_interval(noise: float, degrees: int, level: float) -> Ends:
    if not degrees:
        return NONE
    low, high = (
        noise * degrees / float(stats.chi2.ppf(share, degrees)) for share in ((1 + level) / 2, (1 - level) / 2)
    )
    return math.sqrt(low), math.sqrt(high)


def _between(means: Floats, sizes: Floats, noise: float, degrees: int, level: float) -> tuple[float, Ends, float]:
    """Share of the variance of a training that is between genotypes, its interval, and p of the F test.

    Thomas and Hultquist (Ann. Stat. 6 (1978) 582): the variance of unweighted means times the harmonic mean of the
    sizes, over the noise, is nearly (1 + size x ratio) times an F variable; exactly where sizes are equal.
    """
    if len(means) < 2 or not degrees or not noise > 0:
        return math.nan, NONE, math.nan
    size = float(stats.hmean(sizes))
    f = size * float(means.var(ddof=1)) / noise

    def share(quantile: float) -> float:
        ratio = max((f / quantile - 1) / size, 0.0)
        return ratio / (1 + ratio)

    freedom = (len(means) - 1, degrees)
    ends = share(stats.f.ppf((1 + level) / 2, *freedom)), share(stats.f.ppf((1 - level) / 2, *freedom))
    return share(1.0), ends, float(stats.f.sf(f, *freedom))


def _share_interval(count: int, number: int, level: float) -> Ends:
    """Clopper and Pearson's interval of a share."""
    found = stats.binomtest(count, number).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def _effects(
    genotypes: Sequence[Mapping[str, str]],
    members: Sequence[Sequence[int]],
    changes: Mapping[str, Floats],
    voted: Mapping[str, str],
    level: float,
) -> tuple[tuple[BlockEffect, ...], str]:
    """Each block's effect on its target: by one regression on all blocks if there are enough genotypes for it.

    Random genotypes are drawn block by block, so that leaving other blocks out costs precision and no bias.
    """
    if len(genotypes) < 3:
        return (), ""
    chosen = np.array([[g[block] == name for block, name in voted.items()] for g in genotypes], dtype=float)
    joint = (
        len(genotypes) - len(voted) - 1 >= LEAST_DEGREES
        and np.linalg.matrix_rank(np.column_stack([np.ones(len(genotypes)), chosen])) == len(voted) + 1
    )
    overall = np.mean(list(changes.values()), axis=0)
    each = level ** (1 / len(voted))
    found = []
    for number, block in enumerate(voted):
        of_target = changes.get(block.partition("/")[0], overall)
        scores = np.array([of_target[list(of)].mean() for of in members])
        columns = chosen if joint else chosen[:, [number]]
        mean, error, degrees = _slope(columns, scores, number if joint else 0)
        half = error * float(stats.t.ppf((1 + each) / 2, degrees)) if degrees > 0 else math.nan
        with_it = int(chosen[:, number].sum())
        found.append(BlockEffect(block, mean, mean - half, mean + half, with_it, len(genotypes) - with_it))
    return tuple(found), "one regression on all blocks" if joint else "each block by itself"


def _slope(columns: Floats, scores: Floats, number: int) -> tuple[float, float, int]:
    """The coefficient of a column in least squares with an intercept, its standard error, degrees of freedom."""
    design = np.column_stack([np.ones(len(scores)), columns])
    if np.linalg.matrix_rank(design) < design.shape[1]:  # nobody, or everybody, has the voted candidate
        return math.nan, math.nan, 0
    inverse = np.linalg.inv(design.T @ design)
    solution = inverse @ design.T @ scores
    degrees = len(scores) - design.shape[1]
    variance = float(((scores - design @ solution) ** 2).sum()) / degrees if degrees else math.nan
    return float(solution[number + 1]), math.sqrt(variance * inverse[number + 1, number + 1]), degrees
