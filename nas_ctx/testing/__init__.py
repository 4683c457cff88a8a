"""Checks for custom components: does a context type, task, data set, space or network do what the package relies on?

Each is a plain function for a test in any framework. It returns nothing, or raises :class:`AssertionError` with what
was expected, why, and how to fix it::

    from nas_ctx.testing import check_context

    def test_mean():
        check_context(Mean)

The package's own components are tested by the same functions.
"""

from __future__ import annotations

from nas_ctx.testing.contexts import check_context
from nas_ctx.testing.datasets import check_dataset
from nas_ctx.testing.networks import check_backbone, check_distillation, check_head, check_network
from nas_ctx.testing.spaces import check_space
from nas_ctx.testing.task_case import TaskCase, random_classes
from nas_ctx.testing.tasks import check_task

__all__ = [
    "TaskCase",
    "check_backbone",
    "check_context",
    "check_dataset",
    "check_distillation",
    "check_head",
    "check_network",
    "check_space",
    "check_task",
    "random_classes",
]
