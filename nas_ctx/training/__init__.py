"""How networks learn: losses, optimiser, metrics, and the folder that a run leaves behind."""

from nas_ctx.training.folder import RunFolder
from nas_ctx.training.module import MultiTaskModule, task_losses
from nas_ctx.training.optimizer import poly, sgd_with_poly

__all__ = ["MultiTaskModule", "RunFolder", "poly", "sgd_with_poly", "task_losses"]
