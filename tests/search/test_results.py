"""What a search tells besides its best network: the table of candidates, the next best networks, a checkpoint."""

from __future__ import annotations

import itertools
import math

import nni.nas.nn.pytorch as nas_nn
import pytest
import torch
from nni.nas.experiment import NasExperiment
from nni.nas.space import model_context
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from nas_ctx.analysis import load_runs, reliability, write_report
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.search import GumbelSearch
from tests.search.toy import ToySpace, run_search, toy_evaluator


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_the_table_has_every_candidate_with_its_probability_and_when_it_was_decided() -> None:
    strategy = GumbelSearch(arch_lr=0.05, seed=1)
    run_search(strategy, ToySpace(), toy_evaluator(120))
    rows = strategy.table()
    values = {"first": ["linear", "dead", "small"], "second": [0, 1], "pick": [0, 1]}
    assert [(row.label, row.value) for row in rows] == [(label, v) for label, given in values.items() for v in given]
    for label in values:
        of_label = [row for row in rows if row.label == label]
        assert sum(row.probability for row in of_label) == pytest.approx(1.0)
        decided = {row.value: row.decided_at for row in of_label if row.decided_at is not None}
        assert decided == {strategy.choices[label].best: strategy.genotype().meta["decided_at"][label]}


def test_the_most_probable_networks_are_those_of_all_combinations() -> None:
    """By brute force; NNI's export gives as many as it is asked for, and what was decided comes first."""
    strategy = GumbelSearch(seed=1)
    experiment = NasExperiment(ToySpace(), toy_evaluator(3, enable_checkpointing=False), strategy)
    experiment.run()
    with torch.no_grad():
        for choice in strategy.choices:
            choice.alpha.normal_()
    table = strategy.choices.distributions()
    every = sorted(
        itertools.product(*([(label, value) for value in values] for label, values in table.items())),
        key=lambda sample: -math.prod(table[label][value] for label, value in sample),
    )
    expected = [{label: [value] if label == "pick" else value for label, value in sample} for sample in every]
    assert strategy.choices.most_probable(99) == expected
    assert experiment.export_top_models(top_k=4, formatter="dict") == expected[:4]
    best, second = experiment.export_top_models(top_k=2, formatter="instance")
    x = torch.randn(5, 4)
    assert torch.equal(best.eval()(x), strategy.supernet.eval()(x))
    assert not torch.equal(second.eval()(x), best(x))

    strategy.choices["first"].decide(1, step=3)
    (decided,) = experiment.export_top_models(formatter="dict")
    assert decided == strategy.choices.most_probable(99)[0] == {**expected[0], "first": "dead"}
    assert len(strategy.choices.most_probable(99)) == len(expected)
    experiment.stop()


def test_a_search_resumes_from_a_checkpoint_by_one_argument(tmp_path) -> None:
    def search(**options) -> GumbelSearch:
        torch.manual_seed(4)
        strategy = GumbelSearch(arch_lr=0.05, **{"seed": 1, **options})
        saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_epochs=2, save_top_k=-1)
        run_search(strategy, ToySpace(), toy_evaluator(64, callbacks=[saver], enable_checkpointing=True))
        return strategy

    whole, again = search(), search(resume=tmp_path / "step=32.ckpt")
    assert again.table() == whole.table()
    with pytest.raises(InputError, match=r"resume: .*none\.ckpt: no such file"):
        search(resume=tmp_path / "none.ckpt")
    with pytest.raises(InputError, match="seed: 2: the checkpoint is of a search with seed 1"):
        search(resume=tmp_path / "step=32.ckpt", seed=2)


def test_a_result_can_be_exported_while_the_search_runs() -> None:
    """From a callback, as from a second cell of a notebook: it changes nothing of the search."""

    class Export(Callback):
        def on_train_batch_end(self, trainer, module, *_) -> None:
            samples.append(dict(strategy.genotype()))
            next(strategy.list_models())

    def alphas(*callbacks) -> list[list[float]]:
        nonlocal strategy
        torch.manual_seed(0)
        strategy = GumbelSearch(arch_lr=0.05, seed=1)
        experiment = NasExperiment(ToySpace(), toy_evaluator(10, callbacks=[*callbacks]), strategy)
        experiment.run()
        experiment.stop()
        return [choice.alpha.tolist() for choice in strategy.choices]

    samples: list[dict] = []
    strategy = GumbelSearch()
    assert alphas(Export()) == alphas()
    assert len(samples) == 10


@pytest.mark.parametrize("values", [1, 2])
def test_a_space_of_one_block_is_searched_and_reported(values: int, tmp_path) -> None:
    class One(nas_nn.ModelSpace):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nas_nn.LayerChoice([nn.Linear(4, 4) for _ in range(values)], label="layer")
            self.head = nn.Linear(4, 1)

        def forward(self, x):
            return self.head(self.layer(x))

    for seed in range(3):
        strategy = GumbelSearch(arch_lr=0.1, seed=seed, history=tmp_path / str(seed) / "history.csv")
        run_search(strategy, One(), toy_evaluator(6))
        strategy.genotype(seed=seed).save(tmp_path / str(seed) / "genotype.json")
    record = reliability(load_runs([tmp_path / str(seed) for seed in range(3)]))
    assert len(record.runs) == 3
    write_report(record, tmp_path / "report")
    assert "layer" in (tmp_path / "report" / "report.md").read_text()


@pytest.mark.parametrize("history", [False, True])
def test_nni_builds_and_trains_what_searches_vote_for(history: bool, tmp_path) -> None:
    """A choice of inputs is spelt as NNI samples it, also where another block has the same number, which is no list."""
    for seed in range(2):
        folder = tmp_path / str(seed)
        strategy = GumbelSearch(arch_lr=0.1, seed=seed, history=folder / "history.csv" if history else None)
        run_search(strategy, ToySpace(), toy_evaluator(8))
        strategy.genotype(seed=seed).save(folder / "genotype.json")
    record = reliability(load_runs([tmp_path / "0", tmp_path / "1"]), ties="probability")
    write_report(record, tmp_path / "report")
    voted = Genotype.load(tmp_path / "report" / "consensus.json")
    assert voted == record.consensus
    with model_context(voted.to_nni()):  # refuses a sample that it does not understand
        network = ToySpace()
    toy_evaluator(2).evaluate(network)
    assert record.table.candidates.by_block["pick"] == ((0,), (1,))
    assert all(sum(run.final_probabilities("pick").values()) == pytest.approx(1.0) for run in record.runs)


def test_a_strategy_that_has_searched_and_a_misspelt_argument_are_told_what_to_do() -> None:
    strategy = GumbelSearch(seed=1)
    experiment = NasExperiment(ToySpace(), toy_evaluator(2), strategy)
    experiment.run()
    experiment.stop()
    again = NasExperiment(ToySpace(), toy_evaluator(2), strategy)
    with pytest.raises(InputError, match="has searched already: make another one"):
        again.run()
    again.stop()
    with pytest.raises(
        TypeError, match=r"sed: unknown key; known: .*gradient_clip, history, .*seed.*did you mean 'seed'"
    ):
        GumbelSearch(sed=1)
