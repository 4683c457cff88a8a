"""The judgement of verdicts in planted worlds, on scores that are made up."""

from __future__ import annotations

import numpy as np
import pytest

PLANTED = {"a/a": "t-label", "a/b": "none", "b/a": "local", "b/b": "none"}
STRENGTHS = {"a/a": 0.5, "a/b": 0.0, "b/a": 0.1, "b/b": 0.0}


def made_up(voted):
    """A world whose exchanges cost what they truly cost, in five runs of 64 images."""
    from validity import UNEXPLAINED, _true_costs

    rng = np.random.default_rng(0)
    world = {"planted": PLANTED, "strengths": STRENGTHS, "voted": voted, "genotypes": [voted] * 5}
    world["errors"] = {"0": [{block: dict.fromkeys(UNEXPLAINED, 0) for block in PLANTED}]}
    costs = {block: {**_true_costs(world, block), voted[block]: 0.0} for block in PLANTED}
    shared = rng.normal(1, 0.1, 64)
    world["errors"] = {
        "12": [
            {
                block: {
                    name: (shared * (1 + cost / 100) + rng.normal(0, 1e-3, 64)).tolist() for name, cost in of.items()
                }
                for block, of in costs.items()
            }
            for _ in range(5)
        ],
        "0": world["errors"]["0"],
    }
    return world, costs


def test_verdicts_on_true_costs_are_right():
    from validity import judged

    world, costs = made_up({"a/a": "none", "a/b": "none", "b/a": "local", "b/b": "none"})
    assert costs["a/a"]["t-label"] == pytest.approx(-100 * 0.25 * 0.995 / 1.25)  # a quarter of the variance, voted away
    assert costs["b/a"]["none"] == pytest.approx(100 * 0.01 * 0.999 / (1 + 0.01 * 0.001))
    of = {block["verdict"].block: block for block in judged(world, "12")}
    assert [of[block]["true"] for block in PLANTED] == [True, False, False, False]
    assert [of[block]["verdict"].matters for block in ("a/a", "a/b", "b/b")] == [True, False, False]
    assert of["b/a"]["verdict"].matters is not True
    assert (of["a/a"]["verdict"].better, of["a/a"]["verdict"].best) == ("t-label", "t-label")


def test_what_is_just_negligible_is_hardly_ever_said_to_matter():
    from validity import simulated

    rng = np.random.default_rng(1)
    rates = [
        np.mean([simulated(rng, effect, 5, 40, (0.2, 1.0)) is True for _ in range(60)]) for effect in (0.0, 1.0, 5.0)
    ]
    assert rates[0] == 0.0
    assert rates[1] <= 0.12, "5 % are allowed"
    assert rates[2] >= 0.95
