"""Contexts made of label regions: one source feature vector per region of a label space (paper, section 3.2.3)."""

from __future__ import annotations

from torch import Tensor

from nas_ctx.contexts.attention import region_attention
from nas_ctx.contexts.base import AttentionContext, ContextInput, register_context


class _LabelContext(AttentionContext):
    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return region_attention(query, key, value)


@register_context("t-label")
class TargetLabelContext(_LabelContext):
    """Source features gathered in the regions of the *target's* label space.

    >>> import torch
    >>> features, regions = torch.rand(2, 8, 4, 5), torch.rand(2, 3, 4, 5)
    >>> TargetLabelContext(8, 4)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 4, 5])
    """

    reads_regions = ("target",)

    def memory(self, inputs: ContextInput) -> Tensor:
        return inputs.region_features(inputs.target_regions, inputs.source)


@register_context("s-label")
class SourceLabelContext(_LabelContext):
    """Source features gathered in the regions of the *source's* label space.

    >>> import torch
    >>> features, regions = torch.rand(2, 8, 4, 5), torch.rand(2, 3, 4, 5)
    >>> SourceLabelContext(8, 4)(ContextInput(features, features, regions, regions)).shape
    torch.Size([2, 4, 4, 5])
    """

    reads_regions = ("source",)

    def memory(self, inputs: ContextInput) -> Tensor:
        return inputs.region_features(inputs.source_regions, inputs.source)
