"""Exchange of candidates in a searched supernet, against the whole network with that candidate chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.data.loading import collate
from nas_ctx.errors import InputError
from nas_ctx.evaluation.exchange import adapt, measure_exchange, row_inputs, variants_of
from nas_ctx.evaluation.exchange.image_sums import ImageSums
from nas_ctx.evaluation.trained_scores import read_trained
from nas_ctx.models.network import upsampled
from nas_ctx.runs.searched import Searched, load_searched
from nas_ctx.tasks.make import make_task
from tests.rooms import tiny_config
from tests.training.networks import MIXED

QUICK = {"training__steps": 2, "training__validate_every": None, "training__checkpoint_every": None}


@pytest.fixture(scope="module")
def searches(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two searches of two steps."""
    folder = tmp_path_factory.mktemp("exchange")
    for seed in range(2):
        runs.search(tiny_config(rooms, folder / f"seed-{seed}", seed=seed, **QUICK), progress=False)
    return [folder / f"seed-{seed}" for seed in range(2)]


@pytest.fixture
def searched(searches: list[Path]) -> Searched:
    """A search in which contexts matter: a fresh fusion hardly looks at them."""
    found = load_searched(searches[0])
    for fusion in found.model.network.grid.fusions.values():
        torch.nn.init.constant_(fusion.contexts.norm.weight, 3.0)
    torch.nn.init.constant_(found.model.network.logits["depth"].bias, 3.0)  # far from 0, where predictions are clamped
    return found


@torch.no_grad()
def whole_network(searched: Searched, genotype: dict[str, str], target: str, images: list[int]) -> float:
    searched.choose(genotype)
    dataset, task = searched.data.val_set(), searched.tasks[target]
    metric = task.metric()
    batch = collate([dataset[index] for index in images])
    metric.update(task.predict(searched.model(batch["image"])["final"][target]), batch[target])
    return float(metric.compute()[task.metric_name])


def test_an_exchange_scores_what_the_network_with_that_candidate_scores(searched: Searched) -> None:
    found = measure_exchange(searched, MIXED, steps=0)
    assert {block: set(of) for block, of in found.scores.items()} == {
        "semseg/semseg": {"none", "global", "local", "t-label"},
        "semseg/depth": {"none", "global", "local", "t-label", "s-label"},
        "depth/semseg": {"none", "global", "local", "t-label", "s-label"},
        "depth/depth": {"none", "global", "local", "t-label"},
    }
    for block, of in found.scores.items():
        target = block.partition("/")[0]
        for name, scores in of.items():
            genotype = {**MIXED, block: name}
            assert scores.value == pytest.approx(whole_network(searched, genotype, target, [0, 1, 2, 3]), rel=1e-5)
        left_out = whole_network(searched, MIXED, target, [0, 1, 3])
        assert of[MIXED[block]].left_out[2] == pytest.approx(left_out, rel=1e-5)
    depth = found.losses("depth/depth")
    assert len({round(scores.value, 6) for scores in depth.values()}) == 3, "candidates differ"
    assert found.higher_is_better == {block: block.startswith("semseg") for block in MIXED}


def test_every_candidate_learns_and_the_search_stays_as_it_was(searched: Searched) -> None:
    searched.choose(MIXED)
    before = {name: value.clone() for name, value in searched.model.state_dict().items()}
    network, task = searched.model.network, searched.tasks["depth"]
    batch = next(iter(searched.data.train_dataloader()))
    with torch.no_grad(), row_inputs(network.grid) as rows:
        network(batch["image"])

    def loss(target: str, output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return task.loss(upsampled(output, batch["image"]), labels)

    def optimizer(variant: torch.nn.Module) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        made = torch.optim.SGD(variant.parameters(), 0.01)
        return made, torch.optim.lr_scheduler.ConstantLR(made, 1.0)

    variants = {b: of for b, of in variants_of(network.grid, network.logits).items() if b.startswith("depth")}
    losses = []
    for _ in range(2):
        losses.append(
            [loss("", v.train()(rows["depth"]), batch["depth"]).item() for of in variants.values() for v in of.values()]
        )
        adapt(variants, iter([(rows, batch["depth"])] * 10), loss, optimizer)
    assert len(losses[0]) == 9
    assert all(after < first for first, after in zip(*losses, strict=True)), "the voted candidate, too"
    assert not any(part.training for of in variants.values() for v in of.values() for part in v.modules())
    after = searched.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("name", ["semseg", "depth", "normals", "edge", "saliency"])
def test_a_score_without_an_image_is_that_of_the_others(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    task = make_task(name, {"classes": 3} if name == "semseg" else {})
    logits = torch.randn(4, task.channels, 12, 16, generator=generator)
    if name in ("semseg", "saliency"):
        label = torch.randint(0, task.channels, (4, 12, 16), generator=generator)
    elif name == "normals":
        label = torch.nn.functional.normalize(torch.randn(4, 3, 12, 16, generator=generator), dim=1)
    elif name == "depth":
        label = 1 + torch.rand(4, 1, 12, 16, generator=generator)
    else:
        label = (torch.rand(4, 1, 12, 16, generator=generator) > 0.7).float()
    predictions, sums = task.predict(logits), ImageSums(task)
    sums.add(predictions[:3], label[:3])
    sums.add(predictions[3:], label[3:])
    scores = sums.scores()

    def direct(kept: list[int]) -> float:
        metric = task.metric()
        metric.update(predictions[kept], label[kept])
        return float(metric.compute()[task.metric_name])

    assert scores.value == pytest.approx(direct([0, 1, 2, 3]))
    assert scores.left_out == pytest.approx([direct([j for j in range(4) if j != i]) for i in range(4)])


def test_the_command_writes_the_page_and_refuses_what_is_no_search(
    searches: list[Path], rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = tmp_path / "trained"
    for seed in range(3):
        options = {"model__blocks": "random", "seed": seed, **QUICK}
        runs.train(tiny_config(rooms, trained / f"{seed}", **options), progress=False)
    out = tmp_path / "out"
    words = ["--steps", "1", "--images", "3", "--no-figures", "--ties", "order", "--trained", str(trained)]
    assert main(["validity", *map(str, searches), "--out", str(out), *words]) == 0
    content = json.loads((out / "validity.json").read_text())
    assert (content["images"], len(content["blocks"]), content["retraining"]["genotypes"]) == (3, 4, 3)
    assert {block["verdict"] for block in content["blocks"]} == {"cannot tell"}, "two searches cannot agree reliably"
    assert 'href="validity.html"' in (out / "report.html").read_text()
    capsys.readouterr()
    for wrong, words in [
        ([str(trained / "0"), str(trained / "1"), "--ties", "order"], "is a training, expected a search"),
        ([*map(str, searches), "--images", "1"], "--images 1: expected at least 2"),
        ([*map(str, searches), "--negligible", "-1"], "--negligible -1: expected 0 to 100"),
        (
            [str(searches[0] / "genotype.json"), str(searches[1] / "genotype.json"), "--ties", "order"],
            "expected the run folder of a search",
        ),
    ]:
        assert main(["validity", *wrong, "--out", str(tmp_path / "o")]) == 2
        error = capsys.readouterr().err
        assert words in error, error
        assert len(error.strip().splitlines()) == 1, error
        assert not (tmp_path / "o").exists()


def test_trainings_of_different_settings_are_not_one_set(rooms: Path, tmp_path: Path) -> None:
    for seed, dropout in enumerate((0.0, 0.3)):
        options = {"model__blocks": "random", "model__dropout": dropout, "seed": seed, **QUICK}
        runs.train(tiny_config(rooms, tmp_path / f"{seed}", **options), progress=False)
    with pytest.raises(InputError, match=r"differ in model\.dropout"):
        read_trained([tmp_path])
