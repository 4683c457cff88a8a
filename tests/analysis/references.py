"""Other people's implementations, and loops that follow the published formulas word by word."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections import Counter

import krippendorff
import numpy as np
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss


def percentage(table) -> float:
    pairs = list(itertools.combinations(range(len(table)), 2))
    agreements = [table[r][b] == table[s][b] for r, s in pairs for b in range(len(table[0]))]
    return sum(agreements) / len(agreements)


def cohen_matrix(table) -> np.ndarray:
    """scikit-learn, pair by pair; it too gives nan for 0/0 (and warns)."""
    return _cohen_matrix(tuple(map(tuple, table)))


@functools.cache  # two tests use the same tables, and scikit-learn takes its time
def _cohen_matrix(table) -> np.ndarray:
    kappas = np.empty((len(table), len(table)))
    for r, s in itertools.combinations_with_replacement(range(len(table)), 2):
        kappas[r, s] = kappas[s, r] = _cohen(table[r], table[s])
    return kappas


def _cohen(a, b) -> float:
    labels = sorted(set(a) | set(b))
    return np.nan if len(labels) == 1 else cohen_kappa_score(list(a), list(b), labels=labels)


def light(table) -> float:
    kappas = cohen_matrix(table)
    return float(np.mean([kappas[r, s] for r, s in itertools.combinations(range(len(table)), 2)]))


def fleiss(table) -> float:
    counts, _ = aggregate_raters(np.asarray(table).T)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return float(statsmodels_fleiss(counts, method="fleiss"))


def krippendorff_nominal(table) -> float:
    """The `krippendorff` package; nan where it refuses tables with one value or no pair."""
    values = sorted({label for row in table for label in row if label is not None}, key=str)
    number = {label: float(i) for i, label in enumerate(values)}
    data = [[np.nan if label is None else number[label] for label in row] for row in table]
    units = [[row[b] for row in data if not np.isnan(row[b])] for b in range(len(data[0]))]
    pairable = {value for unit in units if len(unit) > 1 for value in unit}
    if len(pairable) < 2:
        return float("nan")
    return float(krippendorff.alpha(reliability_data=data, level_of_measurement="nominal"))


def conger(table) -> float:
    """Conger 1980: the mean of p_o and the mean of p_e over all pairs of raters, by loops over counts."""
    n, blocks = len(table), len(table[0])
    chance = []
    for r, s in itertools.combinations(range(n), 2):
        a, b = Counter(table[r]), Counter(table[s])
        chance.append(sum(a[label] * b[label] for label in a) / blocks**2)
    expected = sum(chance) / len(chance)
    return (percentage(table) - expected) / (1 - expected) if expected < 1 else float("nan")


def gwet(table) -> float:
    """Gwet 2008, equations for multiple raters without missing ratings, by loops."""
    n, blocks = len(table), len(table[0])
    labels = sorted({label for row in table for label in row}, key=str)
    q = len(labels)
    if q == 1:
        return float("nan")
    observed = 0.0
    shares = dict.fromkeys(labels, 0.0)
    for b in range(blocks):
        votes = Counter(row[b] for row in table)
        observed += sum(v * (v - 1) for v in votes.values()) / (n * (n - 1))
        for label in labels:
            shares[label] += votes[label] / n / blocks
    observed /= blocks
    expected = sum(share * (1 - share) for share in shares.values()) / (q - 1)
    return (observed - expected) / (1 - expected)
