"""The spaces beside the paper's: searched for a few steps, reported, and trained from the genotype, by commands."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml

from nas_ctx.cli import main
from nas_ctx.contexts import CONTEXTS, ContextInput
from nas_ctx.genotype import Genotype
from nas_ctx.models import Backbone
from nas_ctx.search import GumbelSearch
from nas_ctx.testing import check_context, check_space
from nas_ctx.testing.contexts import make_inputs
from search_spaces.scales import AtScale
from search_spaces.several_blocks import SeveralBlocks
from tests.rooms import tiny

SPACES = {
    "search_spaces.windows:Windows": {"windows": [3, 5], "dilated": 3, "dilations": [2]},
    "search_spaces.neighbours:Neighbours": {"nearest": [4], "regions": [3, 6]},
    "search_spaces.several_blocks:SeveralBlocks": {"blocks": 2},
    "search_spaces.scales:Scales": {"scales": [1, 2]},
}


@pytest.mark.parametrize("space", SPACES)
def test_satisfies_the_conformance_suite(space: str) -> None:
    check_space(space, SPACES[space], contexts=["none", "global", "local"])


@pytest.mark.parametrize("space", SPACES)
def test_search_report_train(space: str, rooms: Path, tmp_path: Path) -> None:
    def configuration(name: str, output: str, **overrides: object) -> str:
        content = tiny(
            rooms,
            tmp_path / output,
            model__space=space,
            model__space_options=SPACES[space],
            model__contexts=["none", "global", "local"],
            training__steps=3,
            training__checkpoint_every=None,
            training__validate_every=None,
            **overrides,
        )
        (tmp_path / name).write_text(yaml.safe_dump(content))
        return str(tmp_path / name)

    search = configuration("search.yaml", "{seed}")
    for seed in (0, 1):
        assert main(["search", search, "--set", f"seed={seed}"]) == 0
    genotype = Genotype.load(tmp_path / "0" / "genotype.json")
    blocks = 2 if "several" in space else 1
    assert len(genotype) == 4 * blocks
    assert all(sum(of.values()) == pytest.approx(1.0) for of in genotype.meta["probabilities"].values())

    assert (
        main(["report", str(tmp_path / "0"), str(tmp_path / "1"), "--out", str(tmp_path / "report"), "--no-figures"])
        == 0
    )
    record = json.loads((tmp_path / "report" / "report.json").read_text())
    assert set(record["blocks"]) == set(genotype)
    train = configuration("train.yaml", "t", model__blocks=str(tmp_path / "0" / "genotype.json"))
    assert main(["train", train]) == 0
    assert json.loads((tmp_path / "t" / "metrics.json").read_text())["loss"] > 0


def test_a_context_at_a_scale_satisfies_the_conformance_suite() -> None:
    check_context(partial(AtScale, CONTEXTS["local"], 2))


def test_at_a_scale_features_are_averaged_and_regions_keep_their_sum() -> None:
    """Two pixels by two, alike within, are one pixel of the shrunk map; a border is averaged over what there is."""
    seen: list[ContextInput] = []

    class Watching(torch.nn.Module):
        def __init__(self, in_channels, channels, *, affine=True):
            super().__init__()

        def forward(self, inputs):
            seen.append(inputs)
            return inputs.source

    whole = make_inputs(4, 6)
    large = ContextInput(*(x.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :7, :11] for x in whole[:4]))
    output = AtScale(Watching, 2, 6, 6)(large)
    assert output.shape == large.source.shape
    torch.testing.assert_close(seen[0].source, whole.source)
    torch.testing.assert_close(seen[0].target_regions.sum((2, 3)), large.target_regions.sum((2, 3)))


def test_a_pair_s_several_blocks_are_added_and_a_row_of_nothing_keeps_its_fusion() -> None:
    tasks = {"depth": type("Shape", (), {"channels": 1, "regions": 4})()}
    space = SeveralBlocks(Backbone("test_resnet"), tasks, ["none", "local"], blocks=3)
    strategy = GumbelSearch(seed=0)
    supernet = strategy.mutate_model(space).eval()
    block = supernet.network.grid.blocks["depth/depth"]
    features, regions = torch.rand(2, block.blocks[0]["local"].query[0].conv.in_channels, 4, 5), torch.rand(2, 4, 4, 5)
    inputs = ContextInput(features, features, regions, regions)
    for choice, best in zip(strategy.choices, (1, 0, 1), strict=True):
        choice.decide(best, step=1)
    expected = block.blocks[0]["local"](inputs) + block.blocks[2]["local"](inputs)
    torch.testing.assert_close(block(inputs), expected)
    for choice in strategy.choices:
        choice.decide(0, step=1)
    fusion = []
    supernet.network.grid.fusions["depth"].register_forward_hook(lambda *_: fusion.append(1))
    supernet(torch.rand(1, 3, 32, 48))
    assert fusion
