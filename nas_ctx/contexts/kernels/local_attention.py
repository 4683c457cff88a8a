"""Attention within a square window, without `unfold` and without a custom operator.

The plain form copies every pixel's window: window² numbers per pixel, channel and tensor, kept for the backward pass.
Here the image is cut into tiles of queries; a tile attends to the one patch of keys that covers all of its windows, by
a dense product, and a mask removes the pairs outside the window. The mask is the same for every tile. About half of the
result is discarded, but it is computed by matrix products. Only the arguments are kept: the backward pass recomputes
the weights. Both process the image in bands of tiles, so that the weights are never in memory all at once. Inside,
channels come last: a row of a tile or patch is then one run of memory, which is what copying them costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nas_ctx.contexts.kernels.precision import backward_pass, upcast, without_autocast
from nas_ctx.errors import InputError

TILE = (4, 8)
"""Height and width of a tile of queries: the halo of a small tile costs products, that of a large one memory."""

BAND_ELEMENTS = {"cpu": 1 << 19, "cuda": 1 << 27}
"""Attention weights computed at a time: as many as fit a core's cache, or keep a GPU busy."""


def local_attention(query: Tensor, key: Tensor, value: Tensor, window: int = 9) -> Tensor:
    """Each target pixel attends to the window around it with softmax(q.k / sqrt(d)).

    Outside the image keys and values are zero, and take part in the softmax. Exact; gradients too, double backward is
    not supported. Memory is linear in pixels.

    Args:
        query: (B, d, h, w), any floating dtype.
        key, value: (B, d, h, w) and (B, c, h, w).
        window: width of the window in pixels, odd.

    Returns:
        (B, c, h, w).

    Raises:
        InputError: for an even or negative window.

    >>> q = torch.rand(1, 4, 5, 7)
    >>> bool(torch.equal(local_attention(q, q, q, window=1), q))
    True
    """
    if window < 1 or window % 2 == 0:
        raise InputError(f"window = {window}: expected a positive odd number of pixels")
    with without_autocast(query):
        return _LocalAttention.apply(query, key.to(query.dtype), value.to(query.dtype), window)


class _Tiling(NamedTuple):
    """How an image is cut: ``rows`` x ``columns`` tiles; a patch of keys is larger than a tile by window - 1."""

    window: int
    rows: int
    columns: int

    @classmethod
    def of(cls, image: Tensor, window: int) -> _Tiling:
        height, width = image.shape[2:]
        return cls(window, -(-height // TILE[0]), -(-width // TILE[1]))

    @property
    def patch(self) -> tuple[int, int]:
        return TILE[0] + self.window - 1, TILE[1] + self.window - 1

    def padded(self, image: Tensor, halo: int) -> Tensor:
        """(B, C, h, w) to (B, H, W, C) with ``halo`` zeros around, and zeros to full tiles at the bottom and right."""
        batch, channels, height, width = image.shape
        size = self.rows * TILE[0] + 2 * halo, self.columns * TILE[1] + 2 * halo
        result = image.new_zeros(batch, *size, channels)
        result[:, halo : halo + height, halo : halo + width] = image.permute(0, 2, 3, 1)
        return result

    def bands(self, batch: int, device: str) -> Iterator[slice]:
        """Ranges of tile rows that are computed at a time."""
        per_row = batch * self.columns * TILE[0] * TILE[1] * self.patch[0] * self.patch[1]
        step = max(1, BAND_ELEMENTS.get(device, BAND_ELEMENTS["cpu"]) // per_row)
        return (slice(first, min(first + step, self.rows)) for first in range(0, self.rows, step))


def _mask(window: int, like: Tensor) -> Tensor:
    """(tile, patch): 0 where a key lies in the window of a query, else -inf. Offsets count from the patch's corner.

    Made anew each time: one that was kept while `torch.export` traced a network would be no tensor to calculate with.
    """
    rows, columns = (like.new_full((tile, tile + window - 1), -torch.inf) for tile in TILE)
    rows, columns = (outside.tril(-1) + outside.triu(window) for outside in (rows, columns))
    return (rows[:, None, :, None] + columns[None, :, None, :]).flatten(2).flatten(0, 1)


def _cut(padded: Tensor, band: slice, size: tuple[int, int]) -> Tensor:
    """Patches of ``size`` whose corners are a tile apart, in the tile rows ``band``: (tiles, pixels, channels)."""
    strip = padded[:, band.start * TILE[0] : (band.stop - 1) * TILE[0] + size[0]]
    patches = strip.unfold(1, size[0], TILE[0]).unfold(2, size[1], TILE[1])
    return patches.permute(0, 1, 2, 4, 5, 3).flatten(3, 4).flatten(0, 2)


def _paste(patches: Tensor, padded: Tensor, band: slice, size: tuple[int, int]) -> None:
    """Add patches to where :func:`_cut` took them from.

    Patches overlap, pieces of them of one tile's size do not: each addition puts the same piece of all patches in
    place.
    """
    batch, channels = padded.shape[0], padded.shape[3]
    rows = band.stop - band.start
    columns = patches.shape[0] // (batch * rows)
    parts = patches.view(batch, rows, columns, *size, channels)
    for top in range(0, size[0], TILE[0]):
        height = min(TILE[0], size[0] - top)
        strip = padded[:, band.start * TILE[0] + top :].unfold(1, height, TILE[0])[:, :rows]
        for left in range(0, size[1], TILE[1]):
            width = min(TILE[1], size[1] - left)
            place = strip[:, :, left:].unfold(2, width, TILE[1])[:, :, :columns]  # (B, rows, columns, C, h, w)
            place.permute(0, 1, 2, 4, 5, 3).add_(parts[:, :, :, top : top + height, left : left + width])


def _weights(query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
    """softmax(q.k + mask) over the keys of each patch: (tiles, tile, patch). The softmax itself is at least float32."""
    scores = torch.baddbmm(mask, query, key.mT)
    return upcast(scores).softmax(2).to(scores.dtype)


class _LocalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.window = window
        tiling = _Tiling.of(query, window)
        halo = window // 2
        mask = _mask(window, query)
        queries = tiling.padded(query * query.shape[1] ** -0.5, 0)
        keys, values = tiling.padded(key, halo), tiling.padded(value, halo)
        context = values.new_zeros(*queries.shape[:3], value.shape[1])
        for band in tiling.bands(query.shape[0], query.device.type):
            weights = _weights(_cut(queries, band, TILE), _cut(keys, band, tiling.patch), mask)
            _paste(weights @ _cut(values, band, tiling.patch), context, band, TILE)
        return _image(context, query.shape[2:], 0)

    @staticmethod
    @backward_pass
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value = ctx.saved_tensors
        tiling = _Tiling.of(query, ctx.window)
        halo = ctx.window // 2
        mask = _mask(ctx.window, query)
        scale = query.shape[1] ** -0.5
        queries, gradients = tiling.padded(query * scale, 0), tiling.padded(gradient, 0)
        keys, values = tiling.padded(key, halo), tiling.padded(value, halo)
        d_queries, d_keys, d_values = (torch.zeros_like(x) for x in (queries, keys, values))
        for band in tiling.bands(query.shape[0], query.device.type):
            q, k, v = _cut(queries, band, TILE), _cut(keys, band, tiling.patch), _cut(values, band, tiling.patch)
            g = _cut(gradients, band, TILE)
            weights = _weights(q, k, mask)
            # d score = weight * (d weight - sum of weight * d weight): the softmax's own backward pass.
            d_scores = torch.ops.aten._softmax_backward_data(g @ v.mT, weights, 2, weights.dtype)
            _paste(d_scores @ k, d_queries, band, TILE)
            _paste(d_scores.mT @ q, d_keys, band, tiling.patch)
            _paste(weights.mT @ g, d_values, band, tiling.patch)
        size = query.shape[2:]
        return _image(d_queries, size, 0) * scale, _image(d_keys, size, halo), _image(d_values, size, halo), None


def _image(padded: Tensor, size: Sequence[int], halo: int) -> Tensor:
    """The (B, C, h, w) within what :meth:`_Tiling.padded` made."""
    height, width = size
    return padded[:, halo : halo + height, halo : halo + width].permute(0, 3, 1, 2).contiguous()
