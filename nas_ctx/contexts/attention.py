"""The mathematics of the context types, as functions of tensors. Local attention has its own file.

Sums over tens of thousands of pixels leave the range of half precision, so region maps, region features and the
global sums are computed in float32 at least, regardless of the features' dtype and of autocast.

The two attentions have custom backward passes, for which only arguments and result are kept: what autograd would keep
(a weight per pixel and region, a numerator per pixel and channel) is cheap to recompute.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas_ctx.contexts.kernels.precision import backward_pass, upcast, without_autocast


def region_map(logits: Tensor) -> Tensor:
    """Softmax over the pixels of auxiliary logits, per class: (B, K, h, w) to weights that sum to one per (B, K).

    >>> region_map(torch.zeros(1, 3, 2, 5)).sum((2, 3))
    tensor([[1.0000, 1.0000, 1.0000]])
    """
    return upcast(logits).flatten(2).softmax(-1).view_as(logits)


def region_features(regions: Tensor, source: Tensor) -> Tensor:
    """One feature vector per region: the mean of the source features weighted by the region map.

    Args:
        regions: region map, (B, K, h, w).
        source: features, (B, C, h, w).

    Returns:
        (B, C, K, 1) in the dtype of ``source``: a feature map of K positions.

    >>> region_features(region_map(torch.zeros(1, 3, 2, 2)), torch.ones(1, 5, 2, 2)).shape
    torch.Size([1, 5, 3, 1])
    """
    with without_autocast(source):
        features = upcast(source).flatten(2) @ upcast(regions).flatten(2).mT
    return features.to(source.dtype).unsqueeze(-1)


def region_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Each target pixel attends to all regions with softmax(q.k / sqrt(d)).

    Args:
        query: (B, d, h, w).
        key, value: (B, d, K, 1) and (B, c, K, 1).

    Returns:
        (B, c, h, w).

    >>> q, kv = torch.rand(1, 4, 2, 3), torch.ones(1, 4, 7, 1)
    >>> bool((region_attention(q, kv, kv) - 1).abs().max() < 1e-6)
    True
    """
    queries, keys, values = (x.flatten(2).to(query.dtype) for x in (query, key, value))
    with without_autocast(query):
        return _RegionAttention.apply(queries, keys * key.shape[1] ** -0.5, values).unflatten(2, query.shape[2:])


def global_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Each target pixel i gets sum_j (q_i.k_j) v_j / sum_j (q_i.k_j) over all pixels j, as q(k^T v).

    The cost is linear in pixels: the sums over j are taken once. Query and key must be positive.

    Args:
        query: (B, d, h, w).
        key, value: (B, d, H, W) and (B, c, H, W).

    Returns:
        (B, c, h, w).

    >>> q, kv = torch.rand(1, 4, 2, 3) + 0.1, torch.ones(1, 4, 5, 5)
    >>> bool((global_attention(q, kv, kv) - 1).abs().max() < 1e-6)
    True
    """
    with without_autocast(query):
        context = _GlobalAttention.apply(*(upcast(x).flatten(2) for x in (query, key, value)))
    return context.unflatten(2, query.shape[2:]).to(query.dtype)


class _RegionAttention(torch.autograd.Function):
    """values @ softmax(keysᵀ queries) over keys; all are (B, channels, positions)."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        ctx.save_for_backward(queries, keys, values)
        return values @ (keys.mT @ queries).softmax(1)

    @staticmethod
    @backward_pass
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        queries, keys, values = ctx.saved_tensors
        weights = (keys.mT @ queries).softmax(1)
        d_values = gradient @ weights.mT
        d_scores = torch.ops.aten._softmax_backward_data(values.mT @ gradient, weights, 1, weights.dtype)
        return keys @ d_scores, queries @ d_scores.mT, d_values


class _GlobalAttention(torch.autograd.Function):
    """sum_j (q_i.k_j) v_j / sum_j (q_i.k_j); all are (B, channels, positions)."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        summary, total = values @ keys.mT, keys.sum(2).unsqueeze(1)
        context = (summary @ queries).div_(total @ queries)
        ctx.save_for_backward(queries, keys, values, summary, total, context)
        return context

    @staticmethod
    @backward_pass
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        queries, keys, values, summary, total, context = ctx.saved_tensors
        denominator = total @ queries
        d_numerator = gradient / denominator
        d_denominator = torch.linalg.vecdot(d_numerator, context, dim=1).neg_().unsqueeze(1)
        d_summary, d_total = d_numerator @ queries.mT, d_denominator @ queries.mT
        d_queries = (summary.mT @ d_numerator).baddbmm_(total.mT, d_denominator)
        d_keys = (d_summary.mT @ values).add_(d_total.mT)
        return d_queries, d_keys, d_summary @ keys
