"""Delta_m of a multi-task network: its mean relative gain over single-task networks."""

from __future__ import annotations

from collections.abc import Mapping

from nas_ctx.errors import InputError


def delta_m(multi: Mapping[str, float], single: Mapping[str, float], higher_is_better: Mapping[str, bool]) -> float:
    """Mean over tasks of the relative change against the single-task scores, in percent; gains are positive.

    Where a lower score is better (depth, normals) the sign of the change is turned. ``nan`` scores give ``nan``.

    Args:
        multi: task -> score of the multi-task network.
        single: task -> score of the single-task network; the same tasks, none 0.
        higher_is_better: task -> direction, at least for these tasks.

    Raises:
        InputError: no task, different tasks in the two, an unknown direction, or a single-task score of 0.

    The multi-task baseline of table G-1 of the supplement (-1.89 there, from scores with more digits):

    >>> round(delta_m({"semseg": 36.35, "depth": 0.6284, "normals": 21.02, "edge": 76.36},
    ...               {"semseg": 38.02, "depth": 0.6104, "normals": 20.94, "edge": 76.22},
    ...               {"semseg": True, "depth": False, "normals": False, "edge": True}), 2)
    -1.88
    """
    if not multi or multi.keys() != single.keys():
        raise InputError(f"delta_m needs the same tasks twice; multi has {sorted(multi)}, single has {sorted(single)}")
    if unknown := sorted(multi.keys() - higher_is_better.keys()):
        raise InputError(f"delta_m: higher_is_better says nothing about {', '.join(unknown)}")
    if zero := sorted(task for task, score in single.items() if score == 0):
        raise InputError(f"delta_m: the single-task score of {', '.join(zero)} is 0, so no relative change exists")
    changes = [(multi[t] - single[t]) / single[t] * (1 if higher_is_better[t] else -1) for t in multi]
    return 100.0 * float(sum(changes)) / len(changes)
