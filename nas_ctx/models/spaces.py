"""Search spaces by name: what ``nas-ctx search`` searches, and ``nas-ctx train`` makes a network of.

A space is called ``space(backbone, tasks, **options)`` and gives an NNI model space whose ``forward(image)`` is that of
:class:`nas_ctx.models.MultiTaskNetwork`. Its options are its keyword arguments. Those in :data:`GIVEN` it gets, if it
has them, from the package; all others from ``model.space_options``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from nni.mutable import Categorical, CategoricalMultiple
from nni.nas.nn.pytorch import ModelSpace
from torch import nn

from nas_ctx.errors import InputError, suggestion
from nas_ctx.models.backbone import Backbone
from nas_ctx.models.registry import TaskShape
from nas_ctx.plugins import Registry, called_with, signature_of


class MakeSpace(Protocol):
    """A class or function that makes a space."""

    def __call__(self, backbone: Backbone, tasks: Mapping[str, TaskShape], /, **options: Any) -> ModelSpace: ...


GIVEN = {
    "contexts": "the candidates that the configuration names, `model.contexts`",
    "affine": "whether the last norm of a candidate may scale and shift: not in a search",
    "dropout": "before the logits: 0 in a search, else `model.dropout`",
    "make_head": "`make_head(in_channels, channels)` makes a task's head, `model.head`",
}
"""The keyword arguments that a space may have and then gets from the package."""

SPACES: Registry[MakeSpace] = Registry(
    "space", group="nas_ctx.spaces", validator=called_with("backbone", "tasks", options=True), base=ModelSpace
)
register_space = SPACES.register


def make_space(
    name: str,
    backbone: Backbone,
    tasks: Mapping[str, TaskShape],
    options: Mapping[str, Any] | None = None,
    **given: Any,
) -> ModelSpace:
    """Make the space that goes by ``name`` (or by its path).

    Args:
        options: its own keyword arguments, the configuration's ``model.space_options``.
        given: values for the names in :data:`GIVEN`; a space that does not have one of them goes without.

    Raises:
        InputError: an unknown space or option, or something that is no space.

    >>> from types import SimpleNamespace
    >>> tasks = {"depth": SimpleNamespace(channels=1, regions=40)}
    >>> space = make_space("relational", Backbone("test_resnet"), tasks, contexts=["none", "local"])
    >>> sorted(space.simplify().items())
    [('depth/depth', Categorical(['none', 'local'], label='depth/depth'))]
    """
    make = SPACES.resolve(name, "model.space")
    options = dict(options or {})
    parameters = list(signature_of(make).parameters.values())[2:]
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    own = [name for name in names if name not in GIVEN]
    for key in options:
        if key in GIVEN or (key not in own and not anything):
            raise InputError(
                f"model.space_options.{key}: unknown option of the space {name!r}; "
                f"known: {', '.join(sorted(own)) or 'none'}{suggestion(key, own)}"
            )
    lacking = [p.name for p in parameters if p.default is p.empty and p.name in own and p.name not in options]
    if lacking:
        raise InputError(f"model.space_options.{lacking[0]}: missing; the space {name!r} needs it")
    try:
        space = make(backbone, tasks, **options, **{key: value for key, value in given.items() if key in names})
    except InputError:
        raise
    except Exception as error:  # of a user's own code, who needs its traceback; the note ends it
        # As `add_note` does, which Python 3.10 lacks; its tracebacks leave notes out.
        error.__notes__ = [f"model.space: {name!r} cannot be made with model.space_options: {options}"]
        raise
    if not isinstance(space, ModelSpace):
        raise InputError(f"model.space: {name!r}: expected to get an NNI ModelSpace, got a {type(space).__name__}")
    return space


def freeze(space: ModelSpace, choices: Mapping[str, Any], name: str) -> nn.Module:
    """The one network of a space that ``choices`` (a genotype) describes.

    Args:
        name: says in errors where the choices came from.

    Raises:
        InputError: choices for other blocks than the space has, or a choice that it does not offer.
    """
    mutables = space.simplify()
    if set(choices) != set(mutables):
        raise InputError(
            f"{name}: has the blocks {sorted(set(choices) - set(mutables))} too many and "
            f"{sorted(set(mutables) - set(choices))} too few for the space {type(space).__name__}"
        )
    return space.freeze({label: _value(mutable, choices[label], label, name) for label, mutable in mutables.items()})


def _value(mutable: Any, choice: Any, label: str, name: str) -> Any:
    """A genotype's choice as the space knows it: JSON has no tuples, and several chosen inputs are a list."""
    several = isinstance(mutable, CategoricalMultiple)
    if not isinstance(mutable, Categorical | CategoricalMultiple):
        return choice
    chosen = list(choice) if several and isinstance(choice, list | tuple) else [choice]
    values = []
    for one in chosen:
        same = [value for value in mutable.values if value == one or (isinstance(value, list) and tuple(value) == one)]
        if not same:
            known = ", ".join(map(str, mutable.values))
            raise InputError(f"{name}: block {label!r}: {one!r} is no choice there; known: {known}")
        values.append(same[0])
    return values if several else values[0]
