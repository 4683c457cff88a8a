"""Functions of version 0.1.0 that have gone: they work for one more version, with a DeprecationWarning."""

from __future__ import annotations

from collections.abc import Sequence

from nas_ctx.config.keys import keys_of, section_in
from nas_ctx.config.schema import Config
from nas_ctx.config.section import Section


def known_keys(section: Sequence[str] | None = None) -> list[str]:
    """The dotted keys of a section, of all sections by default, sorted: see :func:`nas_ctx.config.keys_of`."""
    if section is None:
        return sorted(key.name for key in keys_of(Config))
    kind: type[Section] = Config
    for part in section:
        kind = section_in(kind, part) or kind
    return sorted(".".join([*section, name]) for name in kind.model_fields)


def names_code(config: Config) -> bool:
    """Whether a configuration names modules or paths of code: see :attr:`nas_ctx.config.Config.names_code`."""
    return config.names_code
