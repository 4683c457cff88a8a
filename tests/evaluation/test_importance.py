"""Permutation and leaving-out of blocks, against hooks on the blocks of the whole network."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.data.loading import collate
from nas_ctx.evaluation.importance import Importance, measure_importance, shuffled_batches, t_interval
from nas_ctx.runs.trained import Trained, load_trained
from tests.rooms import tiny_config
from tests.training.networks import MIXED, train_mixed

SEED, REPETITIONS = 3, 2


@pytest.fixture(scope="module")
def trained(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A network of a genotype, in batches of 2, in which contexts matter: a fresh one hardly looks at them."""
    found = load_trained(train_mixed(rooms, tmp_path_factory.mktemp("importance"), data__eval_batch_size=2))
    for fusion in found.model.grid.fusions.values():
        torch.nn.init.constant_(fusion.contexts.norm.weight, 3.0)
    torch.nn.init.constant_(found.model.logits["depth"].bias, 3.0)  # far from 0, where predictions are clamped
    return found


@pytest.fixture(scope="module")
def measured(trained: Trained) -> Importance:
    return measure_importance(trained, REPETITIONS, SEED)


def by_hooks(trained: Trained, block: str, repetition: int, change) -> float:
    """The main metric of the block's target, the block's output changed by a hook in each batch."""
    target = block.partition("/")[0]
    task = trained.tasks[target]
    metric = task.metric()
    dataset = trained.data.val_set()
    handle = trained.model.grid.blocks[block].register_forward_hook(lambda module, inputs, output: change(output))
    with torch.no_grad():
        for indices in shuffled_batches(len(dataset), 2, [SEED, repetition]):
            batch = collate([dataset[index] for index in indices])
            metric.update(task.predict(trained.model(batch["image"])["final"][target]), batch[target])
    handle.remove()
    return float(metric.compute()[task.metric_name])


def test_it_equals_hooks_on_the_whole_network(trained: Trained, measured: Importance) -> None:
    assert set(measured.permuted) == set(measured.left_out) == {b for b, choice in MIXED.items() if choice != "none"}
    for block in measured.permuted:
        name = trained.tasks[block.partition("/")[0]].metric_name
        for repetition in range(REPETITIONS):
            expected = by_hooks(trained, block, repetition, lambda output: output.roll(1, 0))
            assert measured.permuted[block][repetition][name] == pytest.approx(expected, rel=1e-5), block
        expected = by_hooks(trained, block, 0, torch.zeros_like)
        assert measured.left_out[block][name] == pytest.approx(expected, rel=1e-5), block
    depth = [measured.permuted["depth/depth"][r]["rmse"] for r in range(REPETITIONS)]
    assert all(value != pytest.approx(measured.base["depth"]["rmse"], rel=1e-6) for value in depth)


def test_the_base_is_what_the_network_scores(trained: Trained, measured: Importance) -> None:
    for task in trained.tasks:
        block = f"{task}/depth"
        name = trained.tasks[task].metric_name
        expected = by_hooks(trained, block, 0, lambda output: output)
        assert measured.base[task][name] == pytest.approx(expected, rel=1e-5)


def test_drops_are_relative_and_positive_where_the_block_helps(measured: Importance) -> None:
    before = measured.base["depth"]["rmse"]
    after = [of["rmse"] for of in measured.permuted["depth/semseg"]]
    drop = measured.drop_permuted("depth/semseg")
    assert drop.mean == pytest.approx(100 * (np.mean(after) - before) / before)
    semseg = measured.drop_left_out("semseg/depth")
    expected = 100 * (measured.base["semseg"]["miou"] - measured.left_out["semseg/depth"]["miou"])
    assert semseg.mean == pytest.approx(expected / measured.base["semseg"]["miou"])
    assert np.isnan(semseg.low)
    values = [1.0, 2.5, 4.0, 0.5]
    assert t_interval(values, 0.9) == pytest.approx(
        stats.t.interval(0.9, 3, loc=np.mean(values), scale=stats.sem(values))
    )


def test_every_image_gets_the_output_of_another_one() -> None:
    for count, size in [(7, 3), (2, 1), (9, 4), (5, 8)]:
        batches = shuffled_batches(count, size, [0, 1])
        assert sorted(index for batch in batches for index in batch) == list(range(count))
        assert all(len(batch) >= 2 for batch in batches)
        assert len(batches) == len(shuffled_batches(count, size, [0, 2]))


def test_the_command_writes_heat_maps_and_numbers(
    rooms: Path, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained.checkpoint.parents[1]
    command = ["importance", str(run), "--repetitions", "2", "--images", "3", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    lines = list(csv.DictReader((tmp_path / "out" / "importance.csv").open()))
    assert {line["block"] for line in lines} == {block for block, choice in MIXED.items() if choice != "none"}
    content = json.loads((tmp_path / "out" / "importance.json").read_text())
    assert content["images"] == 3
    rmse = next(line for line in lines if (line["block"], line["metric"]) == ("depth/depth", "rmse"))
    assert float(rmse["left_out"]) == content["blocks"]["depth/depth"]["left_out"]["rmse"]
    assert Image.open(tmp_path / "out" / "importance.png").size[0] > 800
    runs.train(tiny_config(rooms, tmp_path / "b", training__steps=1), progress=False)
    capsys.readouterr()
    assert main(["importance", str(tmp_path / "b"), "--out", str(tmp_path / "o")]) == 2
    assert "baseline has no blocks to permute" in capsys.readouterr().err
    assert main([*command[:2], "--images", "1", "--out", str(tmp_path / "o")]) == 2
    assert not (tmp_path / "o").exists()
