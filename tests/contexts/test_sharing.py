"""A stack of projections as one operation against the same stack called as a module."""

import copy

import pytest
import torch
from torch import nn

from nas_ctx.contexts import sharing
from nas_ctx.contexts.projection import projection
from nas_ctx.contexts.sharing import Shared

STACKS = {
    "two layers": lambda: projection(6, 3, layers=2),
    "without scale": lambda: projection(6, 3, layers=1, affine=False),
    "softplus": lambda: projection(6, 3, layers=2, activation=nn.Softplus),
    "three layers": lambda: projection(6, 4, layers=3, affine=False),
}


@pytest.fixture(autouse=True)
def no_map_is_small(monkeypatch):
    monkeypatch.setattr(sharing, "SMALL", 0)


def make_stack(kind):
    torch.manual_seed(0)
    stack = STACKS[kind]().double()
    for name, parameter in stack.named_parameters():
        if "norm" in name:
            nn.init.uniform_(parameter, 0.5, 1.5)
    return stack


def as_module(stack, features):
    return stack(features)


def as_one(stack, features):
    return Shared().project(stack, features)


def outcome(stack, project, steps=3):
    """Output and gradients of the last of some steps, and the norms' state after it."""
    for step in range(steps):
        torch.manual_seed(step)
        features = (torch.randn(2, 6, 5, 7, dtype=torch.float64) + torch.randn(6, 1, 1)).requires_grad_()
        output = project(stack, features)
        stack.zero_grad()
        (output * torch.randn_like(output)).sum().backward()
    state = [x.double() for x in stack.state_dict().values()]
    return [output.detach(), *state], [features.grad, *(x.grad for x in stack.parameters())]


def largest_error(found, true):
    return max(float((ours - exact).abs().max() / exact.abs().max()) for ours, exact in zip(found, true, strict=True))


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize("training", [True, False])
def test_equals_the_module(kind, training):
    stack = make_stack(kind).train(training)
    outputs, gradients = outcome(copy.deepcopy(stack), as_one)
    exact_outputs, exact_gradients = outcome(stack, as_module)
    assert largest_error(outputs, exact_outputs) < 1e-12
    assert largest_error(gradients, exact_gradients) < 1e-9


@pytest.mark.parametrize("options", [{"momentum": None}, {"track_running_stats": False}], ids=["mean", "none"])
def test_other_running_statistics(options):
    stack = make_stack("two layers")
    for name, value in options.items():
        setattr(stack[0].norm, name, value)
    ours, exact = outcome(copy.deepcopy(stack), as_one), outcome(stack, as_module)
    assert largest_error(ours[0], exact[0]) < 1e-12


@pytest.mark.parametrize("mean", [1, 10, 100, 1000])
def test_large_means_cost_no_more_digits_than_in_batch_norm(mean):
    """In single precision, features that lie many deviations from zero: no error beyond PyTorch's own."""
    torch.manual_seed(0)
    stack = projection(32, 16, layers=2)
    nn.init.constant_(stack[0].norm.bias, mean)  # the same between the layers
    features = torch.randn(2, 32, 20, 30) + mean

    def errors(project):
        results = []
        for dtype, by in ((torch.float32, project), (torch.float64, as_module)):
            x, made = features.to(dtype, copy=True).requires_grad_(), copy.deepcopy(stack).to(dtype)
            y = by(made, x)
            weights = [layer.conv.weight for layer in made]  # the gradients of some norms vanish
            results.append([y.detach(), *torch.autograd.grad(y.square().sum(), [x, *weights])])
        ours, exact = results
        return [float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, exact, strict=True)]

    for found, theirs in zip(errors(as_one), errors(as_module), strict=True):
        assert found < 2 * theirs + 1e-5


def exchanged_part(stack):
    stack[1].activation = nn.GELU()
    return stack


def partly_frozen(stack):
    stack[0].norm.eval()
    return stack


OTHERS = {
    "a layer": lambda: nn.Sequential(nn.Conv2d(6, 3, 1), nn.BatchNorm2d(3), nn.ReLU()),
    "gelu": lambda: exchanged_part(projection(6, 3, layers=2)),
    "partly frozen": lambda: partly_frozen(projection(6, 3, layers=2)),
    "synchronised norm": lambda: nn.SyncBatchNorm.convert_sync_batchnorm(projection(6, 3, layers=1)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_stacks_are_called(kind):
    stack, features = OTHERS[kind](), torch.randn(2, 6, 4, 4)
    assert torch.equal(as_one(copy.deepcopy(stack), features), stack(features))


def test_what_was_computed_without_a_graph_is_not_taken_for_one_with(monkeypatch):
    """A candidate that is evaluated without a graph, and another that reads the same map and learns."""
    features = torch.randn(2, 6, 4, 4, requires_grad=True)
    regions = torch.rand(2, 5, 4, 4)
    shared, stack = Shared(), projection(6, 3, layers=1)
    with torch.no_grad():
        assert not shared.region_features(regions, features).requires_grad
        assert not shared.project(stack, features).requires_grad
    assert shared.region_features(regions, features).requires_grad
    assert shared.project(stack, features).requires_grad


def test_the_mean_of_a_map_is_taken_once_with_a_graph_and_without(monkeypatch):
    calls = []
    monkeypatch.setattr(sharing, "_centred", lambda x, made=sharing._centred: calls.append(x) or made(x))
    stack, shared, features = make_stack("two layers"), Shared(), torch.randn(2, 6, 5, 7, dtype=torch.float64)
    with torch.no_grad():
        shared.project(stack, features)
    assert shared.project(stack, features).requires_grad
    assert len(calls) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", STACKS)
def test_narrow_dtypes_in_training(dtype, kind):
    stack = make_stack(kind).float()
    features = torch.randn(2, 6, 9, 9)
    exact = as_one(stack, features)
    narrow = as_one(copy.deepcopy(stack).to(dtype), features.to(dtype))
    assert narrow.dtype == dtype
    assert (narrow - exact).abs().max() < 0.1
    narrow.float().square().sum().backward()
