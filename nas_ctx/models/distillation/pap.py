"""Pattern-affinity propagation, after Zhang et al., "Pattern-Affinitive Propagation across Depth, Surface Normal and
Semantic Segmentation", CVPR 2019."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from nas_ctx.contexts.attention import global_attention
from nas_ctx.contexts.projection import conv_norm
from nas_ctx.models.registry import register_distillation


@register_distillation("pattern-affinity")
class PatternAffinityPropagation(nn.Module):
    """Features of each task, diffused along a mixture of the affinities that all tasks see between pixels.

    1. Affinity of a task: M = X Xᵀ, each row divided by its sum. A row of X is a pixel's features, projected to half of
       their channels.
    2. Cross-task propagation: target t mixes the affinities of all tasks s to A_t = sum over s of a_ts M_s, where
       a_t = softmax(w_t) is learned.
    3. Task-specific diffusion: F_t becomes (1 - share) F_t + share A_t^iterations F_t.

    The projection ends in a softplus: its products are positive, so that no row's sum is near zero. Products of an
    affinity are taken as X (Xᵀ F), never as (X Xᵀ) F: nothing is as large as pixels times pixels, and no resolution has
    to be reduced.

    Args:
        tasks: their names.
        channels: of a task's features.
        share: of the diffused features in what comes out.
        iterations: how often the features are passed on.

    >>> features = {"depth": torch.rand(2, 8, 5, 6), "edge": torch.rand(2, 8, 5, 6)}
    >>> PatternAffinityPropagation(["depth", "edge"], 8)(features)["edge"].shape
    torch.Size([2, 8, 5, 6])
    """

    def __init__(self, tasks: Sequence[str], channels: int, *, share: float = 0.05, iterations: int = 3) -> None:
        super().__init__()
        self.share, self.iterations = share, iterations
        project = partial(conv_norm, channels, max(channels // 2, 1), activation=nn.Softplus)
        self.projections = nn.ModuleDict({task: project() for task in tasks})
        self.weights = nn.ParameterDict({task: nn.Parameter(torch.zeros(len(tasks))) for task in tasks})

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per task (B, channels, h, w) to the same."""
        projected = [self.projections[task](x) for task, x in features.items()]
        return {t: torch.lerp(x, self._diffused(t, x, projected), self.share) for t, x in features.items()}

    def _diffused(self, task: str, features: Tensor, projected: Sequence[Tensor]) -> Tensor:
        weights = self.weights[task].softmax(0)
        for _ in range(self.iterations):
            passed_on = [global_attention(x, x, features) for x in projected]
            features = torch.stack([w * x for w, x in zip(weights, passed_on, strict=True)]).sum(0)
        return features
