"""From a YAML file and overrides to a checked, resolved :class:`~nas_ctx.config.Config`, and back to YAML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nas_ctx.config.checking import checked
from nas_ctx.config.nested import extended, flat, read_yaml, set_dotted
from nas_ctx.config.safe_yaml import dump_yaml
from nas_ctx.config.schema import Config
from nas_ctx.config.templates import interpolate
from nas_ctx.errors import InputError
from nas_ctx.files import umask_of

PLACES = ("output", "plugin_folder")
"""Keys that say where things lie, not what is run."""
WAYS = (
    "data.workers", "data.eval_batch_size", "training.log_every", "training.checkpoint_every", "training.threads",
    "training.logger",
)  # fmt: skip
"""Keys that say in which way a run is done, not what comes of it: a resumed run may change them."""


def load_config(
    path: str | Path,
    overrides: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
    origins: Mapping[str, str] = MappingProxyType({}),
) -> Config:
    """Read a configuration file, put ``overrides`` (dotted key -> value) over it, and check everything.

    ``origins`` says where an override comes from, so that an error blames what is to be corrected: ``--set`` by
    default.

    A file may begin where another ends: ``extends: other.yaml``, found beside it. Its sections ``data``, ``model``,
    ``training`` and ``search`` change single keys of the other's; whatever else it has, ``tasks`` too, takes the
    other's place.

    Raises:
        InputError: a missing file, an unknown key, a wrong type, a value out of range, a duplicate key.
    """
    path = Path(path)
    content = extended(path)
    overrides = dict(overrides)
    origins = {key: origins.get(key, "--set") for key in overrides}
    for key, value in overrides.items():
        try:
            set_dotted(content, key, value)
        except InputError as error:
            raise InputError(f"{origins[key]} {error}") from None
    config = check_config(content, str(path), origins)
    config._umask = umask_of(path)
    if config.plugin_folder is not None or config.names_code:
        config.plugin_folder = str((path.parent / (config.plugin_folder or ".")).resolve())
    return config


def read_config(path: Path) -> Config:
    """The configuration that a run has written into its folder, as it stands there."""
    return check_config(read_yaml(path), str(path))


def check_config(content: Mapping[str, Any], name: str, origins: Mapping[str, str] = MappingProxyType({})) -> Config:
    """Check a configuration given as nested mappings; ``name`` says in errors where it came from.

    ``origins`` says it of single dotted keys that came from elsewhere.

    >>> check_config({"data": {"rot": "d"}, "tasks": {"depth": {}}}, "x.yaml")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nas_ctx.config.checking.UnknownKey: x.yaml: data.rot: unknown key; known: augment, ...; did you mean 'root'?
    """

    def where(key: str) -> str:
        origin = next((origin for there, origin in origins.items() if _nested(there, key)), None)
        return f"{name}: " if origin is None else f"{origin} "

    config = checked(Config, content, where)
    for key, value in flattened(config).items():
        if any("\x00" in text for text in _texts(value)):  # no name of a file, of code or of a component has one
            raise InputError(f"{where(key)}{key}: {value!r}: holds a null character")
    if config.output is not None:
        others = {key: value for key, value in flattened(config).items() if key != "output"}
        try:
            config.output = interpolate(config.output, others)
        except InputError as error:
            raise InputError(f"{where('output')}output: {config.output!r}: {error}") from None
    return config


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value, those of keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in (*value, *(value.values() if isinstance(value, dict) else ())):
            yield from _texts(part)


def _nested(first: str, second: str) -> bool:
    """Whether one of two dotted keys is the other, or contains it."""
    return f"{first}.".startswith(f"{second}.") or f"{second}.".startswith(f"{first}.")


def to_yaml(config: Config) -> str:
    """The resolved configuration, with every default written out, as a run folder keeps it."""
    return dump_yaml(config.model_dump(mode="json"))


def flattened(config: Config) -> dict[str, Any]:
    """A configuration as one mapping from dotted keys to plain values.

    >>> flattened(check_config({"data": {"root": "d"}, "tasks": {"depth": {}}}, "x"))["data.root"]
    'd'
    """
    return flat(config.model_dump(mode="json"))


def differences(first: Config, second: Config) -> list[str]:
    """Dotted keys in which two runs differ; where things lie and in which way they are done does not count."""
    ours, theirs = flattened(first), flattened(second)
    return [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key) and key not in (*PLACES, *WAYS)]
