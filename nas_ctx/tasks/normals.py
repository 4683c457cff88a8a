"""Surface normals: unit vectors in the frame of the camera."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from nas_ctx.labels import IGNORE, Unusable
from nas_ctx.metrics import AngularErrors
from nas_ctx.tasks import losses, options
from nas_ctx.tasks.base import Array, Task, register_task
from nas_ctx.tasks.coding import fibonacci_sphere, load_codebook, nearest_codeword
from nas_ctx.tasks.coding.readouts import NORMALS_MODES
from nas_ctx.tasks.drawing import draw_normals

LENGTH_TOLERANCE = 0.02
"""How far the length of a stored normal may be from 1; 8 bits per component leave 0.01."""


@register_task("normals")
class Normals(Task):
    """Normals by L1 regression of unit vectors, or as classification. A region is all that is nearest to one codeword.

    Args:
        codewords: how many directions partition the sphere.
        codebook: an ``.npy`` file of them, float (codewords, 3), as learned from training data or published with the
            paper's code (``nyu_centroids.npy``, ``pascal_centroids.npy``). Without one the
            codewords are spread evenly over the whole sphere, which fits every convention of axes and needs no data,
            but spends about half of them on directions that no visible surface has.
        mode: ``"regression"``, three channels scaled to unit length; or ``"classification"``, a channel per codeword
            under triangular coding.

    >>> Normals().partition(torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)).item()
    0
    """

    name = "normals"
    metric_name = "mean_angle"
    higher_is_better = False
    pad_value = 0.0

    def __init__(
        self, *, mode: str = "regression", codewords: int = 40, codebook: str | None = None, weight: float = 10.0
    ) -> None:
        self.weight = options.number(self.name, "weight", weight, 0)
        self.regions = options.whole(self.name, "codewords", codewords, 4, IGNORE)
        self.codebook = (
            fibonacci_sphere(self.regions)
            if codebook is None
            else load_codebook(options.text(self.name, "codebook", codebook), self.regions)
        )
        self.readout = NORMALS_MODES[options.text(self.name, "mode", mode)](self.codebook)
        self.channels = self.readout.channels

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return self.readout.loss(logits, label)

    def partition(self, label: Tensor) -> Tensor:
        directions = label.movedim(1, -1)
        nearest = nearest_codeword(directions.reshape(-1, 3), self.codebook).view(directions.shape[:-1])
        return torch.where(losses.valid_vectors(label), nearest, IGNORE)

    def predict(self, logits: Tensor) -> Tensor:
        """Unit vectors, (B, 3, H, W)."""
        return self.readout.predict(logits)

    def metric(self) -> Metric:
        return AngularErrors()

    def render(self, values: Array) -> NDArray[np.uint8]:
        return draw_normals(values)

    def flip(self, label: Array) -> Array:
        """In a mirror image surfaces face the other way along x; 0 stays 0."""
        return label * np.array([-1, 1, 1], label.dtype)

    def mark_ignore(self, label: Array) -> Array:
        """A zero vector, or one that is not finite, is invalid."""
        valid = np.isfinite(label).all(-1, keepdims=True) & (label != 0).any(-1, keepdims=True)
        return np.where(valid, label, np.float32(IGNORE))

    def check_label(self, label: Array) -> list[str]:
        """Normals have length 1 or 0; one that is not finite is invalid, as 0 is."""
        finite = np.where(np.isfinite(label).all(2, keepdims=True), label, 0).astype(np.float64)
        length = np.linalg.norm(finite, axis=2)
        wrong = np.count_nonzero((np.abs(length - 1) > LENGTH_TOLERANCE) & (length > 0))
        if not wrong:
            return []
        fault = f"{wrong} vectors have neither length 1 nor 0 (up to {length.max():.3g})"
        if 2 * wrong <= np.count_nonzero(length):
            return [fault]
        # As pictures hold them: bytes, or shares of 1.
        code = "v / 127.5 - 1 of bytes" if finite.max() > 1.5 else "2 v - 1 of values coded as (n + 1) / 2"
        return [Unusable(f"{fault}: expected unit vectors{f', {code}' if finite.min() >= 0 else ''}")]
