"""Metrics of dense prediction: pure functions of tensors, and stateful ones (torchmetrics) that sum across processes.

The functions take whole sets and define each number; the classes keep only sums or counts, so their results depend
neither on the batches nor on the number of processes.
"""

from nas_ctx.labels import IGNORE
from nas_ctx.metrics.boundary import BoundaryF, ods_f, ois_f
from nas_ctx.metrics.delta import delta_m
from nas_ctx.metrics.depth import DepthErrors, depth_rmse
from nas_ctx.metrics.normals import AngularErrors, angular_errors, mean_angular_error
from nas_ctx.metrics.saliency import MaxF, max_f
from nas_ctx.metrics.segmentation import MeanIoU, confusion_matrix, mean_iou
from nas_ctx.metrics.values import SummedMetric

__all__ = [
    "IGNORE",
    "AngularErrors",
    "BoundaryF",
    "DepthErrors",
    "MaxF",
    "MeanIoU",
    "SummedMetric",
    "angular_errors",
    "confusion_matrix",
    "delta_m",
    "depth_rmse",
    "max_f",
    "mean_angular_error",
    "mean_iou",
    "ods_f",
    "ois_f",
]
