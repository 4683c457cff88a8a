"""NNI's mutation hooks: what becomes of each module of a space when the supernet is made."""

from __future__ import annotations

from typing import Any

from nni.mutable import MutableExpression
from nni.nas.nn.pytorch import Cell, InputChoice, LayerChoice, MutableModule, ParametrizedModule, Repeat
from torch import nn

from nas_ctx.search.nni.cell import MixedCell
from nas_ctx.search.nni.layers import MixedInputChoice, MixedLayerChoice, SupernetModule
from nas_ctx.search.nni.repeat import MixedRepeat, MixedStage
from nas_ctx.search.nni.space import Unsearchable


def settle(module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> bool:
    """The first hook: an operation that could have choices but has none becomes torch's.

    NNI would build it again for the supernet, and again when it is frozen, and lose its weights.

    Raises:
        Unsearchable: a choice stands within a tuple, where NNI does not find it.
    """
    if not isinstance(module, ParametrizedModule) or module._bound_type is None:
        return False
    for argument, value in module.trace_kwargs.items():
        for part in value if isinstance(value, (tuple, list)) else ():
            if isinstance(part, MutableExpression):
                where = f"{argument} of {type(module).__name__} has it within a {type(value).__name__}"
                raise Unsearchable.choice(next(iter(part.simplify())), name, f"{where}, where NNI does not find it")
    if module.simplify():
        return False
    module.__class__ = module._bound_type
    return True


def mix(module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> SupernetModule | None:
    """Put a mixed layer in the place of NNI's own choices; subclasses of theirs are left to other hooks.

    The choices in a cell without a factory of operations are layer and input choices.
    """
    kind = type(module)
    if kind is LayerChoice:
        return MixedLayerChoice(module, memo[str(module.label)])
    if kind is InputChoice:
        if module.n_chosen != 1:
            raise Unsearchable.choice(str(module.label), name, f"n_chosen must be 1, got {module.n_chosen}")
        return MixedInputChoice(module, memo[str(module.label)])
    if kind is Cell and module.op_candidates_factory is not None:
        return MixedCell(module, memo)
    if isinstance(module, Repeat) and isinstance(module.depth_choice, MutableExpression):
        if hasattr(module, "first_cell_transformation_factory"):
            return MixedStage(module, memo)
        return MixedRepeat(module, memo) if kind is Repeat else None
    return None


def refuse(module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> bool:
    """The last hook: a module that still has choices of its own cannot be mixed."""
    if isinstance(module, MutableModule):
        for label in (label for mutable in module.mutables for label in mutable.simplify()):
            raise Unsearchable.choice(label, name, f"no mixture is known for a choice in a {type(module).__name__}")
    return True
