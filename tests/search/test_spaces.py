"""Repeats, values, cells, inputs and NNI's hub spaces: mixtures against their definitions, searches from end to end."""

import csv
import itertools

import nni
import nni.nas.hub.pytorch as hub
import nni.nas.nn.pytorch as nas_nn
import pytest
import torch
from nni.nas.experiment import NasExperiment
from nni.nas.space import model_context
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.search import GumbelSearch
from nas_ctx.search.nni.cell import MixedCell
from nas_ctx.search.nni.repeat import MixedRepeat
from tests.search.toy import Regression, run_search, toy_evaluator

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


class Deep(nas_nn.ModelSpace):
    """Up to three layers, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nas_nn.Repeat(lambda i: nn.Sequential(nn.Linear(4, 4), nn.Tanh()), (0, 3), label="depth")
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.layers(x))


class Wide(nas_nn.ModelSpace):
    """Two layers whose widths follow from two choices, a norm, and a kernel size."""

    def __init__(self) -> None:
        super().__init__()
        width, times = nni.choice("width", [2, 4]), nni.choice("times", [1, 2, 3])
        self.first = nas_nn.MutableLinear(4, width)
        self.second = nas_nn.MutableLinear(width, width * times)
        self.norm = nas_nn.MutableLayerNorm(width * times)
        self.head = nas_nn.MutableLinear(width * times, 1)

    def forward(self, x):
        return self.head(self.norm(self.second(self.first(x))))


class Kernels(nas_nn.ModelSpace):
    """A convolution of chosen kernel and width, depthwise after it, on the four numbers as a picture of 2 x 2."""

    def __init__(self) -> None:
        super().__init__()
        kernel, width = nni.choice("kernel", [1, 3]), nni.choice("width", [2, 4])
        self.conv = nas_nn.MutableConv2d(1, width, kernel, padding=kernel // 2, bias=False)
        self.norm = nas_nn.MutableBatchNorm2d(width)
        self.depthwise = nas_nn.MutableConv2d(width, width, 3, padding=1, groups=width)
        self.head = nas_nn.MutableLinear(width * 4, 1)

    def forward(self, x):
        return self.head(self.depthwise(self.norm(self.conv(x.reshape(-1, 1, 2, 2)))).flatten(1))


class Inputs(nas_nn.ModelSpace):
    """A choice of inputs that hands on a list, as one of NNI's reductions does."""

    def __init__(self) -> None:
        super().__init__()
        self.pick = nas_nn.InputChoice(3, n_chosen=1, reduction="none", label="pick")
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.pick([x, 2 * x, x.flip(1)])[0])


class Cells(nas_nn.ModelSpace):
    """A cell whose operations depend on their input, with two slots per node."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nas_nn.Cell(
            {"linear": lambda *_: nn.Linear(4, 4), "tanh": lambda *_: nn.Sequential(nn.Linear(4, 4), nn.Tanh())},
            num_nodes=2,
            num_ops_per_node=2,
            num_predecessors=1,
            label="cell",
        )
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.cell([x]))


def supernet_of(space: type, seed: int = 0):
    torch.manual_seed(seed)
    strategy = GumbelSearch(seed=seed)
    supernet = strategy.mutate_model(space())
    with torch.no_grad():
        for choice in strategy.choices:
            choice.alpha.normal_()
    strategy.choices.sample(0, temperature=1.0)
    return strategy, supernet


def weights(strategy: GumbelSearch, label: str) -> dict:
    choice = strategy.choices[label]
    return {choice.values[index]: weight for index, weight in choice.active()}


def test_a_repeat_is_the_mixture_of_its_prefixes() -> None:
    strategy, supernet = supernet_of(Deep)
    w, outputs = weights(strategy, "depth"), [X]
    for block in supernet.layers.blocks:
        outputs.append(block(outputs[-1]))
    expected = sum(w[depth] * output for depth, output in enumerate(outputs))
    assert torch.allclose(supernet.train().layers(X), expected, atol=1e-6)


def test_a_repeat_runs_no_block_beyond_its_decided_depth() -> None:
    strategy, supernet = supernet_of(Deep)
    calls: list[int] = []
    for number, block in enumerate(supernet.layers.blocks):
        block.register_forward_hook(lambda *_, number=number: calls.append(number))
    strategy.choices["depth"].decide(1, step=1)
    supernet.train()(X)
    assert calls == [0]
    assert isinstance(supernet.layers, MixedRepeat)
    assert supernet.layers.pruned() == ["blocks.1", "blocks.2"]


def test_a_linear_layer_s_width_is_the_mixture_of_its_prefixes() -> None:
    """A product of choices too: second's width is one choice times another, a joint mixture of six values."""
    strategy, supernet = supernet_of(Wide)
    w, t = weights(strategy, "width"), weights(strategy, "times")
    first, second = supernet.train().first, supernet.second
    hidden = sum(
        w[n] * torch.cat([nn.functional.linear(X, first.weight[:n], first.bias[:n]), torch.zeros(5, 4 - n)], 1)
        for n in (2, 4)
    )
    assert torch.allclose(first(X), hidden, atol=1e-6)
    mask = torch.zeros(12)
    for n, m in itertools.product((2, 4), (1, 2, 3)):
        mask += w[n] * t[m] * (torch.arange(12) < n * m)
    columns = sum(w[n] * (torch.arange(4) < n) for n in (2, 4))
    expected = nn.functional.linear(hidden, second.weight * mask[:, None] * columns, second.bias * mask)
    assert torch.allclose(second(hidden), expected, atol=1e-6)


def test_a_cell_s_node_is_the_sum_over_its_slots_of_inputs_and_operations_by_weight() -> None:
    strategy, supernet = supernet_of(Cells)
    cell = supernet.train().cell
    assert isinstance(cell, MixedCell)
    states = [X]
    for number, node in enumerate((1, 2)):
        total = torch.zeros(5, 4)
        for slot in range(2):
            for source, w in weights(strategy, f"cell/input_{node}_{slot}").items():
                for op, v in weights(strategy, f"cell/op_{node}_{slot}").items():
                    total = total + w * v * cell.edges[number][source][op](states[source])
        states.append(total)
    assert torch.allclose(cell([X]), torch.cat(states[1:], 1), atol=1e-6)
    for choice in strategy.choices:
        choice.decide(0, step=1)
    # Both slots of a node stand at input 0 and "linear"; nothing else can run any more.
    assert cell.pruned() == ["edges.0.0.tanh", "edges.1.0.tanh", "edges.1.1.linear", "edges.1.1.tanh"]


@pytest.mark.parametrize("space", [Deep, Wide, Kernels, Inputs, Cells])
@pytest.mark.parametrize("seed", range(3))
def test_in_evaluation_the_supernet_is_the_frozen_network(space: type, seed: int) -> None:
    """Frozen by NNI, with the supernet's weights; and a network that NNI builds under the sample has the same shape."""
    strategy, supernet = supernet_of(space, seed)
    supernet.train()(X)  # moves running statistics
    strategy.choices.forget()
    sample = {choice.label: choice.sample for choice in strategy.choices}
    frozen = supernet.freeze(sample)
    assert torch.equal(frozen.eval()(X), supernet.eval()(X))
    with model_context(sample):
        fresh = space()
    fresh.load_state_dict(frozen.state_dict(), strict=True)
    assert torch.equal(fresh.eval()(X), frozen(X))


@pytest.mark.parametrize("space", [Deep, Wide, Kernels, Inputs, Cells])
def test_half_decided_supernets_run(space: type) -> None:
    """Some choices sliced to what was decided, others still mixed at full size."""
    strategy, supernet = supernet_of(space)
    for step, choice in enumerate(strategy.choices):
        choice.decide(0, step)
        strategy.choices.sample(step, temperature=1.0)
        output = supernet.train()(X)
        assert output.shape == (5, 1)
        output.sum().backward()


@pytest.mark.parametrize("space", [Deep, Wide, Kernels, Inputs, Cells])
def test_searched_to_the_end_and_every_alpha_moves(space: type, tmp_path) -> None:
    torch.manual_seed(0)
    strategy = GumbelSearch(arch_lr=0.02, seed=1, history=tmp_path / "history.csv")
    run_search(strategy, space(), toy_evaluator(20))
    assert all(choice.alpha.any() for choice in strategy.choices if len(choice.values) > 1)
    assert_history(tmp_path / "history.csv", strategy, 20)


def assert_history(path, strategy: GumbelSearch, steps: int) -> None:
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == steps
    for choice in strategy.choices:
        for row in rows:
            assert sum(float(row[f"{choice.label}={value}"]) for value in choice.values) == pytest.approx(1.0, abs=1e-6)


HUB = {
    "NAS-Bench-201": lambda: hub.NasBench201(stem_out_channels=4, num_modules_per_stack=1),
    "DARTS": lambda: hub.DARTS(width=4, num_cells=3),
    "AutoFormer": lambda: hub.AutoFormer((16, 24), (2.0, 3.0), (1, 2), (2, 3), 32, 8, num_labels=10),
}
LONG = {
    "DARTS, width and depth": lambda: hub.DARTS(width=(4, 8), num_cells=(3, 6)),
    "ENAS": lambda: hub.ENAS(width=4, num_cells=3),
    "NASNet": lambda: hub.NASNet(width=4, num_cells=3),
    "AmoebaNet": lambda: hub.AmoebaNet(width=4, num_cells=3),
    "PNAS": lambda: hub.PNAS(width=4, num_cells=3),
    "MobileNetV3": lambda: hub.MobileNetV3Space(10, base_widths=(8, 8, 8, 8, 16, 16, 16, 16, 32)),
    "ProxylessNAS": lambda: hub.ProxylessNAS(10, base_widths=(8,) * 8 + (16,)),
    "ShuffleNet": lambda: hub.ShuffleNetSpace(10),
    "ShuffleNet, channels": lambda: hub.ShuffleNetSpace(10, channel_search=True),
}
# NNI builds these anew when it freezes them, with fresh weights.
ANEW = {"DARTS", "DARTS, width and depth", "ENAS", "NASNet", "AmoebaNet", "PNAS"}


@pytest.mark.parametrize("name", [*HUB, *(pytest.param(name, marks=pytest.mark.long) for name in LONG)])
def test_hub_spaces(name: str, tmp_path) -> None:
    """Three steps through NNI's experiment: alphas move, and what is exported runs and is a network of the space."""
    torch.manual_seed(0)
    make = (HUB | LONG)[name]
    strategy = GumbelSearch(arch_lr=0.05, seed=1, history=tmp_path / "history.csv")
    experiment = NasExperiment(make(), classification(), strategy)
    experiment.run()
    (sample,) = experiment.export_top_models(formatter="dict")
    (frozen,) = experiment.export_top_models(formatter="instance")
    experiment.stop()

    assert set(sample) == set(make().simplify()) == {choice.label for choice in strategy.choices}
    assert all(choice.alpha.any() for choice in strategy.choices)
    assert_history(tmp_path / "history.csv", strategy, 3)
    images = torch.randn(2, 3, 32, 32)
    logits = frozen.eval()(images)
    assert logits.shape == (2, 10)
    if name not in ANEW:
        assert torch.equal(strategy.supernet.eval()(images), logits)
    with model_context(sample):
        fresh = make()
    # In order, since MobileNetV3 numbers its layers otherwise where it is built without what was not chosen.
    fresh.load_state_dict(dict(zip(fresh.state_dict(), frozen.state_dict().values(), strict=True)))
    assert torch.equal(fresh.eval()(images), logits)


class Classification(Regression):
    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx) -> None:
        self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))


def classification(steps: int = 3):
    data = TensorDataset(torch.randn(8, 3, 32, 32), torch.arange(8))
    evaluator = toy_evaluator(steps, Classification())
    evaluator.train_dataloaders = evaluator.val_dataloaders = DataLoader(data, batch_size=4)
    return evaluator


def test_the_genotype_of_a_search_is_what_nni_exports(tmp_path) -> None:
    torch.manual_seed(0)
    strategy = GumbelSearch(arch_lr=0.1, seed=1)
    run_search(strategy, Cells(), toy_evaluator(30))
    genotype = strategy.genotype(steps=30)
    genotype.save(tmp_path / "genotype.json")
    again = Genotype.load(tmp_path / "genotype.json")
    assert Cells().contains(again.to_nni())
    assert again.meta["steps"] == 30
    assert set(again.meta["decided_at"]) == {choice.label for choice in strategy.choices if choice.decided}
    assert sum(again.meta["probabilities"]["cell/op_1_0"].values()) == pytest.approx(1.0)


def kernel(*sizes: int):
    return nni.choice("which", list(sizes or (3, 5)))


CONVOLUTIONS = {
    "same": lambda: nas_nn.MutableConv2d(4, 3, kernel(1, 3, 5), padding="same", bias=False),
    "same, dilated": lambda: nas_nn.MutableConv2d(4, 3, kernel(), padding="same", dilation=2),
    "half of the kernel": lambda: nas_nn.MutableConv2d(4, 3, kernel(), padding=kernel() // 2),
    "half, stride": lambda: nas_nn.MutableConv2d(4, 3, kernel(1, 5), padding=kernel(1, 5) // 2, stride=2),
    "half, dilated": lambda: nas_nn.MutableConv2d(4, 3, kernel(), padding=kernel() // 2 * 2, dilation=(2, 2)),
    "even": lambda: nas_nn.MutableConv2d(4, 3, kernel(2, 4), padding=kernel(2, 4) // 2),
    "an expression": lambda: nas_nn.MutableConv2d(4, 3, kernel(0, 1) * 2 + 1, padding=kernel(0, 1)),
    "grouped": lambda: nas_nn.MutableConv2d(4, 4, kernel(), padding="same", groups=2),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_kernels_are_mixed_and_trained_as_they_are_exported(name: str) -> None:
    """Against torch: the sum of convolutions by each kernel's part of the weight, and the exported one once decided."""

    class Space(nas_nn.ModelSpace):
        def __init__(self) -> None:
            super().__init__()
            self.layer = CONVOLUTIONS[name]()

        def forward(self, x):
            return self.layer(x)

    strategy, supernet = supernet_of(Space)
    images, expected = torch.randn(2, 4, 11, 12), torch.tensor(0.0)
    strategy.choices.forget()  # NNI freezes copies, which a sample's graph does not allow
    exported = {value: supernet.freeze({"which": value})(images) for value in strategy.choices["which"].values}
    strategy.choices.sample(0, temperature=1.0)
    for value, w in weights(strategy, "which").items():
        with model_context({"which": value}):  # torch's own convolution, with the middle of the largest kernel
            alone = Space()
        size = alone.layer.kernel_size[0]
        cut = (supernet.layer.kernel_size[0] - size) // 2
        part = supernet.layer.weight[:, :, cut : cut + size, cut : cut + size]
        alone.load_state_dict({name: part if "weight" in name else supernet.layer.bias for name in alone.state_dict()})
        assert torch.equal(alone(images), exported[value])
        expected = expected + w * alone(images).detach()
    assert torch.allclose(supernet.train()(images), expected, atol=1e-5)
    strategy.choices.forget()
    for index, output in enumerate(exported.values()):
        strategy.choices["which"].decide(index, step=1)
        assert torch.equal(supernet.train()(images), output)
        assert torch.equal(supernet.eval()(images), output)


class Refused(nas_nn.ModelSpace):
    def __init__(self, make) -> None:
        super().__init__()
        self.layer = make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nas_nn.InputChoice(3, n_chosen=2, label="which"), "layer.*n_chosen must be 1, got 2"),
        (lambda: nas_nn.InputChoice(3, n_chosen=None, label="which"), "n_chosen must be 1, got None"),
        (lambda: nas_nn.MutableDropout(nni.choice("which", [0.1, 0.2])), "layer.*MutableDropout"),
        (lambda: nas_nn.MutableConv2d(1, 1, 3, stride=nni.choice("which", [1, 2])), "stride of MutableConv2d"),
        (lambda: nas_nn.MutableConv2d(1, 1, 3, padding=nni.choice("which", [1, 2])), "padding.*kernel_size"),
        (lambda: nas_nn.MutableConv2d(4, 4, 3, groups=nni.choice("which", [1, 2])), "groups.*in_channels"),
        (lambda: nas_nn.MutableConv2d(1, 1, nni.choice("which", [(1, 3), (3, 1)])), "whole numbers"),
        (lambda: nas_nn.MutableBatchNorm2d(4, eps=nni.choice("which", [0.1, 0.2])), "eps of MutableBatchNorm2d"),
        (lambda: nas_nn.MutableMultiheadAttention(8, nni.choice("which", [1, 2])), "num_heads"),
        (lambda: nas_nn.MutableLinear(1, 1, bias=nni.choice("which", [True, False])), "bias of MutableLinear"),
        (
            lambda: nas_nn.MutableConv2d(1, 1, 3, padding_mode=nni.choice("which", ["zeros", "circular"])),
            "padding_mode",
        ),
        (
            lambda: nas_nn.MutableLayerNorm(4, elementwise_affine=nni.choice("which", [True, False])),
            "elementwise_affine",
        ),
        (lambda: nas_nn.MutableLayerNorm(4, eps=nni.choice("which", [0.1, 0.2])), "eps of MutableLayerNorm"),
        (lambda: nas_nn.MutableConv2d(1, 1, nni.choice("which", [2, 3]), padding="same"), "must be odd where padding"),
        (
            lambda: nas_nn.MutableConv2d(1, 1, nni.choice("which", [1, 3]), padding=1, padding_mode="circular"),
            "kernel_size of MutableConv2d .* padding_mode='circular'",
        ),
        (lambda: nas_nn.MutableDropout(nni.uniform("which", 0, 1)), "Refused.*a Numerical"),
        *(
            (make, "kernel_size of MutableConv2d .* differ in shape .* padding='same'")
            for make in (
                lambda: nas_nn.MutableConv2d(1, 1, kernel(), padding=1),
                lambda: nas_nn.MutableConv2d(1, 1, kernel(), padding=(1, 2)),
                lambda: nas_nn.MutableConv2d(1, 1, kernel()),
                lambda: nas_nn.MutableConv2d(1, 1, kernel(), padding="valid"),
                lambda: nas_nn.MutableConv2d(1, 1, kernel(), padding=kernel()),
                lambda: nas_nn.MutableConv2d(1, 1, kernel(), padding=kernel() // 2, dilation=2),
                lambda: nas_nn.MutableConv2d(1, 1, kernel(2, 3), padding=kernel(2, 3) // 2),
                lambda: nas_nn.MutableConv2d(1, 1, kernel(2, 3), padding=kernel(2, 3) - 1, dilation=2),
            )
        ),
        (lambda: nas_nn.MutableConv2d(1, 1, kernel(), padding=(kernel() // 2, 1)), "padding .* within a tuple"),
        (lambda: nas_nn.MutableConv2d(1, 1, 3, dilation=kernel(1, 2), padding=1), "dilation of MutableConv2d"),
        (lambda: nas_nn.MutableConv2d(4, kernel(4, 8), 3, groups=2), "out_channels .* groups=2"),
        (lambda: nas_nn.MutableConv2d(kernel(4, 8), 4, 3, groups=2), "in_channels .* groups=2"),
        *(
            (lambda kind=kind, options=options: getattr(nas_nn, kind)(*options, kernel(), padding=1), f"layer.*{kind}")
            for kind, options in {
                **dict.fromkeys(("MutableConv1d", "MutableConv3d", "MutableConvTranspose2d"), (1, 1)),
                **dict.fromkeys(("MutableMaxPool1d", "MutableMaxPool2d", "MutableMaxPool3d", "MutableAvgPool2d"), ()),
            }.items()
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name_in_one_line(make, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        GumbelSearch().mutate_model(Refused(make))
    assert str(error.value).startswith("choice 'which' (in ")
    assert "not supported" in str(error.value)  # NNI's own tests look for this
    assert "\n" not in str(error.value)


def test_nas_bench_101_is_refused_since_its_cells_are_bound_by_a_constraint() -> None:
    with pytest.raises(TypeError, match=r"'cell/final'.*NasBench101CellConstraint"):
        GumbelSearch().mutate_model(hub.NasBench101(stem_out_channels=4, num_stacks=1, num_modules_per_stack=1))


def test_an_operation_without_choices_keeps_the_weights_that_it_came_with() -> None:
    class Space(Wide):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sequential(nas_nn.MutableLinear(4, 3), nas_nn.MutableLinear(3, 1))

    space = Space()
    before = space.head[0].weight.clone()
    supernet = GumbelSearch().mutate_model(space)
    assert torch.equal(supernet.head[0].weight, before)
