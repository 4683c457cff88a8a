"""Requirements on the metric of every task."""

from __future__ import annotations

import torch

from nas_ctx.testing.messages import Check, close, doing, expect
from nas_ctx.testing.task_case import TaskCase


def a_perfect_prediction_gets_the_best_score(case: TaskCase) -> None:
    if case.perfect_logits is None:
        return
    task, label = case.task, case.label((2, 12, 14), ignored=0.1)
    logits = case.perfect_logits(task, label)
    score, best = case.score(task.predict(logits), label), case.best_score
    direction = "higher" if task.higher_is_better else "lower"
    expect(
        abs(score - best) <= 2e-3,
        f"logits that predict the label score {score:g}: expected {best:g} ({task.metric_name}, {direction} is better)",
    )
    right, wrong = float(task.loss(logits, label)), float(task.loss(case.logits(label), label))
    expect(right < wrong, f"loss: of logits that predict the label {right:g}, of random ones {wrong:g}")


def ignored_pixels_do_not_matter_to_metrics(case: TaskCase) -> None:
    label = case.label(ignored=0.3)
    prediction, other = case.prediction(label), case.prediction(label, seed=1)
    ignored = case.ignored(label)
    mixed = torch.where(ignored if prediction.ndim == 3 else ignored.unsqueeze(1), other, prediction)
    score, same, different = (case.score(p, label) for p in (prediction, mixed, other))
    changes = "the score changes with predictions at ignored pixels (label 255)"
    expect(score == same, f"metric: {changes}, {score:g} and {same:g}: mask them")
    expect(score != different, f"metric: two random predictions have the same score, {score:g}")


def pooled_score_does_not_depend_on_batches(case: TaskCase) -> None:
    label = case.label((6, 12, 14), ignored=0.2)
    prediction = case.prediction(label)
    whole, first, second = (case.task.metric() for _ in range(3))
    whole.update(prediction, label)
    for image in range(6):
        (first if image < 4 else second).update(prediction[image : image + 1], label[image : image + 1])
    hint = (
        "Keep sums and counts as states (add_state(..., dist_reduce_fx='sum')) and divide in compute(): a mean of the "
        "batches' scores changes with the batch size"
    )
    with doing("metric: merging the states of two processes", hint):
        first.merge_state(second)
    pooled, merged = whole.compute(), first.compute()
    expect(pooled.keys() == merged.keys(), "metric: compute() gives other keys for other batches")
    for name, value in pooled.items():
        message = f"metric: {name} of six images one by one in two processes differs from that of one batch. {hint}"
        close(torch.as_tensor(merged[name]), torch.as_tensor(value), message, tolerance=1e-12)


def metric_knows_its_direction_and_starts_afresh(case: TaskCase) -> None:
    task, metric = case.task, case.task.metric()
    directions = f"is {metric.higher_is_better}, the task's is {task.higher_is_better}"
    expect(metric.higher_is_better is task.higher_is_better, f"metric().higher_is_better {directions}")
    expect(metric is not task.metric(), "metric: gives the same object twice: it would mix two validations")
    before, after = case.label(), case.label(seed=1)
    metric.update(case.prediction(before), before)
    metric.reset()
    metric.update(case.prediction(after), after)
    expect(
        float(metric.compute()[task.metric_name]) == case.score(case.prediction(after), after),
        "metric: after reset() it remembers what came before: what it adds up must be states (add_state)",
    )


METRIC_CHECKS: tuple[Check[TaskCase], ...] = (
    a_perfect_prediction_gets_the_best_score,
    ignored_pixels_do_not_matter_to_metrics,
    pooled_score_does_not_depend_on_batches,
    metric_knows_its_direction_and_starts_afresh,
)
