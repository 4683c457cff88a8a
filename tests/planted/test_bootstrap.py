"""The bootstrap that the jackknife is compared with, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nas_ctx.analysis import FLEISS, LIGHT, PERCENTAGE

from ..analysis.tables import random_tables

TABLE = random_tables(12)[11]


def scipy_bootstrap(statistic, method, seed=0):
    """SciPy's bootstrap over the block numbers, with the statistic of the table cut to them."""

    def of_blocks(numbers):
        return float(statistic.values(TABLE[:, numbers.astype(int)])[0])

    return stats.bootstrap(
        (np.arange(TABLE.shape[1]),), of_blocks, vectorized=False, n_resamples=400, method=method,
        rng=np.random.default_rng(seed),
    )  # fmt: skip


@pytest.mark.parametrize("statistic", [PERCENTAGE, FLEISS, LIGHT], ids=lambda s: s.key)
def test_bca_equals_scipy_on_its_own_draws(statistic):
    from bootstrap import bca

    theirs = scipy_bootstrap(statistic, "BCa")
    left_out = statistic.values(TABLE, np.ones((TABLE.shape[1],) * 2) - np.eye(TABLE.shape[1]))
    ours = bca(float(statistic.values(TABLE)[0]), theirs.bootstrap_distribution, left_out)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)


def test_intervals_come_near_scipys():
    from bootstrap import bootstrap_intervals

    ours = bootstrap_intervals(TABLE, PERCENTAGE, draws=4000, seed=5)
    for interval, method in zip(ours, ("percentile", "BCa"), strict=True):
        assert interval == pytest.approx(tuple(scipy_bootstrap(PERCENTAGE, method).confidence_interval), abs=0.03)


def test_bca_is_absent_where_it_does_not_exist():
    from bootstrap import bca

    assert bca(2.0, np.array([0.1, 0.2]), np.array([0.1, 0.2])) is None
