"""A value that moves linearly over the optimiser steps of a search."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Linear:
    """From ``start`` at the first step to ``end`` at the last (supplement A: temperature and entropy weight).

    >>> temperature = Linear(1.0, 0.05)
    >>> temperature.at(0, total=101), temperature.at(100, total=101)
    (1.0, 0.05)
    """

    start: float
    end: float

    def at(self, step: int, total: int) -> float:
        """The value used by step ``step`` (counted from 0) of ``total``; beyond the last step it stays at ``end``."""
        share = min(max(step, 0) / max(total - 1, 1), 1.0)
        return (1.0 - share) * self.start + share * self.end
