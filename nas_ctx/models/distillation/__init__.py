"""The distillation modules and networks that the contexts are compared with."""

from nas_ctx.models.distillation.cross_stitch import CrossStitch
from nas_ctx.models.distillation.mti_net import MTINet
from nas_ctx.models.distillation.nddr import NDDR
from nas_ctx.models.distillation.pad_net import GuidedMessages
from nas_ctx.models.distillation.pap import PatternAffinityPropagation
from nas_ctx.models.distillation.psd import PSDNet

__all__ = ["NDDR", "CrossStitch", "GuidedMessages", "MTINet", "PSDNet", "PatternAffinityPropagation"]
