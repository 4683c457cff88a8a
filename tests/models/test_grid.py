"""The grid, whose blocks share computations, against the straightforward formulation, block by block."""

import copy

import pytest
import torch
from torch import nn

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.contexts import CONTEXTS, candidates, sharing
from nas_ctx.contexts.attention import region_map
from nas_ctx.models.grid import ContextGrid
from tests.reference import straightforward

TASKS = ["semseg", "depth", "edge"]
REGIONS = {"semseg": 4, "depth": 7, "edge": 2}


class Mixture(nn.Module):
    """All candidates of a block, mixed by fixed weights, as a supernet layer does."""

    def __init__(self, target, source, in_channels, channels):
        super().__init__()
        names = candidates(target, source, CONTEXT_NAMES)
        self.candidates = nn.ModuleDict({n: CONTEXTS[n](in_channels, channels, affine=False) for n in names})
        self.weights = nn.Parameter(torch.rand(len(names)))

    @property
    def active_candidates(self):
        return list(self.candidates.values())

    def forward(self, inputs):
        return sum(w * candidate(inputs) for candidate, w in zip(self.candidates.values(), self.weights, strict=True))


def make_grid(make_block=Mixture, dtype=torch.float64, **options):
    torch.manual_seed(0)
    grid = ContextGrid(TASKS, 6, make_block, 0.0, **options).double()
    for name, parameter in grid.named_parameters():
        if "norm" in name:
            nn.init.uniform_(parameter, 0.5, 1.5)
    return grid.to(dtype)


def make_inputs(dtype=torch.float64, size=(7, 10)):
    generator = torch.Generator().manual_seed(1)

    def random(channels):
        return torch.randn(2, channels, *size, generator=generator, dtype=torch.float64).to(dtype)

    return {t: random(6).requires_grad_() for t in TASKS}, {t: random(REGIONS[t]).requires_grad_() for t in TASKS}


def plainly(grid, features, regions):
    weights = {label: dict(zip(block.candidates, block.weights, strict=True)) for label, block in grid.blocks.items()}
    return straightforward.grid(
        grid, {label: block.candidates for label, block in grid.blocks.items()}, weights, features, regions
    )


def run(grid, forward):
    """Outputs, gradients and the state after one step."""
    features, logits = make_inputs(next(grid.parameters()).dtype)
    output = forward(grid, features, {task: region_map(x) for task, x in logits.items()})
    loss = sum((x * torch.linspace(0, 1, x.numel(), dtype=x.dtype).view_as(x)).sum() for x in output.values())
    loss.backward()
    leaves = {**{f"features.{t}": x for t, x in features.items()}, **{f"logits.{t}": x for t, x in logits.items()}}
    gradients = {name: x.grad for name, x in {**leaves, **dict(grid.named_parameters())}.items()}
    gradients = {name: gradient for name, gradient in gradients.items() if gradient is not None}
    output = {task: x.detach() for task, x in output.items()}
    return {**output, **gradients, **{f"state.{key}": value for key, value in grid.state_dict().items()}}


def assert_equal(ours, expected, tolerance=1e-9):
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(ours[name], value, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("small", [sharing.SMALL, 0], ids=["small maps", "large maps"])
def test_equals_the_straightforward_formulation(monkeypatch, training, small):
    monkeypatch.setattr(sharing, "SMALL", small)
    grid = make_grid().train(training)
    other = copy.deepcopy(grid)
    assert_equal(run(grid, lambda g, *x: g(*x)), run(other, plainly))


def test_equals_the_straightforward_formulation_in_single_precision(monkeypatch):
    monkeypatch.setattr(sharing, "SMALL", 0)
    grid = make_grid(dtype=torch.float32)
    exact = run(make_grid(), plainly)
    ours = run(grid, lambda g, *x: g(*x))
    for task in TASKS:
        torch.testing.assert_close(ours[task].double(), exact[task], rtol=1e-4, atol=1e-4)


def kept_for_the_backward_pass(grid):
    """Bytes of all tensors that the graph of a forward pass holds."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    features, logits = make_inputs(size=(16, 24))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = grid(features, {task: region_map(x) for task, x in logits.items()})
    assert output
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("small", [sharing.SMALL, 0], ids=["small maps", "large maps"])
def test_computing_again_changes_nothing_but_memory(monkeypatch, small):
    monkeypatch.setattr(sharing, "SMALL", small)
    grid, other = make_grid(), make_grid(recompute=True)
    assert kept_for_the_backward_pass(make_grid(recompute=True)) < kept_for_the_backward_pass(make_grid()) / 4
    assert_equal(run(other, lambda g, *x: g(*x)), run(grid, lambda g, *x: g(*x)), tolerance=1e-12)


def test_synchronised_norms_change_nothing_in_one_process(monkeypatch):
    """They take the way of the straightforward formulation: the operation for whole stacks knows plain norms only."""
    monkeypatch.setattr(sharing, "SMALL", 0)
    grid = make_grid()
    other = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(grid))
    assert_equal(run(other, lambda g, *x: g(*x)), run(grid, lambda g, *x: g(*x)))


def test_computing_again_meets_the_same_dropout():
    outcomes = []
    for recompute in (False, True):
        grid = make_grid(recompute=recompute)
        for part in grid.modules():
            if isinstance(part, nn.Dropout2d):
                part.p = 0.5
        torch.manual_seed(3)
        outcomes.append(run(grid, lambda g, *x: g(*x)))
    assert_equal(*outcomes, tolerance=1e-12)


def test_autocast(monkeypatch):
    monkeypatch.setattr(sharing, "SMALL", 0)
    grid = make_grid(dtype=torch.float32)
    exact = run(grid, lambda g, *x: g(*x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = run(make_grid(dtype=torch.float32), lambda g, *x: g(*x))
    assert ours.keys() == exact.keys()
    both = [torch.cat([x.flatten().float() for x in outcome.values()]) for outcome in (ours, exact)]
    assert (both[0] - both[1]).norm() < 0.05 * both[1].norm()


def test_channels_last_features():
    grid = make_grid().eval()
    features, logits = make_inputs()
    regions = {task: region_map(x) for task, x in logits.items()}
    expected = grid(features, regions)
    last = grid({t: x.contiguous(memory_format=torch.channels_last) for t, x in features.items()}, regions)
    for task in TASKS:
        torch.testing.assert_close(last[task], expected[task])


def test_moments_and_region_features_are_computed_once(monkeypatch):
    """Counted: the moments of each map, and as many region features as pairs of region map and source exist."""
    calls = {name: [] for name in ("_centred", "region_features")}
    for name, found in calls.items():
        original = getattr(sharing, name)
        monkeypatch.setattr(sharing, name, lambda *x, o=original, found=found: found.append(x) or o(*x))
    monkeypatch.setattr(sharing, "SMALL", 0)
    grid = make_grid()
    features, logits = make_inputs()
    grid(features, {task: region_map(x) for task, x in logits.items()})
    pairs = len(TASKS) ** 2
    assert [len(found) for found in calls.values()] == [len(TASKS) + pairs, pairs]


def test_a_watched_candidate_computes_everything_itself():
    """A hook on a candidate, such as a counter of operations, sees all of its work; results do not change."""
    grid, other = make_grid(), make_grid()
    seen = []
    watched = grid.blocks["depth/edge"].candidates["s-label"]
    watched.query[1].conv.register_forward_hook(lambda *_: seen.append(1))
    assert_equal(run(grid, lambda g, *x: g(*x)), run(other, lambda g, *x: g(*x)))
    assert seen == [1]


class OwnContext(nn.Module):
    """A user's context: it reads plain tensors and knows nothing of sharing."""

    def __init__(self, in_channels, channels):
        super().__init__()
        self.layer = nn.Conv2d(in_channels, channels, 1)

    def forward(self, inputs):
        return self.layer(inputs.source) * inputs.target.mean() + inputs.target_regions.sum()


class OwnProjection(CONTEXTS["local"]):
    """A user's variation of a context: a projection that is no stack of Conv-BN-ReLU layers."""

    def __init__(self, in_channels, channels):
        super().__init__(in_channels, channels)
        self.value = nn.Conv2d(in_channels, channels, 1)


@pytest.mark.parametrize("own", [OwnContext, OwnProjection])
def test_own_contexts_work_among_the_others(own):
    def make_block(target, source, in_channels, channels):
        return own(in_channels, channels) if target == "depth" else CONTEXTS["local"](in_channels, channels)

    outcome = run(make_grid(make_block), lambda g, *x: g(*x))
    assert all(value.isfinite().all() for value in outcome.values())
    assert "blocks.depth/depth.layer.weight" in outcome or "blocks.depth/depth.value.weight" in outcome
