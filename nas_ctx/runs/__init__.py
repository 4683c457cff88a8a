"""A run from start to end: the folder it leaves, its checkpoints, its log, and how it is stopped and resumed."""

from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.run import describe, is_first_process, search, train
from nas_ctx.runs.stopping import Interrupted

__all__ = ["Interrupted", "RunFolder", "describe", "is_first_process", "search", "train"]
