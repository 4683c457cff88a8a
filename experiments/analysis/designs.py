"""Searches to simulate: what blocks can choose from, what runs prefer, and how they go wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from nas_ctx.analysis import Candidates, RatingMatrix, Statistic

Codes = npt.NDArray[np.int64]
MANY = 400  # so many times the blocks of a design stand for all blocks like these


@dataclass(frozen=True)
class Design:
    """Runs over blocks with ``sizes`` candidates, of which equal ``sets`` are equal candidate sets.

    A run follows the hidden choice of a block with a probability, and else draws among its candidates: uniformly, or
    the first with probability ``preference``. A run collapses with probability ``collapse`` to the first candidate of
    every block. ``nested``: so many of the last blocks are active only where the blocks before them took their first
    candidate, and are left out where some run has it inactive.
    """

    name: str
    says: str
    runs: int
    sizes: tuple[int, ...]
    sets: tuple[int, ...]
    preference: float | None = None
    collapse: float = 0.0
    nested: int = 0
    faithful: float = 0.5
    labels: tuple[int, ...] = field(default=())

    def draw(self, rng: np.random.Generator, faithful: float) -> tuple[RatingMatrix, Callable[[Statistic], float]]:
        """A table, and the true value of a statistic: that of very many blocks like these, with these runs."""
        collapsed = int((rng.random(self.runs) < self.collapse).sum())
        codes = self._codes(rng, faithful, collapsed, 1)
        return self._matrix(codes, 1), lambda statistic: _truth(self, faithful, collapsed, statistic)

    def draw_pair(self, rng: np.random.Generator, faithful: float) -> RatingMatrix:
        """Two sets of runs, one after the other, that follow the same hidden choices."""
        hidden = self._hidden(rng, 1)
        numbers = [int((rng.random(self.runs) < self.collapse).sum()) for _ in range(2)]
        both = [self._codes(rng, faithful, collapsed, 1, hidden) for collapsed in numbers]
        return self._matrix(np.concatenate(both), 1)

    def _hidden(self, rng: np.random.Generator, times: int) -> Codes:
        sizes = np.tile(self.sizes, times)
        return self._prefer(rng, sizes[None])[0]

    def _prefer(self, rng: np.random.Generator, sizes: Codes) -> Codes:
        """One draw per entry of ``sizes``."""
        drawn = rng.integers(0, sizes)
        if self.preference is None:
            return drawn
        others = 1 + rng.integers(0, np.maximum(sizes - 1, 1))
        return np.where(rng.random(sizes.shape) < self.preference, 0, others)

    def _codes(
        self, rng: np.random.Generator, faithful: float, collapsed: int, times: int, hidden: Codes | None = None
    ) -> Codes:
        sizes = np.broadcast_to(np.tile(self.sizes, times), (self.runs, times * len(self.sizes)))
        hidden = self._hidden(rng, times) if hidden is None else hidden
        codes = np.where(rng.random(sizes.shape) < faithful, hidden, self._prefer(rng, sizes))
        codes[:collapsed] = 0
        return codes

    def _matrix(self, codes: Codes, times: int) -> RatingMatrix:
        """Labels are numbered from 0 in every candidate set, whose families are its own."""
        sets, sizes = np.tile(self.sets, times), np.tile(self.sizes, times)
        if self.nested:
            outer = codes.reshape(len(codes), times, -1)[:, :, : self.nested] == 0
            kept = np.concatenate([np.ones_like(outer), outer], axis=2).all(axis=0).ravel()
            codes, sets, sizes = codes[:, kept], sets[kept], sizes[kept]
        if self.labels:  # one family: the paper's grid, whose diagonal lacks the last context
            labels, categories = np.arange(max(self.sizes)), codes
        else:
            first = np.concatenate([[0], np.cumsum([self.sizes[self.sets.index(s)] for s in sorted(set(self.sets))])])
            labels, categories = np.arange(first[-1]), first[sets] + codes
        used, numbered = np.unique(categories, return_inverse=True)
        return RatingMatrix(
            numbered.reshape(codes.shape).astype(np.int64), tuple(used.tolist()), Candidates(sets, sizes), len(labels)
        )


@cache
def _truth(design: Design, faithful: float, collapsed: int, statistic: Statistic) -> float:
    matrix = _many(design, faithful, collapsed)
    return float(statistic.values(matrix)[0])


@cache
def _many(design: Design, faithful: float, collapsed: int) -> RatingMatrix:
    rng = np.random.default_rng(10 + collapsed)
    return design._matrix(design._codes(rng, faithful, collapsed, MANY), MANY)


def _grid(tasks: int, runs: int, says: str = "", **more: object) -> Design:
    diagonal = [target == source for target in range(tasks) for source in range(tasks)]
    return Design(
        str(more.pop("name", f"grid-{tasks}x{runs}")),
        says or f"the paper's grid, {tasks} tasks, {runs} runs",
        runs,
        tuple(4 if itself else 5 for itself in diagonal),
        tuple(int(itself) for itself in diagonal),
        labels=tuple(range(5)),
        **more,  # type: ignore[arg-type]
    )


DESIGNS: Sequence[Design] = (
    Design("same", "16 blocks of the same five candidates, 5 runs", 5, (5,) * 16, (0,) * 16),
    _grid(4, 5),
    _grid(4, 10),
    _grid(6, 5),
    _grid(6, 10),
    Design("own", "16 blocks with three candidates of their own, 5 runs", 5, (3,) * 16, tuple(range(16))),
    Design("mixed", "8 blocks of seven operations, 8 of three inputs, 5 runs", 5, (7, 3) * 8, (0, 1) * 8),
    Design(
        "nested", "12 outer and 12 inner blocks, 5 runs", 5, (2,) * 12 + (4,) * 12, (0,) * 12 + (1,) * 12, nested=12
    ),
    _grid(4, 5, "the grid, none preferred in 70 %", name="preference", preference=0.7),
    _grid(4, 5, "the grid, a run in five collapses to none", name="collapse", collapse=0.2, faithful=0.8),
)
