"""The distillation networks that the contexts are compared with."""

from nas_ctx.models.distillation.mti_net import MTINet
from nas_ctx.models.distillation.psd import PSDNet

__all__ = ["MTINet", "PSDNet"]
