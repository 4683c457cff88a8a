"""Custom components: the registries that name them, and the loading of users' code."""

from nas_ctx.compat.renamed import former_names
from nas_ctx.plugins.loading import NamesPlugins, is_path, load_module, load_path, load_plugins, loadable
from nas_ctx.plugins.registry import Registry
from nas_ctx.plugins.validators import Validator, called_with, signature_of, subclass_of

__all__ = [
    "NamesPlugins",
    "Registry",
    "Validator",
    "called_with",
    "is_path",
    "load_module",
    "load_path",
    "load_plugins",
    "loadable",
    "signature_of",
    "subclass_of",
]

__getattr__ = former_names(__name__, {"Refusal": "Validator"})
