"""The configuration of a run: read from YAML, checked against one schema, handed on as one object."""

from nas_ctx.compat.renamed import former_names
from nas_ctx.config.keys import Key, keys_of
from nas_ctx.config.reading import (
    PLACES,
    WAYS,
    check_config,
    differences,
    flattened,
    load_config,
    read_config,
    to_yaml,
)
from nas_ctx.config.schema import Config, DataConfig, ModelConfig, TrainingConfig
from nas_ctx.config.search_settings import SearchSettings

__all__ = [
    "PLACES",
    "WAYS",
    "Config",
    "DataConfig",
    "Key",
    "ModelConfig",
    "SearchSettings",
    "TrainingConfig",
    "check_config",
    "differences",
    "flattened",
    "keys_of",
    "load_config",
    "read_config",
    "to_yaml",
]

__getattr__ = former_names(
    __name__,
    {"known_keys": "nas_ctx.config.deprecated:known_keys", "names_code": "nas_ctx.config.deprecated:names_code"},
)
