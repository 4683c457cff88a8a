"""Lightning as people write it: a search does what Lightning does for the evaluator's module, or refuses by name."""

from __future__ import annotations

import pytest
import torch
from nni.nas.evaluator.pytorch import DataLoader, Lightning, Trainer
from pytorch_lightning import Callback, LightningDataModule
from torch import nn

from nas_ctx.errors import InputError
from nas_ctx.search import GumbelSearch
from tests.search.toy import Regression, ToySpace, run_search, toy_data, toy_evaluator


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def search(module, steps: int = 4, strategy: GumbelSearch | None = None, **trainer):
    evaluator = toy_evaluator(steps, module, num_sanity_val_steps=0, **trainer)
    return run_search(strategy or GumbelSearch(seed=1), ToySpace(), evaluator)


def optimisers(*makers):
    class Configured(Regression):
        def configure_optimizers(self):
            return makers[0](self) if len(makers) == 1 else [make(self) for make in makers]

    return Configured()


def sgd(module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=0.01)


def by_hand() -> Regression:
    module = Regression()
    module.automatic_optimization = False
    return module


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (lambda: optimisers(sgd, sgd), "Configured: configure_optimizers returned 2 optimizers, .*not supported"),
        (lambda: optimisers(lambda module: None), "returned no optimizers"),
        (by_hand, "Regression: automatic_optimization = False is not supported"),
        (
            lambda: optimisers(lambda m: ([sgd(m)], [plateau(m, sgd(m))])),
            "ReduceLROnPlateau needs the name of a metric",
        ),
    ],
)
def test_what_a_search_cannot_step_is_refused_before_the_first_step(module, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        search(module())
    assert "\n" not in str(error.value)


def plateau(module, optimizer) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    module.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0, mode="max")
    return module.scheduler


@pytest.mark.parametrize(
    "form",
    [
        lambda o, s: {"optimizer": o, "lr_scheduler": s, "monitor": "val_loss"},
        lambda o, s: {"optimizer": o, "lr_scheduler": {"scheduler": s, "monitor": "val_loss", "strict": True}},
        lambda o, s: ([o], [{"scheduler": s, "monitor": "val_loss"}]),
        lambda o, s: [{"optimizer": o, "lr_scheduler": {"scheduler": s, "monitor": "val_loss"}}],
    ],
)
def test_a_learning_rate_waits_for_a_metric(form) -> None:
    """``mode="max"`` on a falling loss: each validation after the first divides the rate by ten, as in torch."""

    def configure(module):
        optimizer = sgd(module)
        return form(optimizer, plateau(module, optimizer))

    module = optimisers(configure)
    search(module, steps=24)
    assert module.validated == 3
    assert module.scheduler.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 / 100)


def test_a_metric_that_was_not_logged_is_named() -> None:
    def configure(module):
        optimizer = sgd(module)
        return {"optimizer": optimizer, "lr_scheduler": plateau(module, optimizer), "monitor": "val_miou"}

    with pytest.raises(InputError, match="waits for the metric 'val_miou', which was not logged; logged: val_loss"):
        search(optimisers(configure), steps=8)


class Skipping(Regression):
    def __init__(self, skip) -> None:
        super().__init__()
        self.skip = skip

    def training_step(self, batch, batch_idx):
        return None if self.skip(batch_idx) else super().training_step(batch, batch_idx)


def test_a_batch_without_a_loss_is_left_out() -> None:
    strategy, module = GumbelSearch(seed=1), Skipping(lambda batch_idx: batch_idx % 2 == 0)
    search(module, steps=6, strategy=strategy)
    assert len(module.losses) == 6  # steps, of twelve batches
    assert all(choice.alpha.any() for choice in strategy.choices)


def test_a_training_step_that_never_returns_a_loss_is_told() -> None:
    with pytest.raises(InputError, match="Skipping: training_step returned None for every batch of an epoch"):
        search(Skipping(lambda batch_idx: True))

    class Named(Regression):
        def training_step(self, batch, batch_idx):
            return {"los": super().training_step(batch, batch_idx)}

    with pytest.raises(InputError, match="training_step returned dict: expected a loss"):
        search(Named())


def test_accumulated_batches_are_one_step_on_the_batch_of_all_of_them() -> None:
    """Two batches of 8 and one of 16 leave the same weights and alphas: one sample, one mean loss, one step."""

    def searched(size: int, **trainer):
        torch.manual_seed(0)
        strategy = GumbelSearch(seed=1, arch_lr=0.05)
        evaluator = toy_evaluator(4, **trainer)
        evaluator.train_dataloaders = DataLoader(toy_data(), batch_size=size)
        supernet = run_search(strategy, ToySpace(), evaluator)
        assert evaluator.trainer.global_step == 4
        return [*supernet.parameters()]

    ours, whole = searched(8, accumulate_grad_batches=2), searched(16)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, whole, strict=True))


@pytest.mark.parametrize(("algorithm", "limit"), [("norm", 0.01), ("value", 0.003)])
def test_the_trainer_s_clipping_is_that_of_the_step(algorithm: str, limit: float) -> None:
    seen: list[torch.Tensor] = []

    class Watching(Regression):
        def on_before_optimizer_step(self, optimizer) -> None:
            seen.append(torch.cat([p.grad.flatten() for p in self.parameters()]))  # alpha among them

    search(Watching(), gradient_clip_val=limit, gradient_clip_algorithm=algorithm)
    assert len(seen) == 4
    for gradient in seen:
        assert float(gradient.norm() if algorithm == "norm" else gradient.abs().max()) == pytest.approx(limit, rel=1e-3)


class Hooked(Regression):
    """Writes down which of its hooks were called, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.inputs: list[float] = []
        self.from_callback = Callback()

    def training_step(self, batch, batch_idx):
        self.inputs.append(float(batch[0].abs().sum()))
        return super().training_step(batch, batch_idx)

    def on_before_batch_transfer(self, batch, dataloader_idx):
        self.calls.append("before transfer")
        return batch

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        self.calls.append("transfer")
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        self.calls.append("after transfer")
        return [batch[0] * 0.0, batch[1]] if self.trainer.training else batch

    def on_before_zero_grad(self, optimizer) -> None:
        self.calls.append("zero")

    def on_before_optimizer_step(self, optimizer) -> None:
        self.calls.append("step")

    def on_validation_batch_start(self, *args) -> None:
        self.calls.append("validate")

    def on_validation_batch_end(self, *args) -> None:
        self.calls.append("validated")

    def configure_callbacks(self):
        return [self.from_callback]


def test_every_hook_of_the_evaluator_s_module_is_called() -> None:
    module = Hooked()
    evaluator = toy_evaluator(1, module, num_sanity_val_steps=0, val_check_interval=1)
    run_search(GumbelSearch(seed=1), ToySpace(), evaluator)
    transfer = ["before transfer", "transfer", "after transfer"]
    assert module.calls == [*transfer, "zero", "step", *2 * [*transfer, "validate", "validated"]]
    assert module.from_callback in evaluator.trainer.callbacks
    assert module.inputs == [0.0]  # augmentation on the device reaches the search


def test_no_validation_data_are_needed() -> None:
    class Data(LightningDataModule):
        def train_dataloader(self):
            return DataLoader(toy_data(), batch_size=8)

    def run(**data) -> Regression:
        module, strategy = Regression(), GumbelSearch(seed=1)
        options = {"max_steps": 10, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
        trainer = Trainer(enable_progress_bar=False, enable_model_summary=False, **options)
        run_search(strategy, ToySpace(), Lightning(module, trainer, **data))
        assert module.validated == 0
        return module

    assert len(run(train_dataloaders=DataLoader(toy_data(), batch_size=8)).losses) == 10
    assert len(run(datamodule=Data()).losses) == 10


def test_searching_again_says_what_to_make_anew() -> None:
    space, strategy, evaluator = ToySpace(), GumbelSearch(seed=1), toy_evaluator(4)
    run_search(strategy, space, evaluator)
    with pytest.raises(InputError, match=r"this ToySpace was searched already.*make another one, ToySpace\(\.\.\.\)"):
        GumbelSearch().mutate_model(space)
    with pytest.raises(InputError, match="the trainer has done all its 4 steps in an earlier search: give each search"):
        run_search(GumbelSearch(seed=1), ToySpace(), evaluator)


class Shapes(ToySpace):
    def __init__(self, second: nn.Module) -> None:
        super().__init__()
        self.first = type(self.first)({"wide": nn.Linear(4, 4), "narrow": second}, label="first")


@pytest.mark.parametrize(
    ("second", "shape"), [(nn.Linear(4, 1), r"\(8, 1\)"), (nn.Linear(4, 3), r"\(8, 3\)"), (nn.Flatten(0), r"\(32,\)")]
)
def test_candidates_of_different_shapes_are_named_at_the_first_step(second: nn.Module, shape: str) -> None:
    strategy = GumbelSearch(seed=1)
    words = rf"choice 'first': the output of 'wide' is \(8, 4\), that of 'narrow' is {shape}: expected candidates"
    with pytest.raises(InputError, match=words):
        run_search(strategy, Shapes(second), toy_evaluator(2, num_sanity_val_steps=0))
