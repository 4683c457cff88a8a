"""How networks learn: the Lightning module, its losses and its optimiser."""

from nas_ctx.compat.renamed import former_names
from nas_ctx.training.module import MultiTaskModule, task_losses
from nas_ctx.training.optimizer import make_optimizer, poly, rate_factor

__all__ = ["MultiTaskModule", "make_optimizer", "poly", "rate_factor", "task_losses"]

__getattr__ = former_names(__name__, {"sgd_with_poly": "make_optimizer"})
