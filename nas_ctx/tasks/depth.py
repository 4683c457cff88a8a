"""Monocular depth, in metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchmetrics import Metric

from nas_ctx.errors import InputError
from nas_ctx.labels import IGNORE, Unusable
from nas_ctx.metrics import DepthErrors
from nas_ctx.tasks import options
from nas_ctx.tasks.base import Array, Task, register_task
from nas_ctx.tasks.coding import DepthBins
from nas_ctx.tasks.coding.readouts import DEPTH_MODES
from nas_ctx.tasks.drawing import draw_depth

FARTHEST = 100.0
"""Metres; a stored depth beyond is more likely in another unit."""


@register_task("depth")
class Depth(Task):
    """Depth by L1 regression, or as classification; its regions are logarithmic bins.

    Args:
        bins: how many, from ``minimum`` to ``maximum`` metres.
        mode: ``"regression"``, one channel of metres; or ``"classification"``, a channel per bin, read out as the
            soft-weighted sum of the bins' mean log depths.

    >>> Depth().channels, Depth(mode="classification").channels
    (1, 40)
    """

    name = "depth"
    metric_name = "rmse"
    higher_is_better = False
    pad_value = 0.0

    def __init__(
        self,
        *,
        mode: str = "regression",
        bins: int = 40,
        minimum: float = 0.7,
        maximum: float = 10.0,
        weight: float = 1.0,
    ) -> None:
        self.weight = options.number(self.name, "weight", weight, 0)
        self.regions = options.whole(self.name, "bins", bins, 2, IGNORE)
        minimum = options.number(self.name, "minimum", minimum, 0)
        maximum = options.number(self.name, "maximum", maximum, 0)
        if minimum >= maximum:
            raise InputError(f"tasks.depth.minimum: {minimum:g}, expected less than maximum ({maximum:g})")
        self.coding = DepthBins(self.regions, minimum, maximum)
        self.readout = DEPTH_MODES[options.text(self.name, "mode", mode)](self.coding)
        self.channels = self.readout.channels

    def loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return self.readout.loss(logits, label)

    def partition(self, label: Tensor) -> Tensor:
        return self.coding.encode(label.squeeze(1))

    def predict(self, logits: Tensor) -> Tensor:
        """Metres, not below 0: (B, 1, H, W)."""
        return self.readout.predict(logits)

    def metric(self) -> Metric:
        return DepthErrors()

    def render(self, values: Array) -> NDArray[np.uint8]:
        return draw_depth(values, self.coding.minimum, self.coding.maximum)

    def to_picture(self, values: Array) -> Image.Image:
        """Millimetres in 16 bits (mode I;16), at most 65535."""
        return Image.fromarray((values * 1000).round().clip(0, 65535).astype(np.uint16))

    def scale(self, label: Array, factor: float) -> Array:
        """An object that looks twice as large is half as far away."""
        return label / factor

    def mark_ignore(self, label: Array) -> Array:
        """0, negative and non-finite depths are invalid."""
        return np.where(np.isfinite(label) & (label > 0), label, np.float32(IGNORE))

    def check_label(self, label: Array) -> list[str]:
        """Depths are not negative, at most 100 m, and not invalid (0, or not finite) throughout."""
        faults = [f"{negative} negative depths"] if (negative := np.count_nonzero(label < 0)) else []
        valid = label[np.isfinite(label) & (label > 0)]
        if not valid.size:
            return [*faults, "has no valid pixel"]
        if (farthest := valid.max()) > FARTHEST:
            kind = Unusable if np.median(valid) > FARTHEST else str
            faults.append(kind(f"depths up to {farthest:g}, expected metres: of millimetres, a thousandth"))
        return faults
