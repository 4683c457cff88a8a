"""Custom components: the registries that name them, and the code of users that is loaded for them."""

from nas_ctx.plugins.loading import NamesPlugins, is_path, load_module, load_path, load_plugins, loadable
from nas_ctx.plugins.registry import Registry, called_with, signature_of, subclass_of

__all__ = [
    "NamesPlugins",
    "Registry",
    "called_with",
    "is_path",
    "load_module",
    "load_path",
    "load_plugins",
    "loadable",
    "signature_of",
    "subclass_of",
]
