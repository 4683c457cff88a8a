"""A search and the networks that come from it compute the same, also where no block of a row gathers anything."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.genotype import Genotype
from nas_ctx.search import GumbelSearch
from nas_ctx.tasks import make_tasks
from nas_ctx.training.networks import build_network, make_backbone
from search_spaces.relational import RelationalSpace
from tests.rooms import tiny_config

BLOCKS = ("semseg/semseg", "semseg/depth", "depth/semseg", "depth/depth")
NORM = ("weight", "bias", "running_mean", "running_var")
GENOTYPES = [
    dict(zip(BLOCKS, choices, strict=True))
    for choices in (
        ("t-label", "global", "s-label", "local"),
        ("none", "none", "s-label", "local"),
        ("none", "global", "none", "none"),
        ("none", "none", "none", "none"),
    )
]


@pytest.fixture(scope="module")
def searched(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that has moved every weight and decided nothing."""
    folder = tmp_path_factory.mktemp("derived") / "search"
    runs.search(tiny_config(rooms, folder, training__lr=0.1, search__stop_margin=None), progress=False)
    return folder


@pytest.fixture
def supernet(rooms: Path, searched: Path) -> tuple[nn.Module, RelationalSpace, GumbelSearch]:
    """The supernet of that search, with its weights; its space; the strategy with its choices."""
    config = tiny_config(rooms, None)
    space = RelationalSpace(make_backbone(config.model), make_tasks(config.tasks))
    strategy = GumbelSearch(seed=0)
    network = strategy.mutate_model(space)
    state = torch.load(searched / "checkpoints" / "step=6.ckpt", weights_only=True)["state_dict"]
    prefix = "training_module._model."
    weights = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    assert not network.load_state_dict(weights, strict=False).missing_keys
    return network, space, strategy


def predicted(network: nn.Module) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return network.double()(torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(1)).double())["final"]


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-7, atol=1e-7, msg=lambda m, n=name: f"{n}: {m}")
        assert value.std() > 1e-3


@pytest.mark.parametrize("choices", GENOTYPES)
def test_the_network_of_a_genotype_equals_the_search_in_evaluation(
    rooms: Path, tmp_path: Path, supernet, choices: dict[str, str]
) -> None:
    """The frozen network keeps the search's fusions, the trained one has its own; weights are carried over."""
    network, space, strategy = supernet
    for choice in strategy.choices:
        choice.decide(choice.values.index(choices[choice.label]), step=0)
    frozen = space.freeze(choices).eval()
    assert_same(predicted(network.eval()), predicted(frozen))
    Genotype(choices).save(tmp_path / "g.json")
    config = tiny_config(rooms, None, model__blocks=str(tmp_path / "g.json"))
    derived = build_network(config.model, make_tasks(config.tasks)).eval()
    lacking = derived.load_state_dict(carried_over(frozen.network.state_dict(), choices), strict=False)
    assert all(name.startswith("auxiliary_heads.") for name in lacking.unexpected_keys)  # of maps that nobody reads
    assert all(".value.0.norm." in name for name in lacking.missing_keys)  # a search's have no scale and shift
    assert_same(predicted(frozen), predicted(derived))


def carried_over(weights: dict[str, torch.Tensor], choices: dict[str, str]) -> dict[str, torch.Tensor]:
    """A search's weights for the network of a genotype: of a fusion without what belongs to blocks that are none."""
    for task in ("semseg", "depth"):
        kept = [choices[f"{task}/{source}"] != "none" for source in ("semseg", "depth")]
        first, second, mean = (
            f"grid.fusions.{task}.{name}"
            for name in ("contexts.conv.weight", "both.conv.weight", "both.norm.running_mean")
        )
        if any(kept):
            weights[first] = weights[first][:, torch.tensor(kept).repeat_interleave(weights[first].shape[1] // 2)]
            continue
        norm = {name: weights.pop(f"grid.fusions.{task}.contexts.norm.{name}") for name in NORM}
        constant = norm["bias"] - norm["weight"] * norm["running_mean"] / (norm["running_var"] + 1e-5).sqrt()
        own, of_contexts = weights[second].chunk(2, 1)
        weights |= {second: own, mean: weights[mean] - of_contexts[:, :, 0, 0] @ constant}
        weights = {name: x for name, x in weights.items() if not name.startswith(f"grid.fusions.{task}.contexts.")}
    return weights


@pytest.mark.parametrize("choices", GENOTYPES)
def test_deciding_changes_nothing_but_the_mixture(supernet, choices: dict[str, str]) -> None:
    """One by one, to the last of a row: in training against a sample of weight 1, in evaluation against argmax."""
    network, _, strategy = supernet
    blocks = {choice: choice.values.index(choices[choice.label]) for choice in strategy.choices}
    for choice, index in blocks.items():
        nn.init.constant_(choice.alpha, 0.0)
        choice.alpha.data[index] = 0.1
        choice.set_active(torch.eye(len(choice.values))[index])
    mixed, best = predicted(network.train()), predicted(network.eval())
    for choice, index in blocks.items():
        choice.decide(index, step=1)
        assert_same(predicted(network.eval()), best)
        statistics = {name: value.clone() for name, value in network.state_dict().items()}
        assert_same(predicted(network.train()), mixed)
        network.load_state_dict(statistics)


def test_weights_of_another_network_are_refused(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of a row of none do not pass for those of a row that gathers something."""
    runs.train(tiny_config(rooms, tmp_path / "t", model__blocks="none", training__steps=1), progress=False)
    assert main(["predict", str(tmp_path / "t"), "--out", str(tmp_path / "own.png")]) == 0
    Genotype(dict(zip(BLOCKS, ("none", "none", "local", "none"), strict=True))).save(tmp_path / "t" / "genotype.json")
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "t"), "--out", str(tmp_path / "other.png")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "step=1.ckpt: does not fit" in line
    assert "grid.fusions.depth.contexts.conv.weight: expected " in line or "grid.blocks.depth/semseg" in line
    assert not (tmp_path / "other.png").exists()
