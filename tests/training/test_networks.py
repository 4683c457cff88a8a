"""Networks that a configuration asks for, trained for a few steps by the one Lightning module."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
import torch
from scipy import stats

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.runs.trained import load_trained, start_from
from nas_ctx.tasks import make_tasks
from nas_ctx.training.module import outputs_of, task_losses
from nas_ctx.training.networks import block_choices, build_network
from tests.rooms import tiny_config


@pytest.mark.parametrize(
    "model",
    [{"model__blocks": "mti-net"}, {"model__blocks": "psd"}, {"model__blocks": "t-label", "model__true_regions": True}],
    ids=["mti-net", "psd", "true-regions"],
)
def test_every_network_trains_and_is_read_back(rooms: Path, tmp_path: Path, model: dict) -> None:
    scores = runs.train(tiny_config(rooms, tmp_path / "t", training__steps=2, **model), progress=False)
    trained = load_trained(tmp_path / "t")
    metric = trained.tasks["depth"].metric()
    with torch.no_grad():
        for batch in trained.data.val_dataloader():
            metric.update(
                trained.tasks["depth"].predict(outputs_of(trained.model, batch)["final"]["depth"]), batch["depth"]
            )
    assert float(metric.compute()["rmse"]) == pytest.approx(scores["depth/rmse"], rel=1e-6)


def test_predictions_on_the_way_are_trained_like_the_final_ones(rooms: Path, tmp_path: Path) -> None:
    config = tiny_config(rooms, tmp_path, model__blocks="mti-net")
    tasks = make_tasks(config.tasks)
    network = build_network(config.model, tasks)
    batch = {
        "image": torch.randn(2, 3, 32, 48),
        "semseg": torch.randint(0, 14, (2, 32, 48)),
        "depth": torch.rand(2, 1, 32, 48) + 1,
    }
    outputs = outputs_of(network, batch)
    losses = task_losses(tasks, outputs, batch)
    assert set(losses) == {"semseg", "depth", "semseg/initial", "depth/initial"}
    by_hand = sum(torch.nn.functional.cross_entropy(x, batch["semseg"]) for x in outputs["initial"]["semseg"])
    assert float(losses["semseg/initial"].detach()) == pytest.approx(float(by_hand.detach()), rel=1e-5)
    assert outputs_of(network.eval(), batch)["initial"] == {}


def test_without_self_attention_the_diagonal_is_empty(rooms: Path, tmp_path: Path) -> None:
    config = tiny_config(rooms, tmp_path, model__blocks="s-label", model__self_attention=False)
    choices = block_choices(config.model, make_tasks(config.tasks))
    assert choices is not None
    assert dict(choices) == {
        "semseg/semseg": "none", "semseg/depth": "s-label", "depth/semseg": "s-label", "depth/depth": "none"
    }  # fmt: skip
    whole = Genotype(dict.fromkeys(choices, "local"))
    whole.save(tmp_path / "g.json")
    config.model.blocks = str(tmp_path / "g.json")
    assert [str(c) for c in (block_choices(config.model, make_tasks(config.tasks)) or {}).values()].count("none") == 2


@pytest.mark.parametrize("key", ["self_attention", "true_regions"])
def test_what_a_network_without_blocks_cannot_have_is_refused(rooms: Path, tmp_path: Path, key: str) -> None:
    config = tiny_config(rooms, tmp_path, **{f"model__{key}": key == "true_regions"})
    with pytest.raises(InputError, match=f"model.{key}: .*: baseline has no blocks"):
        build_network(config.model, make_tasks(config.tasks))


def test_a_network_with_true_regions_starts_from_trained_weights(rooms: Path, tmp_path: Path) -> None:
    runs.train(tiny_config(rooms, tmp_path / "t", training__steps=1), progress=False)
    config = tiny_config(rooms, tmp_path, model__blocks="t-label", model__true_regions=True)
    network = build_network(config.model, make_tasks(config.tasks))
    start_from(network, tmp_path / "t")
    before = load_trained(tmp_path / "t").model.state_dict()
    after = network.state_dict()
    assert all(torch.equal(after[f"network.{name}"], value) for name, value in before.items())


def test_random_blocks_are_uniform_and_those_of_the_seed(rooms: Path, tmp_path: Path) -> None:
    config = tiny_config(rooms, tmp_path, model__blocks="random")
    tasks = make_tasks(config.tasks)
    drawn = [dict(block_choices(config.model, tasks, seed) or {}) for seed in range(500)]
    assert drawn[3] == dict(block_choices(config.model, tasks, 3) or {})
    for block, known in {"depth/semseg": CONTEXT_NAMES, "depth/depth": CONTEXT_NAMES[:4]}.items():
        counts = Counter(str(choices[block]) for choices in drawn)
        assert set(counts) == set(known)
        assert stats.chisquare(list(counts.values())).pvalue > 0.001
    pairs = Counter((str(c["depth/semseg"]), str(c["semseg/depth"])) for c in drawn)
    assert stats.chisquare([pairs[pair] for pair in itertools.product(CONTEXT_NAMES, repeat=2)]).pvalue > 0.001


def test_networks_of_random_blocks_are_a_row_of_a_table(rooms: Path, tmp_path: Path, capsys) -> None:
    for seed in range(2):
        config = tiny_config(rooms, tmp_path / str(seed), model__blocks="random", training__steps=1, seed=seed)
        runs.train(config, progress=False)
        assert Genotype.load(tmp_path / str(seed) / "genotype.json") == block_choices(
            config.model, make_tasks(config.tasks), seed
        )
    assert main(["table", str(tmp_path / "0"), str(tmp_path / "1"), "--layout", "B-1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:2] == ["random", "2"]
