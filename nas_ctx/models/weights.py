"""A backbone's weights from a local file or from an installed package, matched with the model that takes them.

Nothing is fetched and nothing is run: a file is read as tensors only, and of a package only its one file of weights is
read.
"""

from __future__ import annotations

import hashlib
import socket
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from safetensors.torch import load_file
from torch import Tensor

from nas_ctx.errors import InputError, suggestion

PACKAGE = "package:"
"""What a source that names an installed package begins with."""

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema")
"""Keys under which training programs keep the state dictionary in a checkpoint."""

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of timm's files of weights in a repository of the hub."""


@dataclass
class WeightsFile:
    """What was read: ``source`` as the configuration names it, the file's name, its SHA-256, and its tensors.

    ``by_order`` says that the model took them in their order, since no name was the same (:func:`fit_weights`).
    """

    source: str
    name: str
    sha256: str
    state: Mapping[str, Tensor] = field(repr=False)
    by_order: bool = False


_loading: ContextVar[bool] = ContextVar("loading", default=True)


@contextmanager
def without_weights() -> Iterator[None]:
    """Within it backbones are made without their weights, which are neither read nor fetched: a checkpoint follows, or
    only shapes matter.

    >>> with without_weights():
    ...     is_loading()
    False
    """
    token = _loading.set(False)
    try:
        yield
    finally:
        _loading.reset(token)


def is_loading() -> bool:
    """Whether a backbone that is made now loads its weights."""
    return _loading.get()


def read_weights(source: str) -> WeightsFile:
    """Read a file of weights.

    Args:
        source: a file, ``.safetensors`` or what ``torch.save`` wrote, of a state dictionary or of a checkpoint that
            holds one; or ``"package:NAME"``, an installed package with one such file in it.

    Raises:
        InputError: no such file or package, or no state dictionary in it.
    """
    path = _in_package(source.removeprefix(PACKAGE)) if source.startswith(PACKAGE) else Path(source)
    try:
        if path.exists() and not path.is_file():  # the end of a device or a pipe may never come
            raise InputError(f"model.weights: {source}: is no file; expected a file, or {PACKAGE}NAME")
        digest = _sha256(path)
    except InputError:
        raise
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"model.weights: {source:.200}: {reason}; expected a file, or {PACKAGE}NAME") from None
    return WeightsFile(source, path.name, digest, _state(path, source))


def fit_weights(
    weights: WeightsFile, expected: Mapping[str, Tensor], classifier: Sequence[str] = ()
) -> dict[str, Tensor]:
    """The tensors of ``weights`` under the names of the model that takes them.

    Names may stand behind a prefix (``module.``, ``backbone.``, ...); what has another prefix, such as a decoder, is
    left out. Where no name is the same, but there are as many tensors, of the same kinds and shapes in the same order,
    they are taken in that order: implementations of one architecture often differ in names only.

    Args:
        weights: what was read.
        expected: the state dictionary of the model.
        classifier: names of the model's classification layers, which may be missing or have another number of classes.

    Raises:
        InputError: a tensor is missing, left over, or of another shape.

    >>> own = {"stem.weight": torch.zeros(4, 3), "head.weight": torch.zeros(9, 4)}
    >>> read = {"module.stem.weight": torch.ones(4, 3), "module.head.weight": torch.ones(2, 4)}
    >>> sorted(fit_weights(WeightsFile("x.pth", "x.pth", "", read), own, ["head"]))
    ['stem.weight']
    >>> fit_weights(WeightsFile("x.pth", "x.pth", "", {"stem.weight": torch.ones(4, 4)}), own, ["head"])
    Traceback (most recent call last):
    nas_ctx.errors.InputError: model.weights: x.pth: stem.weight: expected (4, 3), got (4, 4)
    """
    state, where = weights.state, f"model.weights: {weights.source}"
    prefix = _prefix(state, expected)
    if prefix is None:
        if _kinds(state) == _kinds(expected):
            weights.by_order = True
            return dict(zip(expected, state.values(), strict=True))
        raise InputError(f"{where}: is of another model: holds {_listed(state)}, expected {_listed(expected)}")
    given = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    fitted = {}
    for name in {**expected, **given}:
        if any(name.startswith(f"{layer}.") for layer in classifier):
            continue
        # Old versions of torch wrote none of these counts.
        value = given.get(name, expected[name] if name.endswith("num_batches_tracked") else None)
        got, wanted = _shape(value), _shape(expected.get(name))
        if value is None or got != wanted:
            raise InputError(f"{where}: {prefix}{name}: expected {wanted}, got {got}")
        fitted[name] = value
    return fitted


def must_fetch(name: str) -> bool:
    """Whether the weights of a timm model come from the hub and are not in the cache yet."""
    hub_id, cached = _on_hub(name)
    return bool(hub_id) and cached is None


def fetched_weights(name: str) -> WeightsFile | None:
    """The file in the cache of the hub from which timm loaded its weights of a model, without its tensors."""
    hub_id, cached = _on_hub(name)
    return None if cached is None else WeightsFile(name, f"{hub_id}/{cached.name}", _sha256(cached), {})


def _on_hub(name: str) -> tuple[str, Path | None]:
    """Where a timm model's weights are on the hub, "" where they are not, and their file in the cache."""
    facts = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if facts is None or not facts.hf_hub_id:
        return "", None
    names = [facts.hf_hub_filename] if facts.hf_hub_filename else HUB_FILES
    found = (try_to_load_from_cache(facts.hf_hub_id, file) for file in names)
    return facts.hf_hub_id, next((Path(path) for path in found if isinstance(path, str)), None)


def check_reachable(name: str, seconds: float = 5.0) -> None:
    """Refuse at once to fetch the weights of a timm model that are not in the cache, where the hub cannot be reached.

    The library that fetches them would try for most of a minute before it says so.

    Raises:
        InputError: no connection to the hub within ``seconds``, or HF_HUB_OFFLINE forbids it.
    """
    if not must_fetch(name):
        return
    host = urlsplit(constants.ENDPOINT)
    try:
        if constants.HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        if not getproxies():  # a way that cannot be tried from here
            socket.create_connection((host.hostname or "", host.port or 443), timeout=seconds).close()
    except OSError as error:
        raise InputError(
            f"model.pretrained: the weights of {name} are not in the cache, and {host.hostname} cannot be reached "
            f"({error.strerror or error}): name a file or {PACKAGE}NAME in model.weights, or set pretrained: false"
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _in_package(name: str) -> Path:
    """The one file of weights in an installed package."""
    try:
        files = metadata.files(name) or []
    except (metadata.PackageNotFoundError, ValueError):
        installed = {str(package.metadata["Name"]) for package in metadata.distributions()}
        hint = suggestion(name, installed)
        raise InputError(f"model.weights: {PACKAGE}{name}: no such package is installed{hint}") from None
    weight_files = [Path(str(file.locate())) for file in files if file.suffix in SUFFIXES]
    if len(weight_files) != 1:
        names = ", ".join(path.name for path in weight_files[:3]) or "none"
        raise InputError(f"model.weights: {PACKAGE}{name}: expected a package with one file of weights, found {names}")
    return weight_files[0]


def _state(path: Path, source: str) -> dict[str, Tensor]:
    """The state dictionary in a file."""
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torch to itself, about files in its old format
                content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes torch or safetensors raise
        first = " ".join(str(error).split())[:200]
        raise InputError(f"model.weights: {source}: cannot be read as tensors: {first}") from None
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    entries = content.items() if isinstance(content, Mapping) else ()
    state = {str(name): value for name, value in entries if isinstance(value, Tensor)}
    if not state:
        raise InputError(f"model.weights: {source}: holds no state dictionary (names and tensors)")
    return state


def _prefix(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """What stands before the names of ``expected`` in ``state``, such that most are there; None where none is."""
    first = list(expected)[:20]
    prefixes = {name.removesuffix(own) for own in first for name in state if f".{name}".endswith(f".{own}")}
    matches = {prefix: sum(f"{prefix}{name}" in state for name in expected) for prefix in prefixes}
    return min(matches, key=lambda prefix: (-matches[prefix], len(prefix))) if matches else None


def _kinds(tensors: Mapping[str, Tensor]) -> list[tuple[str, tuple[int, ...]]]:
    """What each tensor is (weight, bias, running_mean, ...), and its shape."""
    return [(name.rpartition(".")[2], tuple(value.shape)) for name, value in tensors.items()]


def _shape(value: Tensor | None) -> str:
    return "no such tensor" if value is None else str(tuple(value.shape))


def _listed(names: Iterable[str]) -> str:
    """How many names there are, and the first of them."""
    listed = list(names)
    return f"{len(listed)} tensors ({', '.join(listed[:2])}, ...)"
