"""What every task must satisfy, whatever it predicts. A new task adds one line to ``cases.CASES``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from nas_ctx.tasks import TASKS, make_tasks
from tests.tasks.cases import CASES, Case, ignore


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def losses_of(case: Case):
    """The two losses, each with the logits that it takes."""
    return [(case.task.loss, case.logits), (case.task.auxiliary_loss, case.auxiliary)]


def test_every_registered_task_has_a_case():
    assert {case.task.name for case in CASES.values()} == {
        n for n, k in TASKS.items() if k.__module__.startswith("nas_ctx.")
    }


def test_attributes_are_complete(case):
    task = case.task
    assert TASKS[task.name] is type(task)
    assert task.weight > 0
    assert task.channels >= 1
    assert task.regions >= 2
    assert task.higher_is_better is (case.best == 1.0)


def test_losses_are_finite_scalars_with_right_gradients(case):
    label = case.label((1, 3, 4), ignored=0.2)
    for loss, draw in losses_of(case):
        logits = draw(label).double().requires_grad_()
        value = loss(logits, label)
        assert value.ndim == 0
        assert torch.isfinite(value)
        assert value > 0
        assert gradcheck(lambda x, loss=loss: loss(x, label), logits, fast_mode=True, eps=1e-6, atol=1e-5)


def test_ignored_pixels_do_not_matter_to_losses(case):
    label = case.label(ignored=0.3)
    ignored = case.task.partition(label) == 255
    assert ignored.any()
    for loss, draw in losses_of(case):
        logits = draw(label).requires_grad_()
        elsewhere = torch.where(ignored.unsqueeze(1), draw(label, seed=1) * 50, logits.detach())
        (gradient,) = torch.autograd.grad(loss(logits, label), logits)
        torch.testing.assert_close(loss(elsewhere, label), loss(logits, label))
        assert gradient.movedim(1, -1)[ignored].abs().max() == 0
        assert gradient.abs().max() > 0


def test_ignored_pixels_do_not_matter_to_metrics(case):
    label = case.label(ignored=0.3)
    ignored = case.task.partition(label) == 255
    prediction = case.task.predict(case.logits(label))
    other = case.task.predict(case.logits(label, seed=1))
    mask = ignored if prediction.ndim == 3 else ignored.unsqueeze(1)
    scores = [score(case, torch.where(mask, p, prediction), label) for p in (prediction, other)]
    assert scores[0] == scores[1]


def test_valid_pixels_do_matter(case):
    label = case.label(ignored=0.3)
    scores = [score(case, case.task.predict(case.logits(label, seed=seed)), label) for seed in (0, 1)]
    assert scores[0] != scores[1]


def test_batch_without_a_valid_pixel_costs_nothing(case):
    label = case.label()
    label = ignore(label, torch.ones(len(label), *label.shape[-2:], dtype=torch.bool))
    for loss, draw in losses_of(case):
        logits = draw(label).requires_grad_()
        value = loss(logits, label)
        value.backward()
        assert value.item() == 0
        assert logits.grad.abs().max() == 0
    score(case, case.task.predict(case.logits(label)), label)  # must not raise


def test_zero_logits_give_finite_gradients(case):
    label = case.label()
    for loss, draw in losses_of(case):
        logits = torch.zeros_like(draw(label)).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(logits, label), logits)
        assert torch.isfinite(gradient).all()


def test_perfect_prediction_gives_the_best_score(case):
    label = case.label((2, 12, 14), ignored=0.1)
    logits = case.perfect(case.task, label)
    assert score(case, case.task.predict(logits), label) == pytest.approx(case.best, abs=2e-3)
    worse = case.logits(label)
    assert case.task.loss(logits, label) < case.task.loss(worse, label)


def test_partition_is_in_range_and_keeps_ignored_pixels(case):
    label = case.label(ignored=0.3)
    regions = case.task.partition(label)
    where = label == 255 if label.ndim == 3 else (label == 255).all(1)
    assert regions.dtype == torch.long
    assert regions.shape == (len(label), *label.shape[-2:])
    assert torch.equal(regions == 255, where)
    assert regions[~where].min() >= 0
    assert regions[~where].max() < case.task.regions


def test_prediction_has_the_layout_of_the_label(case):
    label = case.label()
    prediction = case.task.predict(case.logits(label))
    assert prediction.shape == label.shape
    assert prediction.is_floating_point() or prediction.dtype == torch.long


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits(case, dtype):
    label = case.label((2, 40, 50), ignored=0.2)
    for loss, draw in losses_of(case):
        logits = draw(label).to(dtype).requires_grad_()
        value = loss(logits, label)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, loss(logits.detach().float(), label))
        value.backward()
        assert torch.isfinite(logits.grad).all()
    prediction = case.task.predict(case.logits(label).to(dtype))
    assert prediction.dtype in (torch.float32, torch.long)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_gpu_gives_what_the_cpu_gives(case):
    label = case.label((2, 40, 50), ignored=0.2)
    there = label.cuda()
    for loss, draw in losses_of(case):
        torch.testing.assert_close(
            loss(draw(label).cuda(), there).cpu(), loss(draw(label), label), rtol=1e-4, atol=1e-5
        )
    metric = case.task.metric().cuda()
    metric.update(case.task.predict(case.logits(label).cuda()), there)
    expected = score(case, case.task.predict(case.logits(label)), label)
    assert metric.compute()[case.task.metric_name].item() == pytest.approx(expected, rel=1e-3)
    assert torch.equal(case.task.partition(there).cpu(), case.task.partition(label))


def test_pooled_score_does_not_depend_on_batches(case):
    label = case.label((6, 12, 14), ignored=0.2)
    prediction = case.task.predict(case.logits(label))
    whole, halves = case.task.metric(), [case.task.metric(), case.task.metric()]
    whole.update(prediction, label)
    for metric, places in zip(halves, ([0, 1, 2, 3], [4, 5]), strict=True):
        for place in places:
            metric.update(prediction[place : place + 1], label[place : place + 1])
    halves[0].merge_state(halves[1])  # what happens to the states of two processes
    assert halves[0].compute().keys() == whole.compute().keys()
    for name, value in whole.compute().items():
        torch.testing.assert_close(halves[0].compute()[name], value, rtol=1e-12, atol=1e-12)


def test_metric_knows_its_direction_and_starts_afresh(case):
    metric = case.task.metric()
    assert metric.higher_is_better is case.task.higher_is_better
    assert metric is not case.task.metric()
    label = case.label()
    metric.update(case.task.predict(case.logits(label)), label)
    metric.reset()
    metric.update(case.task.predict(case.perfect(case.task, label)), label)
    assert metric.compute()[case.task.metric_name].item() == pytest.approx(case.best, abs=2e-3)


def test_render_of_labels_and_predictions(case):
    label = case.label(ignored=0.2)
    pictures = []
    for values in (label, case.task.predict(case.logits(label))):
        array = values[0].numpy()
        array = array.transpose(1, 2, 0) if array.shape[0] == 3 and array.ndim == 3 else array.reshape(12, 14)
        picture = case.task.render(array)
        assert picture.shape == (12, 14, 3)
        assert picture.dtype == np.uint8
        pictures.append(picture)
    ignored = (case.task.partition(label) == 255)[0].numpy()
    assert len(np.unique(pictures[0][ignored], axis=0)) == 1
    assert len(np.unique(pictures[0][~ignored], axis=0)) > 1


def test_flipping_twice_changes_nothing(case):
    raw = case.raw(case.task, case.label()[0])
    once = case.task.flip(raw[:, ::-1])
    np.testing.assert_array_equal(case.task.flip(once[:, ::-1]), raw)


def test_scaling_back_changes_nothing(case):
    raw = case.raw(case.task, case.label()[0])
    np.testing.assert_allclose(case.task.scale(case.task.scale(raw, 1.7), 1 / 1.7), raw, rtol=1e-6)


def test_label_on_its_way_into_a_batch(case):
    label = case.label()[0]
    raw = case.raw(case.task, label)
    padding = ((1, 1), (2, 2), (0, 0))[: raw.ndim]
    padded = np.pad(raw, padding, constant_values=case.task.pad_value)
    tensor = case.task.to_tensor(case.task.mark_ignore(padded))
    assert tensor.dtype == label.dtype
    assert tensor.shape == (*label.shape[:-2], 14, 18)
    torch.testing.assert_close(tensor[..., 1:-1, 2:-2], label)
    assert (tensor[..., 0, :] == 255).all()
    assert (tensor[..., :, :2] == 255).all()
    assert torch.isfinite(case.task.loss(case.logits(tensor[None]), tensor[None]))


def test_unknown_options_are_refused_with_the_known_ones(case):
    with pytest.raises(ValueError, match=rf"tasks\.{case.task.name}\.wieght: unknown option; known: .*weight"):
        make_tasks({case.task.name: {"wieght": 1}})
    for value in (0, -1, "1", True, float("nan")):
        with pytest.raises(ValueError, match=rf"tasks\.{case.task.name}\.weight: .*expected a number above 0"):
            make_tasks({case.task.name: {"weight": value}})


def score(case: Case, prediction: torch.Tensor, label: torch.Tensor) -> float:
    metric = case.task.metric()
    metric.update(prediction, label)
    return metric.compute()[case.task.metric_name].item()
