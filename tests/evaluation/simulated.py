"""Tables of simulated runs, whose true delta_m is known."""

from __future__ import annotations

import numpy as np

from nas_ctx.evaluation.scores import score_rows
from nas_ctx.evaluation.table import ResultTable, make_table

METRICS = {
    "semseg/miou": (True, 0.38, 0.39),
    "depth/rmse": (False, 0.61, 0.60),
    "normals/mean_angle": (False, 21.0, 20.5),
}
"""Direction, true mean of the single-task network, true mean of the other one."""
DEVIATION = 0.02
"""Of a run, relative to the mean: about what rooms show."""


def simulated_table(runs: int, seed: int) -> tuple[ResultTable, float]:
    """Single-task runs and runs of one network, and the true delta_m in percent."""
    rng = np.random.default_rng([runs, seed])
    scores = {
        name: {m: dict(enumerate(rng.normal(s[place], DEVIATION * s[place], runs))) for m, s in METRICS.items()}
        for place, name in enumerate(("single task", "network"), 1)
    }
    changes = [(1 if higher else -1) * (multi - single) / single for higher, single, multi in METRICS.values()]
    rows = score_rows(scores, {metric: setting[0] for metric, setting in METRICS.items()})
    return make_table(rows), 100 * float(np.mean(changes))
