"""A model space that has nothing to do with contexts, an evaluator for it, and a way to run a search on it."""

from __future__ import annotations

import nni.nas.nn.pytorch as nas_nn
import torch
from nni.nas.evaluator.pytorch import DataLoader, Lightning, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from nas_ctx.search import GumbelSearch


class Scaled(nn.Module):
    """``factor * tanh(w * x)``: a candidate that takes a keyword."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.linear = factor, nn.Linear(4, 4)

    def forward(self, x: Tensor, *, sign: float = 1.0) -> Tensor:
        return sign * self.factor * torch.tanh(self.linear(x))


class ToySpace(nas_nn.ModelSpace):
    """Two layer choices and a choice of one input; the target of :func:`toy_data` is linear in ``x``."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nas_nn.LayerChoice(
            {"linear": nn.Linear(4, 4), "dead": Scaled(0.0), "small": Scaled(0.01)}, label="first"
        )
        self.second = nas_nn.LayerChoice([nn.Identity(), Scaled(0.0)], label="second")
        self.pick = nas_nn.InputChoice(2, n_chosen=1, label="pick")
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        return self.head(self.pick([y, torch.zeros_like(y)]))


class Regression(LightningModule):
    """Mean squared error, SGD; it remembers the losses and counts its validation epochs."""

    def __init__(self, lr: float = 0.02, momentum: float = 0.9, weight_decay: float = 5e-4) -> None:
        super().__init__()
        self.optimizer_settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.losses: list[float] = []
        self.validated = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = nn.functional.mse_loss(self(batch[0]), batch[1])
        self.losses.append(loss.item())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", nn.functional.mse_loss(self(batch[0]), batch[1]))

    def on_validation_epoch_end(self) -> None:
        self.validated += 1

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), **self.optimizer_settings)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=100)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def toy_data(seed: int = 0) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(64, 4, generator=generator)
    return TensorDataset(x, x @ torch.tensor([[2.0], [-1.0], [0.5], [3.0]]))


def toy_evaluator(steps: int, module: LightningModule | None = None, fit_kwargs=None, **trainer) -> Lightning:
    options = {
        "max_steps": steps,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        **trainer,
    }
    return Lightning(
        module or Regression(),
        Trainer(**options),
        train_dataloaders=DataLoader(toy_data(), batch_size=8),
        val_dataloaders=DataLoader(toy_data(1), batch_size=32),
        fit_kwargs=fit_kwargs,
    )


def run_search(strategy: GumbelSearch, space: nas_nn.ModelSpace, evaluator: Lightning) -> nas_nn.ModelSpace:
    """Run without NNI's experiment bookkeeping; return the supernet."""
    supernet = strategy.mutate_model(space)
    strategy.mutate_evaluator(evaluator).evaluate(supernet)
    return supernet
