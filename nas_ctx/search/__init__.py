"""The search: a strategy for NNI that knows no task and no context."""

from nas_ctx.search.choice import Choice, Choices
from nas_ctx.search.history import History
from nas_ctx.search.module import GumbelSearchModule
from nas_ctx.search.settings import SearchSettings
from nas_ctx.search.strategy import GumbelSearch

__all__ = ["Choice", "Choices", "GumbelSearch", "GumbelSearchModule", "History", "SearchSettings"]
