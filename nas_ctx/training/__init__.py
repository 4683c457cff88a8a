"""How networks learn: the Lightning module, its losses and its optimiser."""

from nas_ctx.training.module import MultiTaskModule, task_losses
from nas_ctx.training.optimizer import poly, sgd_with_poly

__all__ = ["MultiTaskModule", "poly", "sgd_with_poly", "task_losses"]
