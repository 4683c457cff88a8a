"""GumbelSearch on a space that has nothing to do with contexts, through NNI's own experiment and evaluator."""

import csv
import inspect
import re
from pathlib import Path
from typing import get_type_hints

import nni.nas.nn.pytorch as nas_nn
import numpy as np
import pytest
import torch
from nni.nas.experiment import NasExperiment
from nni.nas.space import model_context
from torch import nn

from nas_ctx.config.search_settings import SearchChanges
from nas_ctx.errors import InputError
from nas_ctx.search import GumbelSearch, SearchSettings
from nas_ctx.search.supernet.layer import MixedInput, MixedLayer
from tests.search.toy import Regression, Scaled, ToySpace, run_search, toy_evaluator


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_finds_decides_and_exports_through_nas_experiment(tmp_path) -> None:
    strategy = GumbelSearch(arch_lr=0.05, seed=1, history=tmp_path / "history.csv")
    module = Regression()
    experiment = NasExperiment(ToySpace(), toy_evaluator(120, module), strategy)
    experiment.run()
    (sample,) = experiment.export_top_models(formatter="dict")
    assert sample == {"first": "linear", "second": 0, "pick": [0]}
    assert {choice.label for choice in strategy.choices if choice.decided} == {"first", "second", "pick"}
    assert len(module.losses) == 120
    assert module.validated > 0  # 15 epochs of 8 batches, each validated
    assert module.losses[-1] < 0.2 * module.losses[0]

    # Supernet in evaluation mode, exported network, and a network built under the sample give the same outputs.
    (frozen,) = experiment.export_top_models(formatter="instance")
    x = torch.randn(5, 4)
    supernet = strategy.supernet.eval()
    assert torch.equal(frozen.eval()(x), supernet(x))
    with model_context(sample):
        fresh = ToySpace()
    fresh.load_state_dict(frozen.state_dict(), strict=True)
    assert torch.equal(fresh.eval()(x), supernet(x))
    experiment.stop()


def test_history_has_a_row_per_step_with_both_schedules(tmp_path) -> None:
    run_search(
        GumbelSearch(temperature=(1.0, 0.2), entropy_weight=(-0.5, 0.5), seed=1, history=tmp_path / "h.csv"),
        ToySpace(),
        toy_evaluator(11),
    )
    rows = list(csv.DictReader((tmp_path / "h.csv").open()))
    assert [int(row["step"]) for row in rows] == list(range(1, 12))
    assert np.allclose([float(row["temperature"]) for row in rows], np.linspace(1.0, 0.2, 11))
    assert np.allclose([float(row["entropy_weight"]) for row in rows], np.linspace(-0.5, 0.5, 11))
    first = [name for name in rows[0] if name.startswith("first=")]
    assert first == ["first=linear", "first=dead", "first=small"]
    assert all(sum(float(row[name]) for name in first) == pytest.approx(1.0) for row in rows)


@pytest.mark.parametrize("clip", [None, 0.05])
def test_alpha_is_moved_by_plain_adam_on_the_one_loss(clip: float | None) -> None:
    """Two steps by hand (one backward pass, Adam without decay, SGD on weights) end where the strategy does.

    The published search clips the norm of all gradients, those of alpha among them.
    """
    settings = {
        "arch_lr": 0.03, "temperature": (0.9, 0.4), "entropy_weight": (0.3, 0.6), "gradient_clip": clip,
        "evaluate": "all",
    }  # fmt: skip
    torch.manual_seed(3)
    strategy = GumbelSearch(seed=2, **settings)
    searched = run_search(strategy, ToySpace(), toy_evaluator(2))

    torch.manual_seed(3)
    by_hand = GumbelSearch(seed=2, **settings)
    model = by_hand.mutate_model(ToySpace()).train()
    alphas = [choice.alpha for choice in by_hand.choices]
    weights = [p for p in model.parameters() if all(p is not a for a in alphas)]
    adam = torch.optim.Adam(alphas, lr=0.03)
    sgd = torch.optim.SGD(weights, lr=0.02, momentum=0.9, weight_decay=5e-4)
    data = toy_evaluator(2).train_dataloaders
    for step, (x, y) in zip(range(2), data, strict=False):
        by_hand.choices.sample(step, [0.9, 0.4][step])
        entropy = torch.stack([-(a.softmax(0) * a.log_softmax(0)).sum() for a in alphas]).mean()
        loss = nn.functional.mse_loss(model(x), y) + [0.3, 0.6][step] * entropy
        adam.zero_grad()
        sgd.zero_grad()
        loss.backward()
        if clip is not None:
            assert nn.utils.clip_grad_norm_(model.parameters(), clip) > 2 * clip
        sgd.param_groups[0]["lr"] = 0.02 * (1 - 0.009 * step)
        sgd.step()
        adam.step()
    for ours, theirs in zip(strategy.choices, by_hand.choices, strict=True):
        assert torch.allclose(ours.alpha, theirs.alpha, atol=1e-7), ours.label
    for ours, theirs in zip(searched.parameters(), model.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-7)


def test_decided_choices_and_pruned_candidates_stand_still() -> None:
    strategy = GumbelSearch(arch_lr=0.05, seed=1)
    snapshots: dict[int, dict[str, torch.Tensor]] = {}

    class Watching(Regression):
        def on_train_batch_end(self, *args) -> None:
            choice = strategy.choices["first"]
            if choice.decided and not snapshots:
                snapshots[self.trainer.global_step] = {k: v.clone() for k, v in self.model.state_dict().items()}

    supernet = run_search(strategy, ToySpace(), toy_evaluator(150, Watching()))
    ((step, then),) = snapshots.items()
    assert step < 150
    now = supernet.state_dict()
    still = [k for k in now if k.startswith(("first.dead", "first.small", "first.architecture"))]
    assert len(still) == 6
    assert all(torch.equal(now[k], then[k]) for k in still)
    assert not torch.equal(now["first.linear.weight"], then["first.linear.weight"])


def test_a_decided_layer_runs_one_candidate_and_validation_runs_the_most_probable() -> None:
    strategy = GumbelSearch(seed=0)
    model = strategy.mutate_model(ToySpace())
    assert isinstance(model.first, MixedLayer)
    assert isinstance(model.pick, MixedInput)
    calls: list[str] = []
    for name in model.first.names:
        model.first[name].register_forward_hook(lambda *_, name=name: calls.append(name))
    x = torch.randn(2, 4)
    strategy.choices.sample(0, 1.0)
    model.train()(x)
    assert calls == ["linear", "dead", "small"]
    calls.clear()
    with torch.no_grad():
        strategy.choices["first"].alpha.copy_(torch.tensor([0.0, 0.1, 0.2]))
    model.eval()(x)
    assert calls == ["small"]
    calls.clear()
    strategy.choices["first"].decide(1, step=1)
    model.train()(x)
    assert calls == ["dead"]


def test_resumed_search_equals_the_uninterrupted_one(tmp_path) -> None:
    """From a checkpoint in the middle, after a decision, to the last digit; the history is continued."""
    from pytorch_lightning.callbacks import ModelCheckpoint

    def search(folder, **options) -> GumbelSearch:
        torch.manual_seed(4)
        strategy = GumbelSearch(arch_lr=0.05, seed=1, history=tmp_path / folder / "h.csv")
        saver = ModelCheckpoint(tmp_path / folder, filename="{step}", every_n_epochs=2, save_top_k=-1)
        evaluator = toy_evaluator(120, callbacks=[saver], enable_checkpointing=True, **options)
        run_search(strategy, ToySpace(), evaluator)
        return strategy

    whole = search("whole")
    checkpoint = tmp_path / "whole" / "step=32.ckpt"
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert any(v[0] >= 0 for k, v in state.items() if k.endswith("architecture.state")), "nothing decided by then"
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "h.csv").write_bytes((tmp_path / "whole" / "h.csv").read_bytes())
    again = search("again", fit_kwargs={"ckpt_path": str(checkpoint)})
    for ours, theirs in zip(again.choices, whole.choices, strict=True):
        assert torch.equal(ours.alpha, theirs.alpha)
        assert ours.decided_at == theirs.decided_at
    for (name, ours), theirs in zip(again._model.state_dict().items(), whole._model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
    assert (tmp_path / "again" / "h.csv").read_text() == (tmp_path / "whole" / "h.csv").read_text()


def test_same_seed_same_alphas_and_another_seed_others() -> None:
    def alphas(seed: int) -> list[list[float]]:
        torch.manual_seed(0)
        strategy = GumbelSearch(arch_lr=0.02, seed=seed)
        run_search(strategy, ToySpace(), toy_evaluator(20))
        return [choice.alpha.tolist() for choice in strategy.choices]

    assert alphas(1) == alphas(1)
    assert alphas(1) != alphas(2)


def test_warmup_moves_weights_only_and_delays_the_schedules(tmp_path) -> None:
    module = Regression()
    strategy = GumbelSearch(arch_lr=0.05, warmup_steps=6, seed=0, history=tmp_path / "h.csv")
    run_search(strategy, ToySpace(), toy_evaluator(6, module))
    assert all(not choice.alpha.any() for choice in strategy.choices)
    assert module.losses[-1] != module.losses[0]
    rows = list(csv.DictReader((tmp_path / "h.csv").open()))
    assert {row["temperature"] for row in rows} == {"1"}


def test_stops_when_everything_is_decided() -> None:
    module = Regression()
    strategy = GumbelSearch(arch_lr=0.2, seed=1, stop_when_decided=True)
    run_search(strategy, ToySpace(), toy_evaluator(400, module))
    assert all(choice.decided for choice in strategy.choices)
    assert len(module.losses) == max(choice.decided_at for choice in strategy.choices) < 400


def test_no_stop_margin_never_decides() -> None:
    strategy = GumbelSearch(arch_lr=0.2, seed=1, stop_margin=None)
    run_search(strategy, ToySpace(), toy_evaluator(60))
    assert not any(choice.decided for choice in strategy.choices)


class Tie(nas_nn.ModelSpace):
    """Candidates that compute the same at different cost; only the resource term can tell them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nas_nn.LayerChoice(
            {"dear": nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)), Scaled(0.0)), "cheap": Scaled(0.0)},
            label="layer",
        )
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(x + self.layer(x))


@pytest.mark.parametrize("resource", ["parameters", "multiply-adds"])
def test_the_resource_term_breaks_ties_towards_the_cheaper(resource: str) -> None:
    for seed in range(3):
        strategy = GumbelSearch(arch_lr=0.05, seed=seed, resource_weight=1.0, resource=resource, entropy_weight=(0, 0))
        run_search(strategy, Tie(), toy_evaluator(60))
        assert strategy.choices["layer"].best == "cheap"
        assert strategy.choices["layer"].decided


def test_multiply_adds_are_measured() -> None:
    strategy = GumbelSearch(resource_weight=1.0, seed=0)
    evaluator = toy_evaluator(1)
    supernet = strategy.mutate_model(Tie())
    mutated = strategy.mutate_evaluator(evaluator)
    mutated.evaluate(supernet)
    # Batches of 8; a 4 -> 4 linear layer makes 16 multiply-adds per row.
    assert mutated.module._expected_cost.costs() == {"layer": [4 * 16 * 8, 16 * 8]}


def test_mixed_precision_runs_and_decides() -> None:
    strategy = GumbelSearch(arch_lr=0.1, seed=1)
    run_search(strategy, ToySpace(), toy_evaluator(60, precision="bf16-mixed"))
    assert strategy.choices["first"].best == "linear"


def test_a_space_without_choices_is_refused() -> None:
    with model_context({"first": "linear", "second": 0, "pick": [0]}):
        fixed = ToySpace()
    with pytest.raises(TypeError, match="nothing to search"):
        GumbelSearch().mutate_model(fixed)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"arch_lr": 0.0}, "arch_lr: 0.0: input should be greater than 0"),
        ({"temperature": (1.0, 0.0)}, "temperature"),
        ({"temperature": 1.0}, "temperature: 1.0: expected a list of two values"),
        ({"evaluate": "some"}, "evaluate: 'some': input should be 'all' or 'partial'"),
        ({"stop_on": "alpha"}, "stop_on"),
        ({"partial_threshold": 1.5}, "partial_threshold"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        GumbelSearch(**setting)


def test_editors_and_type_checkers_know_every_setting_and_its_type() -> None:
    assert get_type_hints(SearchChanges) == {
        name: hint for name, hint in get_type_hints(SearchSettings).items() if name in SearchSettings.model_fields
    }
    assert "**changes: 'Unpack[SearchChanges]'" in str(inspect.signature(GumbelSearch.__init__))
    given = SearchSettings(arch_lr=0.1, stop_margin=None, evaluate="all")
    assert GumbelSearch(given, stop_margin=0.2).settings == SearchSettings(arch_lr=0.1, stop_margin=0.2, evaluate="all")


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="archlr"):
        GumbelSearch(archlr=0.1)


def test_choices_within_a_candidate_that_was_not_chosen_are_recorded_as_inactive():
    """A layer choice within a candidate, and one beyond the depth of a repeat."""

    class Nested(nas_nn.ModelSpace):
        def __init__(self) -> None:
            super().__init__()
            inner = nas_nn.LayerChoice([nn.Linear(4, 4), nn.Identity()], label="inner")
            acts = [nas_nn.LayerChoice([nn.ReLU(), nn.Tanh()], label=f"act{i}") for i in range(2)]
            self.deep = nas_nn.Repeat(acts.__getitem__, (1, 2), label="d")
            self.outer = nas_nn.LayerChoice({"plain": nn.Linear(4, 4), "nested": inner}, label="outer")

        def forward(self, x):
            return self.deep(self.outer(x))

    strategy = GumbelSearch()
    strategy.mutate_model(Nested())
    by_label = strategy.choices.by_label
    recorded = {}
    for outer in (0, 1):
        for depth in (0, 1):
            with torch.no_grad():
                by_label["outer"].alpha.copy_(torch.eye(2)[outer])
                by_label["d"].alpha.copy_(torch.eye(2)[depth])
            recorded[outer, depth] = set(strategy.genotype().meta.get("inactive", []))
    assert recorded[0, 1] == {"inner"}
    assert recorded[1, 1] == set()
    assert recorded[1, 0] == {"act1"}
    assert recorded[0, 0] == {"inner", "act1"}


def test_the_documentation_has_every_argument_with_its_default() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "spaces.md").read_text()
    section = page.split("## All arguments")[1].split("\n## ")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", section, re.MULTILINE))
    signature = inspect.signature(GumbelSearch.__init__).parameters.values()
    given = {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}
    defaults = {name: field.default for name, field in SearchSettings.model_fields.items()} | given
    assert documented == {name: repr(default) for name, default in defaults.items()}
