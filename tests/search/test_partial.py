"""Partial evaluation against all outcomes of its coins, enumerated; elimination against the stop rule by hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import nni.nas.nn.pytorch as nas_nn
import pytest
import torch
from torch import Tensor, nn

from nas_ctx.search import GumbelSearch
from nas_ctx.search.choice import Choice
from nas_ctx.search.choices import Choices
from nas_ctx.search.supernet.layer import MixedLayer, still_gradients
from search_spaces.planted import PlantedSpace, random_world
from tests.search.toy import Regression, Scaled, run_search, toy_evaluator

THRESHOLD = 0.1


def outcomes(choices: Choices, weights: dict[str, Tensor]) -> Iterator[float]:
    """Bring the choices into each state that a step with these weights can draw; yields its probability."""
    coins = [
        (choice, follower, index)
        for choice in choices
        for follower in range(choice.followers)
        for index, weight in enumerate(weights[choice.label])
        if weight < THRESHOLD
    ]
    for kept in itertools.product((False, True), repeat=len(coins)):
        scales = {c.label: [[1.0] * len(c.values) for _ in range(c.followers)] for c in choices}
        probability = 1.0
        for (choice, follower, index), keep in zip(coins, kept, strict=True):
            share = float(weights[choice.label][index].detach()) / THRESHOLD
            probability *= share if keep else 1.0 - share
            scales[choice.label][follower][index] = keep / share
        for choice in choices:
            choice.set_active(choice.alpha.softmax(-1), scales[choice.label])
        yield probability


def gradients(model: nn.Module, loss: Tensor, **inputs: Tensor) -> dict[str, Tensor]:
    parameters = {**dict(model.named_parameters()), **inputs}
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    pairs = zip(parameters.items(), found, strict=True)
    return {name: torch.zeros_like(p) if gradient is None else gradient for (name, p), gradient in pairs}


def set_probabilities(choices: Choices, rows: dict[str, list[float]]) -> None:
    for choice in choices:
        choice.alpha.data = torch.tensor(rows[choice.label], dtype=torch.float64).log()


def candidate() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Tanh())


class Chain(nn.Module):
    """Layers one after another and side by side; the first, the third and one within a candidate share a choice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.choices = Choices({"a": Choice("a", [0, 1, 2]), "b": Choice("b", [0, 1])}, seed=0)
        a, b = self.choices
        layers = [MixedLayer({f"op{n}": candidate() for n in range(len(c.values))}, c) for c in (a, b, a)]
        self.layers = nn.ModuleList(layers)
        self.readout = nn.Linear(3, 1)
        self.double()
        set_probabilities(self.choices, {"a": [0.9, 0.07, 0.03], "b": [0.98, 0.02]})

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.layers
        return self.readout(third(second(first(x)) + x))


def test_every_outcome_has_the_output_of_all_and_together_they_have_its_gradient():
    model, x = Chain(), torch.randn(7, 3, dtype=torch.float64)
    expected_output = model(x)
    expected = gradients(model, expected_output.square().sum())
    weights = {choice.label: choice.alpha.softmax(-1) for choice in model.choices}
    total, probability = {name: torch.zeros_like(g) for name, g in expected.items()}, 0.0
    differing = 0
    for share in outcomes(model.choices, weights):
        output = model(x)
        torch.testing.assert_close(output, expected_output, rtol=1e-13, atol=1e-13)
        found = gradients(model, output.square().sum())
        differing += not torch.allclose(found["layers.0.op0.0.weight"], expected["layers.0.op0.0.weight"])
        probability += share
        for name, gradient in found.items():
            total[name] += share * gradient
    assert probability == pytest.approx(1.0)
    assert differing  # what a candidate passes on to the layers before it is drawn, too
    for name, gradient in expected.items():
        torch.testing.assert_close(total[name], gradient, rtol=1e-12, atol=1e-13, msg=name)


@pytest.mark.parametrize("recompute", [False, True])
def test_in_a_grid_the_gradient_by_alpha_is_exact_and_that_by_weights_is_expected(recompute):
    """Blocks share region features and projections, some of which have a graph and some not."""
    torch.manual_seed(0)
    world = random_world(2, seed=0, size=4)
    strategy = GumbelSearch(seed=0)
    supernet = strategy.mutate_model(PlantedSpace(world, width=2)).double()
    supernet.network.recompute = recompute
    choices = strategy.choices
    kinds = {"none": 0.05, "global": 0.73, "local": 0.12, "t-label": 0.06, "s-label": 0.04}
    rows = {c.label: torch.tensor([kinds[value] for value in c.values]) for c in choices}
    rows["task1/task0"] = torch.full((5,), 0.2)  # one block has no coins
    set_probabilities(choices, {name: (row / row.sum()).tolist() for name, row in rows.items()})
    sample = world.sample(3, torch.Generator().manual_seed(0))
    inputs = {"features": sample.features.double(), "regions": sample.regions.double()}
    for leaf in inputs.values():  # as if a backbone and auxiliary heads came before
        leaf.requires_grad_()

    def loss() -> Tensor:
        return (supernet(tuple(inputs.values())) - sample.labels).square().mean()

    weights = {choice.label: choice.alpha.softmax(-1) for choice in choices}
    for choice in choices:
        choice.set_active(weights[choice.label])
    expected_loss = loss()
    expected = gradients(supernet, expected_loss, **inputs)
    # The type "none" runs nowhere, and makes no difference; the rest are 5 coins.
    weights = {label: torch.where(torch.arange(len(row)) > 0, row, 1.0) for label, row in weights.items()}
    total = {name: torch.zeros_like(g) for name, g in expected.items()}
    alphas = [name for name in expected if name.endswith("alpha")]
    assert len(alphas) == 4
    for share in outcomes(choices, weights):
        found_loss = loss()
        found = gradients(supernet, found_loss, **inputs)
        torch.testing.assert_close(found_loss, expected_loss, rtol=1e-12, atol=0.0)
        for name in alphas:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-9, atol=1e-14, msg=name)
        for name, gradient in found.items():
            total[name] += share * gradient
    for name, gradient in expected.items():
        torch.testing.assert_close(total[name], gradient, rtol=1e-9, atol=1e-14, msg=name)


def test_a_step_draws_each_coin_with_the_share_of_its_weight():
    """Of each layer by itself, and from seed and step alone; what is kept is divided by its share."""
    choice = Choice("c", ["x", "y", "z"])
    choice.alpha.data = torch.tensor([2.0, 0.0, 0.0])
    choices = Choices({"c": choice}, seed=3)
    first, second = choice.follow(), choice.follow()
    kept, excess, deviation, differing = 0, 0.0, 0.0, 0
    for step in range(1500):
        choices.sample(step, 1.0, THRESHOLD)
        drawn = [[choice.gradient_scale(index, layer) for index in range(3)] for layer in (first, second)]
        differing += drawn[0] != drawn[1]
        for index, weight in choice.active():
            share = float(weight.detach()) / THRESHOLD
            for scale in (of_layer[index] for of_layer in drawn):
                if share >= 1.0:
                    assert scale == 1.0
                else:
                    assert scale == 0.0 or scale == pytest.approx(1 / share)
                    kept += scale > 0.0
                    excess += (scale > 0.0) - share
                    deviation += share * (1.0 - share)
    assert kept
    assert differing
    assert abs(excess) < 4 * math.sqrt(deviation)
    again = Choices({"c": choice}, seed=3)
    again.sample(1499, 1.0, THRESHOLD)
    assert [[choice.gradient_scale(index, layer) for index in range(3)] for layer in (first, second)] == drawn
    assert [weight.item() for _, weight in choice.active()] != [1.0, 0.0, 0.0]
    choices.forget()
    assert choice.gradient_scale(1, first) == 1.0


def kept_bytes(model: nn.Module, x: Tensor) -> int:
    """Bytes of the tensors that a forward pass keeps for the backward pass, each storage once."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = model(x)
    assert output.requires_grad
    return sum(storages.values())


def test_a_resting_candidate_keeps_its_output_alone_and_makes_no_gradients():
    wide = [nn.Sequential(*(nn.Sequential(nn.Linear(50, 50, bias=False), nn.Tanh()) for _ in range(6))) for _ in "abc"]
    choice = Choice("c", list("abc"))
    layer = MixedLayer(dict(zip("abc", wide, strict=True)), choice)
    x = torch.randn(200, 50)
    sizes = {}
    for name, scales in {"all": [1.0, 1.0, 1.0], "one": [1.0, 0.0, 0.0]}.items():
        choice.set_active(torch.full((3,), 1 / 3) + 0.0 * choice.alpha, [scales])
        assert len(layer.active_candidates) == 3
        assert len(layer.resting_candidates) == scales.count(0.0)
        sizes[name] = kept_bytes(layer, x)
    one_map, one_weight = x.nbytes, 50 * 50 * 4
    assert sizes["all"] - sizes["one"] >= 2 * 5 * (one_map + one_weight)
    layer(x).sum().backward()
    assert [any(p.grad is not None for p in layer[name].parameters()) for name in "abc"] == [True, False, False]
    assert choice.alpha.grad.abs().sum() >= 0.0


def test_resting_candidates_keep_their_momentum_and_decay():
    choice = Choice("c", ["x", "y"])
    layer = MixedLayer({"x": nn.Linear(2, 2), "y": nn.Linear(2, 2)}, choice)
    layer["y"].bias.requires_grad_(False)
    sgd = torch.optim.SGD([p for p in layer.parameters() if p.requires_grad], lr=0.1, momentum=0.5, weight_decay=0.1)
    weight = layer["y"].weight
    expected, velocity = weight.detach().clone(), torch.zeros(2, 2)
    for scales in ([1.0, 1.0], [1.0, 0.0], [1.0, 0.0]):
        choice.set_active(choice.alpha.softmax(-1), [scales])
        sgd.zero_grad()
        layer(torch.ones(1, 2)).sum().backward()
        still_gradients(layer)
        gradient = (0.5 if scales[1] else 0.0) + 0.1 * expected
        velocity = 0.5 * velocity + gradient
        expected = expected - 0.1 * velocity
        sgd.step()
        torch.testing.assert_close(weight.detach(), expected)
    assert layer["y"].bias.grad is None


def test_candidates_fall_one_by_one_and_stay_out():
    choices = Choices({name: Choice(name, ["a", "b", "c"]) for name in ("left", "right", "clear")}, seed=0)
    alphas = {"left": [1.0, 0.9, -0.5], "right": [0.1, 0.0, 0.2], "clear": [3.0, 0.0, 0.0]}
    for choice in choices:
        choice.alpha.data = torch.tensor(alphas[choice.label])
    probabilities = {name: torch.tensor(row).softmax(-1) for name, row in alphas.items()}
    trails = {name: [bool(row.max() - p > 0.3) for p in row] for name, row in probabilities.items()}
    assert trails == {"left": [False, False, True], "right": [False] * 3, "clear": [False, True, True]}
    assert [decision.label for decision in choices.decide(0.3, step=1)] == ["clear"]
    assert choices.eliminate(0.3) == [("left", "c")]
    assert choices.eliminate(0.3) == []

    left = choices["left"]
    assert choices.distributions()["left"]["c"] == 0.0
    torch.testing.assert_close(choices.probabilities()[0, :2], torch.tensor([1.0, 0.9]).softmax(-1))
    layer = MixedLayer({name: nn.Linear(2, 2) for name in "abc"}, left)
    choices.sample(0, 0.5)
    assert layer.active_candidates == [layer["a"], layer["b"]]
    assert layer.pruned() == ["c"]

    adam = torch.optim.Adam([choice.alpha for choice in choices], lr=0.1)
    (layer(torch.ones(1, 2)).sum() + choices.mean_entropy()).backward()
    adam.step()
    assert left.alpha[2] == -torch.inf
    assert left.alpha.isfinite().tolist() == [True, True, False]

    resumed = Choice("left", ["a", "b", "c"])
    resumed.load_state_dict(left.state_dict(), strict=True)
    assert resumed.possible == [0, 1]
    assert [index for index, _ in resumed.active()] == [0, 1]


class Uneven(nas_nn.ModelSpace):
    """The candidates of one layer differ in cost, which matters to the other; the dear one is of no use."""

    def __init__(self) -> None:
        super().__init__()
        dear = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)), Scaled(0.0))
        self.first = nas_nn.LayerChoice({"linear": nn.Linear(4, 4), "dear": dear, "dead": Scaled(0.0)}, label="first")
        self.second = nas_nn.LayerChoice([nn.Linear(4, 4) for _ in range(5)], label="second")
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(x)))


@pytest.mark.parametrize(
    "settings",
    [
        {"evaluate": "partial", "partial_threshold": 0.3, "stop_margin": None},
        {"evaluate": "all", "eliminate_margin": 0.06},
    ],
    ids=["partial", "eliminating"],
)
def test_a_search_resumes_to_the_last_digit(tmp_path, settings):
    from pytorch_lightning.callbacks import ModelCheckpoint

    def search(**options) -> GumbelSearch:
        torch.manual_seed(4)
        strategy = GumbelSearch(arch_lr=0.01, seed=1, resource_weight=3.0, **settings)
        saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_epochs=1, save_top_k=-1)
        evaluator = toy_evaluator(32, Regression(), callbacks=[saver], enable_checkpointing=True, **options)
        run_search(strategy, Uneven(), evaluator)
        return strategy

    whole = search()
    state = torch.load(tmp_path / "step=16.ckpt", weights_only=True)["state_dict"]
    saved = {name.partition("model.")[2]: value for name, value in state.items()}
    assert saved["second.architecture.state"][0] < 0, "all was decided by then"
    assert saved["first.architecture.alpha"][1].isinf() == ("eliminate_margin" in settings)
    again = search(fit_kwargs={"ckpt_path": str(tmp_path / "step=16.ckpt")})
    for (name, ours), theirs in zip(again._model.state_dict().items(), whole._model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
