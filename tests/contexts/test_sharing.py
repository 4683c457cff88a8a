"""Stacks computed together against the same stacks called one by one."""

import copy

import pytest
import torch
from torch import nn

from nas_ctx.contexts.projection import conv_norm, projection
from nas_ctx.contexts.sharing import project_together


def make_stacks():
    torch.manual_seed(0)
    stacks = nn.ModuleList(
        [
            projection(6, 3, layers=2),
            projection(6, 3, layers=1, affine=False),
            projection(6, 3, layers=2, activation=nn.Softplus),
            projection(6, 4, layers=3, affine=False),
            projection(6, 3, layers=2),
            projection(6, 3, layers=1),
        ]
    ).double()
    stacks[1][0].norm.momentum = None  # a plain mean over all steps
    stacks[4][0].norm.track_running_stats = False
    with torch.no_grad():
        for name, parameter in stacks.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.5, 1.5)
    return stacks


def outcome(stacks, project, steps=3):
    """Outputs and gradients of the last of some steps, and the norms' state after it."""
    for step in range(steps):
        torch.manual_seed(step)
        features = (torch.randn(2, 6, 5, 7, dtype=torch.float64) + torch.randn(6, 1, 1)).requires_grad_()
        outputs = project(stacks, features)
        stacks.zero_grad()
        sum((x * torch.randn_like(x)).sum() for x in outputs).backward()
    return [*outputs, features.grad, *(x.grad for x in stacks.parameters()), *stacks.state_dict().values()]


def one_by_one(stacks, features):
    return [stack(features) for stack in stacks]


def together(stacks, features):
    found = project_together([(stack, features) for stack in stacks])
    assert len(found) == len(stacks)
    return [found[stack] for stack in stacks]


@pytest.mark.parametrize("training", [True, False])
def test_equals_calling_each_stack(training):
    stacks = make_stacks().train(training)
    outcome(stacks, one_by_one)  # running statistics away from their start
    other = copy.deepcopy(stacks)
    for ours, plain in zip(outcome(stacks, together), outcome(other, one_by_one), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
def test_stacks_that_read_different_maps(training):
    stacks = make_stacks().train(training)
    features = [torch.randn(2, 6, 5, 1, dtype=torch.float64, requires_grad=True) for _ in stacks]
    other = copy.deepcopy(stacks)
    found = project_together(list(zip(stacks, features, strict=True)))
    for stack, plain, x in zip(stacks, other, features, strict=True):
        expected = plain(x)
        torch.testing.assert_close(found[stack], expected, rtol=1e-9, atol=1e-9)
        (gradient,) = torch.autograd.grad(expected.square().sum(), x)
        (ours,) = torch.autograd.grad(found[stack].square().sum(), x, retain_graph=True)
        torch.testing.assert_close(ours, gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mean", [1, 10, 100, 1000])
def test_large_means_cost_no_more_digits_than_in_batch_norm(mean):
    """In single precision, features that lie many deviations from zero: no error beyond PyTorch's own."""
    torch.manual_seed(0)
    stack = projection(32, 16, layers=2)
    features = torch.randn(2, 32, 20, 30) + mean

    def outcome(stack, x, project):
        x = x.clone().requires_grad_()
        y = project(stack, x)
        return [y, *torch.autograd.grad(y.square().sum(), [x, *stack.parameters()])]

    exact, plain, ours = (
        outcome(copy.deepcopy(stack).to(dtype), features.to(dtype), project)
        for dtype, project in (
            (torch.float64, lambda stack, x: stack(x)),
            (torch.float32, lambda stack, x: stack(x)),
            (torch.float32, lambda stack, x: project_together([(stack, x)])[stack]),
        )
    )
    for found, theirs, true in zip(ours, plain, exact, strict=True):
        assert (found - true).abs().max() < 3 * (theirs - true).abs().max() + 2e-5 * true.abs().max()


@pytest.mark.parametrize(
    "other",
    [
        nn.Conv2d(6, 3, 1),
        nn.Sequential(conv_norm(6, 3, kernel=3, activation=nn.ReLU)),
        nn.Sequential(conv_norm(6, 3, activation=nn.GELU)),
        nn.Sequential(conv_norm(6, 3, activation=None)),
        nn.Sequential(nn.Sequential(nn.Conv2d(6, 3, 1), nn.BatchNorm2d(3), nn.ReLU())),
        nn.SyncBatchNorm.convert_sync_batchnorm(projection(6, 3, layers=1)),
    ],
    ids=["conv", "3x3", "gelu", "no activation", "other names", "synchronised norm"],
)
def test_leaves_other_structures_alone(other):
    plain, features = projection(6, 3, layers=1), torch.randn(2, 6, 4, 4)
    assert list(project_together([(other, features), (plain, features)])) == [plain]


def test_leaves_partly_frozen_stacks_alone():
    stack = projection(6, 3, layers=2)
    stack[0].norm.eval()
    assert not project_together([(stack, torch.randn(2, 6, 4, 4))])


def test_a_single_position_is_left_to_batch_norm():
    """It takes one in evaluation and refuses it in training; both are its own business."""
    assert not project_together([(projection(6, 3, layers=1), torch.randn(1, 6, 1, 1))])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_in_training(dtype):
    stacks = make_stacks().float()
    features = torch.randn(2, 6, 9, 9)
    exact = together(stacks, features)
    narrow = together(copy.deepcopy(stacks).to(dtype), features.to(dtype))
    for ours, expected in zip(narrow, exact, strict=True):
        assert ours.dtype == dtype
        assert (ours - expected).abs().max() < 0.1
    sum(x.float().square().sum() for x in narrow).backward()
