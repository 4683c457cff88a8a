"""The configuration of a run: read from YAML, checked against one schema, handed on as one object."""

from nas_ctx.config.schema import (
    PLACES,
    Config,
    DataConfig,
    ModelConfig,
    TrainingConfig,
    check_config,
    flattened,
    known_keys,
    load_config,
    names_code,
    to_yaml,
)
from nas_ctx.config.search_settings import SearchSettings

__all__ = [
    "PLACES",
    "Config",
    "DataConfig",
    "ModelConfig",
    "SearchSettings",
    "TrainingConfig",
    "check_config",
    "flattened",
    "known_keys",
    "load_config",
    "names_code",
    "to_yaml",
]
