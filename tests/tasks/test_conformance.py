"""Every registered task does what `nas_ctx.testing` asks. A new task adds one line to ``cases.CASES``."""

from __future__ import annotations

import pytest

from nas_ctx.tasks import TASKS, make_tasks
from nas_ctx.testing.messages import run_all
from nas_ctx.testing.task_case import TaskCase
from nas_ctx.testing.tasks import CHECKS
from tests.tasks.cases import CASES


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> TaskCase:
    return CASES[request.param]


def test_every_registered_task_has_a_case():
    assert {case.task.name for case in CASES.values()} == {
        n for n, k in TASKS.items() if k.__module__.startswith("nas_ctx.")
    }


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_does_what_every_task_must(case, check):
    run_all([check], case)


def test_is_registered_under_its_name_and_can_be_perfect(case):
    assert TASKS[case.task.name] is type(case.task)
    assert case.perfect_logits is not None  # else a check would pass without looking
    assert case.task.higher_is_better is (case.best_score == 1.0)


def test_unknown_options_are_refused_with_the_known_ones(case):
    with pytest.raises(ValueError, match=rf"tasks\.{case.task.name}\.wieght: unknown option; known: .*weight"):
        make_tasks({case.task.name: {"wieght": 1}})
    for value in (0, -1, "1", True, float("nan")):
        with pytest.raises(ValueError, match=rf"tasks\.{case.task.name}\.weight: .*expected a number above 0"):
            make_tasks({case.task.name: {"weight": value}})
