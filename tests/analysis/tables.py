"""Published tables of ratings with published figures, and random ones; none of it from this package."""

from __future__ import annotations

import numpy as np


def rows_of_counts(counts: list[list[int]]) -> list[list[int]]:
    """Ratings (n_raters, n_subjects) that have these counts (n_subjects, n_categories)."""
    subjects = [[c for c, n in enumerate(row) for _ in range(n)] for row in counts]
    return [list(column) for column in zip(*subjects, strict=True)]


# The worked example of Fleiss' kappa that circulates widely: 14 raters, 10 subjects, 5 categories; P = 0.378,
# Pe = 0.213, kappa = 0.210 (Wikipedia, "Fleiss' kappa").
FLEISS_14_RATERS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]

# Fleiss, Psychological Bulletin 76 (1971) 378, table 1: 30 subjects, 6 psychiatrists each, 5 diagnoses (depression,
# personality disorder, schizophrenia, neurosis, other). P = 0.556, Pe = 0.220, kappa = 0.430.
FLEISS_1971 = [
    [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0],
    [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0],
    [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1], [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0],
    [0, 2, 0, 4, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0],
    [1, 0, 0, 4, 1], [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
]  # fmt: skip

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: 4 observers, 12 units, 5 values,
# missing data; nominal alpha = 0.743.
KRIPPENDORFF_2011 = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def two_raters(counts: list[list[int]]) -> list[list[int]]:
    """Ratings of two raters from their table of counts."""
    pairs = [(a, b) for a, row in enumerate(counts) for b, n in enumerate(row) for _ in range(n)]
    return [[a for a, _ in pairs], [b for _, b in pairs]]


# The paradox of Gwet, "Kappa statistic is not satisfactory" (2002): two raters, 125 subjects, p_a = 0.944, yet
# Cohen's kappa is -0.0234; AC1 = 0.9408.
GWET_PARADOX = [[118, 5], [2, 0]]


def random_tables(number: int, *, missing: bool = False) -> list[np.ndarray]:
    """Small and middling tables, from agreement by chance to nearly full, skewed and even, in object arrays."""
    rng = np.random.default_rng(20211011)
    tables = []
    for _ in range(number):
        runs, blocks, labels = rng.integers(2, 9), rng.integers(2, 40), rng.integers(2, 7)
        shares = rng.dirichlet(np.full(labels, rng.choice([0.3, 1.0, 5.0])))
        truth = rng.choice(labels, size=blocks, p=shares)
        noise = rng.random((runs, blocks)) < rng.random()
        codes = np.where(noise, rng.choice(labels, size=(runs, blocks), p=shares), truth)
        table = np.array([f"choice {c}" for c in codes.ravel()], dtype=object).reshape(codes.shape)
        if missing:
            table[rng.random(codes.shape) < 0.2] = None
        tables.append(table)
    return tables
