"""A program of a user's, for mypy in strict mode: `make lint` checks it, and the tests check it against the wheel.

It is not run. What is asserted is what the public functions say of themselves; one that lost its types fails here.
"""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from nni.nas.nn.pytorch import ModelSpace
from torch import Tensor, nn

from nas_ctx import runs
from nas_ctx.analysis import (
    LIGHT,
    Reliability,
    RunSet,
    SearchHistory,
    block_interval,
    compare,
    fleiss_kappa,
    krippendorff_alpha,
    lights_kappa,
    load_runs,
    percentage_agreement,
    reliability,
    verdict,
    write_report,
)
from nas_ctx.config import Config, check_config, load_config
from nas_ctx.contexts import CONTEXTS, ContextInput, candidates, register_context
from nas_ctx.data import DataModule
from nas_ctx.errors import InputError
from nas_ctx.experiment.launch import Trial, run
from nas_ctx.genotype import Genotype
from nas_ctx.metrics import delta_m, mean_iou
from nas_ctx.models import Backbone, MultiTaskNetwork
from nas_ctx.search import GumbelSearch
from nas_ctx.tasks import Task, make_tasks
from nas_ctx.training import MultiTaskModule
from search_spaces.relational import RelationalSpace


@register_context("typed-mean")
class Mean(nn.Module):
    def __init__(self, in_channels: int, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, 1)

    def forward(self, inputs: ContextInput) -> Tensor:
        projected: Tensor = self.project(inputs.source)
        return projected.mean((2, 3), keepdim=True).expand_as(projected)


def analyse(paths: list[Path]) -> Path:
    found = load_runs(paths)
    assert_type(found, RunSet)
    record = reliability(found, ties="probability")
    assert_type(record, Reliability)
    assert_type(verdict(record), tuple[str, str])
    assert_type(record.consensus, Genotype | None)
    assert_type(record.blocks, tuple[str, ...])
    compare(found, found)
    return write_report(record, "report")


def agree(ratings: list[list[str]]) -> float:
    for statistic in (lights_kappa, percentage_agreement, fleiss_kappa, krippendorff_alpha):
        assert_type(statistic(ratings), float)
    block_interval(ratings, LIGHT)
    return lights_kappa(ratings)


def search(path: str) -> Genotype:
    try:
        config = load_config(path, {"seed": 1})
    except InputError:
        config = check_config({"data": {"root": "rooms"}, "tasks": {"depth": {}}}, "here")
    assert_type(config, Config)
    assert_type(runs.train(config), dict[str, float])
    assert_type(SearchHistory.load(Path("history.csv")).settled_at("a/b"), int)
    return runs.search(config, progress=False)


def by_hand(config: Config) -> list[str]:
    tasks = make_tasks({"semseg": {"classes": 14}})
    assert_type(tasks, dict[str, Task])
    space = RelationalSpace(Backbone("test_resnet"), tasks, candidates("semseg", "semseg"))
    strategy = GumbelSearch(arch_lr=0.01, seed=0)
    GumbelSearch(arch_lr="fast")  # type: ignore[arg-type]  # the settings have types
    supernet: ModelSpace = strategy.mutate_model(space)
    module = strategy.configure_oneshot_module(MultiTaskModule(tasks, config.training))
    module.set_model(supernet)
    DataModule("nyud", "rooms", tasks, (48, 64), batch_size=4)
    MultiTaskNetwork(Backbone("test_resnet"), tasks, lambda target, source, i, o: CONTEXTS["local"](i, o))
    return [choice.label for choice in strategy.choices]


def score(prediction: Tensor, label: Tensor) -> Tensor:
    assert_type(delta_m({"a": 1.0}, {"a": 2.0}, {"a": True}), float)
    return mean_iou(prediction, label, 14)


def launch() -> list[str]:
    _, trials = run(Path("experiment.yaml"), Path("nni"))
    assert_type(trials, list[Trial])
    return [trial.status for trial in trials]
