"""The search: a strategy for NNI that knows no task and no context."""

# NNI 3.0: importing anything of `nni.nas.oneshot` before `nni.nas.strategy` runs into a circular import that turns
# `nni.nas.strategy.DARTS` and its siblings into an `ImportFailedStrategy`. So this comes before our own modules.
import nni.nas.strategy  # noqa: F401

from nas_ctx.config.search_settings import SearchSettings
from nas_ctx.search.choice import Choice, Choices
from nas_ctx.search.history import History
from nas_ctx.search.module import GumbelSearchModule
from nas_ctx.search.space import Unsearchable
from nas_ctx.search.strategy import GumbelSearch

__all__ = ["Choice", "Choices", "GumbelSearch", "GumbelSearchModule", "History", "SearchSettings", "Unsearchable"]
