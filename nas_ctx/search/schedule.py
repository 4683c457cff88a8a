"""A value that moves linearly over the optimiser steps of a search."""

from __future__ import annotations

from dataclasses import dataclass

from nas_ctx.compat.renamed import former_names


@dataclass(frozen=True)
class LinearSchedule:
    """From ``start`` at the first step to ``end`` at the last (supplement A: temperature and entropy weight).

    >>> temperature = LinearSchedule(1.0, 0.05)
    >>> temperature.at(0, total=101), temperature.at(100, total=101)
    (1.0, 0.05)
    """

    start: float
    end: float

    def at(self, step: int, total: int) -> float:
        """The value at ``step`` (counted from 0) of ``total``; ``end`` after the last step."""
        share = min(max(step, 0) / max(total - 1, 1), 1.0)
        return (1.0 - share) * self.start + share * self.end


__getattr__ = former_names(__name__, {"Linear": "LinearSchedule"})
